"""Strict readers of what the faces write, made from the tools' own grammars."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from pathlib import Path
from typing import Any


# --- Shell and az ---------------------------------------------------------------------------
def arguments(script: str) -> list[str]:
    """What a real shell hands to `az`."""
    run = subprocess.run(
        ["bash", "-c", "az() { printf '%s\\0' \"$@\"; }\n" + script],
        capture_output=True, check=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert run.stderr == b""
    return run.stdout.decode().split("\0")[:-1]


def ran(script: str, folder: Path) -> list[str]:
    """Run a script in `folder` and return what it hands to `az`; what it hands to curl is lost."""
    run = subprocess.run(
        ["bash", "-c", "az() { [ \"$1\" = account ] || printf '%s\\0' \"$@\"; }\n"
         "curl() { :; }\n" + script],
        cwd=folder, capture_output=True, check=True,
    )  # fmt: skip
    return run.stdout.decode().split("\0")[:-1]


def extension_parser() -> argparse.ArgumentParser:
    """`az k8s-extension create|update`, as far as Flux needs it."""
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    add = parser.add_argument
    add("--subscription")
    add("-g", "--resource-group", required=True)
    add("-c", "--cluster-name", required=True)
    add("-t", "--cluster-type", required=True,
        choices=["connectedClusters", "managedClusters", "provisionedClusters"])  # fmt: skip
    add("--cluster-resource-provider")
    add("-n", "--name", required=True)
    add("--extension-type")
    add("--scope", choices=["cluster", "namespace"])
    add("--auto-upgrade-minor-version", "--auto-upgrade", type=_flag)
    for name in ("version", "release-train", "release-namespace", "target-namespace"):
        add(f"--{name}")
    add("--configuration-settings", dest="settings", action="append", nargs="+")
    add("--configuration-protected-settings", action="append", nargs="+")
    add("-y", "--yes", action="store_true")
    return parser


def _flag(text: str) -> bool:
    assert text in ("true", "false")
    return text == "true"


def _parser() -> argparse.ArgumentParser:
    """Version 3.1 of `az k8s-configuration flux create` (Azure contract 3.1)."""
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    add = parser.add_argument
    add("--subscription")
    add("-g", "--resource-group", required=True)
    add("-c", "--cluster-name", required=True)
    add("-t", "--cluster-type", required=True,
        choices=["connectedClusters", "managedClusters", "provisionedClusters"])  # fmt: skip
    add("--cluster-resource-provider")
    add("-n", "--name", required=True)
    add("-s", "--scope", choices=["namespace", "cluster"], default="cluster")
    add("--namespace", "--ns", default="default")
    add("--kind", choices=["git", "bucket", "azblob", "oci"], default="git")
    add("-u", "--url", required=True)
    add("--interval", "--sync-interval", dest="syncIntervalInSeconds", type=_duration)
    add("--timeout", dest="timeoutInSeconds", type=_duration)
    add("--suspend", type=_flag, default=False, nargs="?", const=True)
    add("-k", "--kustomization", action="append", nargs="+", default=[])
    for name in ("branch", "tag", "semver", "commit", "digest"):
        add(f"--{name}")
    for name in ("https-user", "https-key", "https-ca-cert", "known-hosts", "ssh-private-key",
                 "bucket-name", "bucket-access-key", "bucket-secret-key", "container-name",
                 "account-key", "sas-token", "mi-client-id", "sp-client-id", "sp-tenant-id",
                 "sp-client-secret", "sp-client-cert", "sp-cert-password", "oci-media-type",
                 "tls-ca-certificate", "tls-client-certificate", "tls-private-key",
                 "service-account-name", "verification-provider"):  # fmt: skip
        add(f"--{name}")
    add("--local-auth-ref", "--local-ref")
    add("--provider", choices=["generic", "azure"])
    add("--oci-operation", choices=["extract", "copy"])
    for name in ("bucket-insecure", "sp-cert-send-chain", "use-workload-identity", "oci-insecure"):
        add(f"--{name}", type=_flag, nargs="?", const=True)
    add("--match-oidc-identity", nargs="+", type=json.loads, default=[])
    add("--verification-config", nargs="+", default=[])
    return parser


def _duration(text: str) -> int:
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    assert text
    assert found
    hours, minutes, seconds = (int(it or 0) for it in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def az_wire(script: str) -> tuple[argparse.Namespace, dict[str, Any]]:
    """The parsed command and the properties that the command line would send."""
    given = arguments(script)
    assert given[:3] == ["k8s-configuration", "flux", "create"]
    it = _parser().parse_args(given[3:])
    times = {
        key: value
        for key in ("syncIntervalInSeconds", "timeoutInSeconds")
        if (value := getattr(it, key)) is not None
    }
    common = {"url": it.url, "localAuthRef": it.local_auth_ref, **times}
    body: dict[str, Any]
    match it.kind:
        case "git":
            kind, name = "GitRepository", "gitRepository"
            body = {
                "repositoryRef": {
                    key: getattr(it, key) for key in ("branch", "tag", "semver", "commit")
                },
                "httpsUser": it.https_user,
                "httpsCACert": it.https_ca_cert,
                "sshKnownHosts": it.known_hosts,
                "provider": it.provider and it.provider.capitalize(),
            }
        case "bucket":
            kind, name = "Bucket", "bucket"
            body = {
                "bucketName": it.bucket_name,
                "accessKey": it.bucket_access_key,
                "insecure": bool(it.bucket_insecure),
            }
        case "azblob":
            kind, name = "AzureBlob", "azureBlob"
            body = {
                "containerName": it.container_name,
                "managedIdentity": {"clientId": it.mi_client_id},
                "servicePrincipal": {
                    "clientId": it.sp_client_id,
                    "tenantId": it.sp_tenant_id,
                    "clientCertificateSendChain": it.sp_cert_send_chain,
                },
            }
        case _:
            kind, name = "OCIRepository", "ociRepository"
            body = {
                "repositoryRef": {key: getattr(it, key) for key in ("tag", "semver", "digest")},
                "layerSelector": {"mediaType": it.oci_media_type, "operation": it.oci_operation},
                "serviceAccountName": it.service_account_name,
                "useWorkloadIdentity": bool(it.use_workload_identity),
                "insecure": bool(it.oci_insecure),
                "verify": {
                    "provider": it.verification_provider,
                    "matchOidcIdentity": it.match_oidc_identity,
                    "verificationConfig": dict(
                        pair.split("=", 1) for pair in it.verification_config
                    ),
                },
            }
    entries = dict(map(_kustomization, it.kustomization))
    return it, {
        "scope": it.scope,
        "namespace": it.namespace,
        "sourceKind": kind,
        "suspend": it.suspend,
        name: {**common, **body},
        "kustomizations": entries,
    }


def _kustomization(values: list[str]) -> tuple[str, dict[str, Any]]:
    name, entry = "", {}
    for item in values:
        key, value = item.split("=", 1)
        match key:
            case "name":
                name = value
            case "path":
                entry["path"] = value
            case "depends_on" | "dependsOn" | "dependencies" | "depends":
                inner = value[1:-1] if value.startswith("[") else value
                entry["dependsOn"] = inner.split(",")
            case "timeout":
                entry["timeoutInSeconds"] = _duration(value)
            case "interval" | "sync_interval" | "syncInterval":
                entry["syncIntervalInSeconds"] = _duration(value)
            case "retry_interval" | "retryInterval":
                entry["retryIntervalInSeconds"] = _duration(value)
            case "prune" | "force":
                entry[key] = bool(value)  # as the command line does: any text is true
            case "disable_health_check":
                entry["wait"] = value != "true"
            case _:
                raise AssertionError(key)
    return name, entry


# --- Bicep ----------------------------------------------------------------------------------
_TOKEN = re.compile(
    r"(?P<blank>[ ]+)|(?P<line>\n)|(?P<mark>[{}\[\]():=@])|(?P<number>-?\d+)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|'(?P<text>(?:[^'\\\n\r$]|\$(?!\{)|\\[\\'nrt]|\\\$\{|\\u\{[0-9a-fA-F]{1,6}\})*)'"
)


class Bicep:
    """The part of the language that a face uses; anything else is an error."""

    def __init__(self, source: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(source):
            found = _TOKEN.match(source, place)
            assert found, f"no token at {source[place : place + 40]!r}"
            place = found.end()
            if found.lastgroup != "blank":
                self.tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
        self.parameters: dict[str, bool] = {}
        self.resources: dict[str, dict[str, Any]] = {}
        self._file()

    def _next(self, kind: str, value: str | None = None) -> str:
        found = self.tokens.pop(0)
        assert found[0] == kind, found
        assert value is None or found[1] == value, found
        return found[1]

    def _peek(self) -> tuple[str, str]:
        return self.tokens[0] if self.tokens else ("end", "")

    def _file(self) -> None:
        secure = False
        while self.tokens:
            match self._peek():
                case ("line", _):
                    self._next("line")
                case ("mark", "@"):
                    self._next("mark", "@")
                    name = self._next("word")
                    self._next("mark", "(")
                    if name == "description":
                        self._value()
                    secure = secure or name == "secure"
                    self._next("mark", ")")
                    self._next("line")
                case ("word", "param"):
                    self._next("word")
                    self.parameters[self._next("word")] = secure
                    secure = False
                    self._next("word", "string")
                case _:
                    self._resource()

    def _resource(self) -> None:
        self._next("word", "resource")
        symbol, kind = self._next("word"), self._value()
        existing = self._peek() == ("word", "existing")
        if existing:
            self._next("word")
        self._next("mark", "=")
        self.resources[symbol] = {"type": kind, "existing": existing, "body": self._value()}

    def _value(self) -> Any:
        kind, value = self.tokens.pop(0)
        if kind == "text":
            return _bicep_text(value)
        if kind == "number":
            return int(value)
        if kind == "word":
            return {"true": True, "false": False, "null": None}.get(value, Reference(value))
        assert kind == "mark", (kind, value)
        if (kind, value) == ("mark", "["):
            return list(self._lines("]", self._value))
        assert value == "{", value
        return dict(self._lines("}", self._pair))

    def _lines(self, end: str, read: Any) -> list[Any]:
        result: list[Any] = []
        if self._peek() == ("mark", end):
            self._next("mark")
            return result
        self._next("line")
        while self._peek() != ("mark", end):
            result.append(read())
            self._next("line")
        self._next("mark", end)
        return result

    def _pair(self) -> tuple[str, Any]:
        kind, key = self.tokens.pop(0)
        assert kind in ("word", "text"), kind
        self._next("mark", ":")
        return (_bicep_text(key) if kind == "text" else key), self._value()


class Reference(str):
    """A name of a parameter or of a resource."""

    __slots__ = ()


def _bicep_text(raw: str) -> str:
    plain = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}

    def piece(found: re.Match[str]) -> str:
        if found[0].startswith("\\u"):
            return chr(int(found[0][3:-1], 16))
        return plain.get(found[0], found[0][1:])

    return re.sub(r"\\(?:u\{[^}]*\}|\$\{|.)", piece, raw, flags=re.DOTALL)


# --- HCL ------------------------------------------------------------------------------------
def hcl_value(value: Any) -> Any:
    """What python-hcl2 read, with texts as they are meant and references as Reference."""
    if isinstance(value, dict):
        return {
            _hcl_text(key) if key.startswith('"') else key: hcl_value(it)
            for key, it in value.items()
            if key != "__is_block__"
        }
    if isinstance(value, list):
        return [hcl_value(it) for it in value]
    if isinstance(value, str):
        return _hcl_text(value) if value.startswith('"') else Reference(value)
    return value


def _hcl_text(raw: str) -> str:
    assert raw.endswith('"')

    def piece(found: re.Match[str]) -> str:
        text = found[0]
        if text in ("$${", "%%{"):
            return text[1:]
        assert text not in ("${", "%{"), "an interpolation"
        if text.startswith(("\\u", "\\U")):
            return chr(int(text[2:], 16))
        simple = {"\\n": "\n", "\\r": "\r", "\\t": "\t", '\\"': '"', "\\\\": "\\"}
        assert text[0] != "\\" or text in simple, text
        assert text not in ("\n", "\r"), "a line break in a text"
        return simple.get(text, text)

    return re.sub(
        r"\\u[0-9a-f]{4}|\\U[0-9a-f]{8}|\\.|\$\$\{|%%\{|\$\{|%\{|.", piece, raw[1:-1],
        flags=re.DOTALL,
    )  # fmt: skip
