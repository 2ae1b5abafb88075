"""The Secret that a local authentication reference names: its keys, and how to make it.

Keys: Flux 2.7 source-controller, "Secret reference" of each kind of source.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configurations.secrets import source_place
from configurations.wizard.source_fields import is_asked, items_of

_FIELDS = ("local_auth_ref", "bucket_local_auth_ref", "blob_local_auth_ref", "oci_local_auth_ref")


@dataclass(frozen=True)
class LocalSecret:
    """`field`: where its name is typed; `keys`: what it must have; `command`: one that makes it."""

    field: str
    keys: tuple[str, ...]
    command: str


def local_secret(
    source: Mapping[str, Any], properties: Mapping[str, Any], namespace: str
) -> LocalSecret | None:
    """What the Secret of this source has to be; None where the source names none."""
    kind = str(source["source_kind"])
    field = next(
        (it.name for it in items_of(kind) if it.name in _FIELDS and is_asked(it, source)), None
    )
    if field is None:
        return None
    name = shlex.quote(str(source.get(field) or "source-auth"))
    head = f"kubectl create secret generic {name} -n {shlex.quote(namespace or 'default')}"
    keys, words = content_of(kind, source)
    if kind == "OCIRepository":
        _kind, host = source_place(properties)
        head = head.replace("generic", "docker-registry", 1)
        words = (
            f"--docker-server={shlex.quote(host or 'registry.example')}",
            "--docker-username=USER",
            "--docker-password=PASSWORD",
        )
    return LocalSecret(field, keys, " \\\n  ".join((head, *words)))


def content_of(kind: str, source: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys of a source's Secret, and the words of `kubectl create secret` that give them."""
    if kind == "Bucket":
        return _literals(accesskey="ACCESS_KEY", secretkey="SECRET_KEY")
    if kind == "AzureBlob":
        return _literals(accountKey="ACCOUNT_KEY")
    if kind == "OCIRepository":
        return (".dockerconfigjson",), ()
    if source.get("sign_in") == "github":
        keys, words = _literals(githubAppID="APP_ID", githubAppInstallationID="INSTALLATION_ID")
        key = "githubAppPrivateKey"
        return (*keys, key), (*words, f"--from-file={key}=./app.private-key.pem")
    if str(source.get("url") or "").startswith(("ssh://", "git@")):
        return ("identity", "known_hosts"), (
            "--from-file=identity=./id_ed25519",
            "--from-file=known_hosts=./known_hosts",
        )
    return _literals(username="USER", password="PASSWORD_OR_TOKEN")  # noqa: S106 (a placeholder)


def _literals(**values: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(values), tuple(f"--from-literal={key}={it}" for key, it in values.items())
