"""What a kubeconfig says, as far as the portal takes it: a server, its authority, a credential.

A kubeconfig can name programs to run and files of this host to read. Nothing of that is ever
done: such keys are refused by name, with what to do instead. The format is kubectl's
(https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.utils.translation import gettext as _

MOST_BYTES = 100_000


class KubeconfigRefused(Exception):  # noqa: N818 (a state of what was given, not a fault)
    """It cannot be taken: why, in words for whoever gave it. Never quotes a credential."""


class SeveralContexts(KubeconfigRefused):
    """It holds several contexts and nobody said which one is meant."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(_("It holds several contexts."))
        self.names = names


@dataclass(frozen=True)
class Access:
    """How a Kubernetes API is reached. Its repr shows no credential; all text is PEM or plain."""

    server: str
    authority: str  # PEM; "" for the authorities that this host trusts
    token: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)

    @property
    def sign_in(self) -> str:
        """ "token" or "certificate"."""
        return "certificate" if self.certificate else "token"


def read(content: bytes | str, *, context: str = "") -> Access:
    """The access that a kubeconfig gives; raises KubeconfigRefused, SeveralContexts."""
    entries = _parts(content)
    cluster, user = _chosen(entries, context)
    server, authority = _server_of(cluster)
    _refuse(user, _user_refusals(), where=_("user"))
    return Access(server, authority, **_credential_of(user))


def server_of(content: bytes | str) -> tuple[str, str]:
    """Server and authority alone, where a token comes from elsewhere; the user is not looked at."""
    cluster, _user = _chosen(_parts(content), "")
    return _server_of(cluster)


# --- The parts ------------------------------------------------------------------------------
def _parts(content: bytes | str) -> Mapping[str, Any]:
    raw = content.encode() if isinstance(content, str) else content
    if len(raw) > MOST_BYTES:
        raise KubeconfigRefused(_("It is larger than 100 kB. Give the one context that is needed."))
    try:
        loaded = yaml.load(raw.decode(), Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError):
        raise KubeconfigRefused(_("This is not YAML or JSON. Paste the whole file.")) from None
    if not isinstance(loaded, dict) or not isinstance(loaded.get("clusters"), list):
        raise KubeconfigRefused(
            _("This is no kubeconfig. Print one: kubectl config view --raw --minify --flatten")
        )
    return loaded


class _Loader(yaml.SafeLoader):
    """Safe YAML without aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not taken")
        return super().compose_node(parent, index)


def _chosen(loaded: Mapping[str, Any], context: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The cluster and the user of the context that is meant."""
    contexts = _named(loaded, "contexts", "context")
    if not contexts:
        raise KubeconfigRefused(_("It holds no context: nothing joins a cluster and a user."))
    if not context and len(contexts) > 1:
        raise SeveralContexts(list(contexts))
    chosen = contexts.get(context) if context else next(iter(contexts.values()))
    if chosen is None:
        raise KubeconfigRefused(_("It holds no context of this name."))
    cluster = _named(loaded, "clusters", "cluster").get(str(chosen.get("cluster")))
    user = _named(loaded, "users", "user").get(str(chosen.get("user")))
    if cluster is None or user is None:
        raise KubeconfigRefused(_("Its context names a cluster or a user that it does not hold."))
    return cluster, user


def _named(loaded: Mapping[str, Any], key: str, inner: str) -> dict[str, Mapping[str, Any]]:
    items = loaded.get(key)
    return {
        str(item.get("name")): item[inner]
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict) and isinstance(item.get(inner), dict)
    }


# --- The server -----------------------------------------------------------------------------
def _server_of(cluster: Mapping[str, Any]) -> tuple[str, str]:
    _refuse(cluster, _cluster_refusals(), where=_("cluster"))
    server = str(cluster.get("server") or "")
    try:
        address = urlsplit(server)
        usable = bool(address.hostname) and (address.port or 443) > 0
    except ValueError:
        usable = False
    if not usable or address.scheme != "https":
        raise KubeconfigRefused(_("The server's address has to begin with https://."))
    if address.username is not None or address.query or address.fragment:
        raise KubeconfigRefused(
            _("The server's address may hold no name, password, query or fragment.")
        )
    authority = _pem(cluster, "certificate-authority-data")
    if authority:
        _check_certificates(authority, "certificate-authority-data")
    return server.rstrip("/"), authority


def _cluster_refusals() -> dict[str, str]:
    return {
        "insecure-skip-tls-verify": _(
            "anybody could answer in the cluster's place. Give certificate-authority-data."
        ),
        "certificate-authority": _(
            "it names a file. Give certificate-authority-data: kubectl config view --raw --flatten"
        ),
        "proxy-url": _("credentials would pass through it. Let this host reach the server itself."),
        "tls-server-name": _("the server has to be who its address says. Give that address."),
    }


# --- The credential -------------------------------------------------------------------------
def _credential_of(user: Mapping[str, Any]) -> dict[str, str]:
    token = str(user.get("token") or "").strip()
    certificate = _pem(user, "client-certificate-data")
    key = _pem(user, "client-key-data")
    if token and (not token.isascii() or any(sign.isspace() for sign in token)):
        raise KubeconfigRefused(_("Its token holds signs that no token has."))
    if token and not certificate:
        return {"token": token}
    if not certificate or not key:
        raise KubeconfigRefused(
            _("It holds no token, and no client certificate with its key. Give one of them.")
        )
    _check_certificates(certificate, "client-certificate-data")
    try:
        load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        raise KubeconfigRefused(
            _("client-key-data is no private key in PEM, or it has a passphrase.")
        ) from None
    # AKS gives both for its local accounts; both are sent, as kubectl does.
    return {"token": token, "certificate": certificate, "key": key}


def _user_refusals() -> dict[str, str]:
    account = _("Give the token of a service account (kubectl create token) instead.")
    return {
        "exec": _("it runs a program on this host.") + " " + account,
        "auth-provider": _("it runs a plug-in on this host.") + " " + account,
        "tokenFile": _("it names a file of this host.") + " " + account,
        "client-certificate": _(
            "it names a file. Give client-certificate-data: kubectl config view --raw --flatten"
        ),
        "client-key": _(
            "it names a file. Give client-key-data: kubectl config view --raw --flatten"
        ),
        "username": _("clusters take no passwords any more.") + " " + account,
        "password": _("clusters take no passwords any more.") + " " + account,
        "as": _("it acts as somebody else.") + " " + account,
        "as-uid": _("it acts as somebody else.") + " " + account,
        "as-groups": _("it acts as somebody else.") + " " + account,
        "as-user-extra": _("it acts as somebody else.") + " " + account,
    }


def _refuse(entry: Mapping[str, Any], refusals: Mapping[str, str], *, where: str) -> None:
    for key, why in refusals.items():
        if entry.get(key):
            raise KubeconfigRefused(
                _("“%(key)s” of the %(where)s is not taken: %(why)s")
                % {"key": key, "where": where, "why": why}
            )


def _pem(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if not value:
        return ""
    try:
        return base64.b64decode(str(value), validate=True).decode()
    except (binascii.Error, ValueError):
        raise KubeconfigRefused(_("%(key)s is not base64 of PEM text.") % {"key": key}) from None


def _check_certificates(pem: str, key: str) -> None:
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise KubeconfigRefused(_("%(key)s holds no certificate in PEM.") % {"key": key}) from None
