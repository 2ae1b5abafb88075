"""Read a configuration from the command that makes it: `az k8s-configuration flux create`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from configurations.faces.bring_in_flux import seconds
from configurations.faces.cleaning import (
    BringInError,
    BroughtIn,
    Found,
    Ignored,
    cleaned,
    secret_left_out,
)
from configurations.faces.command_line import KINDS, OPTIONS
from configurations.specification.models import SOURCE_BODIES

CREATE = ("k8s-configuration", "flux", "create")
_COMMAND = re.compile(r"^[ \t]*(?:[$>] ?)?az[ \t]+\S", re.MULTILINE)
_OBJECT = re.compile(r"^apiVersion:", re.MULTILINE)
_PIECE = re.compile(
    r"'(?P<single>[^']*)'"
    r'|"(?P<double>(?:[^"\\]|\\.)*)"'
    r"|(?P<joined>[\\`]\r?\n)"
    r"|\\(?P<escaped>.)"
    r"|(?P<end>\r?\n|;|&&|\|\|?)"
    r"|(?P<blank>[ \t]+)"
    r"|(?P<comment>(?<!\S)#[^\n]*)"
    r"|(?P<bare>[^\s'\"\\;&|`]+|.)",
    re.DOTALL,
)
_FILLED_IN = re.compile(r"\$[A-Za-z_({]|`")
_SHORT = {"-g": "resource-group", "-c": "cluster-name", "-t": "cluster-type", "-n": "name",
          "-s": "scope", "-u": "url", "-k": "kustomization", "-y": "yes"}  # fmt: skip
_OTHER_NAMES = {
    "ns": "namespace",
    "sync-interval": "interval",
    "local-ref": "local-auth-ref",
    "cluster-rp": "cluster-resource-provider",
    "service-principal-client-id": "sp-client-id",
    "service-principal-tenant-id": "sp-tenant-id",
    "service-principal-client-secret": "sp-client-secret",
    "service-principal-client-certificate": "sp-client-cert",
    "service-principal-client-certificate-password": "sp-cert-password",
    "service-principal-client-certificate-send-chain": "sp-cert-send-chain",
    "managed-identity-client-id": "mi-client-id",
    "oci-layer-selector-media-type": "oci-media-type",
    "oci-layer-selector-operation": "oci-operation",
}
_SECRET = frozenset({
    "ssh-private-key", "ssh-private-key-file", "https-key", "bucket-secret-key", "account-key",
    "sas-token", "sp-client-secret", "sp-client-cert", "sp-cert-password", "tls-ca-certificate",
    "tls-client-certificate", "tls-private-key",
})  # fmt: skip
_FILES = frozenset({"https-ca-cert-file", "known-hosts-file"})
_PLACE = frozenset({"subscription", "resource-group", "cluster-name", "cluster-type",
                    "cluster-resource-provider", "name"})  # fmt: skip
_SILENT = frozenset({"yes", "no-wait", "output", "o", "only-show-errors", "verbose", "debug"})
_PROVIDERS = {
    "managedclusters": "Microsoft.ContainerService/managedClusters",
    "connectedclusters": "Microsoft.Kubernetes/connectedClusters",
    "provisionedclusters": "Microsoft.HybridContainerService/provisionedClusters",
}
_KIND_OF = {option: kind for kind, option in KINDS.items()}
# Option -> where its flag stands in the body of the source.
_FLAGS = {
    "bucket-insecure": ("insecure",),
    "oci-insecure": ("insecure",),
    "use-workload-identity": ("useWorkloadIdentity",),
    "sp-cert-send-chain": ("servicePrincipal", "clientCertificateSendChain"),
}
_TIMES = {"interval": "syncIntervalInSeconds", "timeout": "timeoutInSeconds"}
_ROW_TIMES = {
    "timeout": "timeoutInSeconds",
    "interval": "syncIntervalInSeconds",
    "sync_interval": "syncIntervalInSeconds",
    "syncInterval": "syncIntervalInSeconds",
    "retry_interval": "retryIntervalInSeconds",
    "retryInterval": "retryIntervalInSeconds",
}
_ROW_DEPENDS = frozenset({"depends_on", "dependsOn", "dependencies", "depends"})


def is_command(text: str) -> bool:
    """Whether the text is a script with az in it."""
    return _COMMAND.search(text) is not None and _OBJECT.search(text) is None


def from_commands(text: str) -> list[BroughtIn]:
    """Every `az k8s-configuration flux create` of a script, as bash or PowerShell break lines."""
    found: list[Found] = []
    others: list[Ignored] = []
    for words in _commands(text):
        given = [it.text for it in words]
        if given[:1] in (["$"], [">"]) and given[1:2] == ["az"]:
            words, given = words[1:], given[1:]
        if given[:4] == ["az", *CREATE]:
            found.append(_Reader(words[4:]).found())
        elif given[:1] == ["az"]:
            why = _("Only k8s-configuration flux create makes a configuration.")
            others.append(Ignored(" ".join(given[:4]), why))
    if not found:
        raise BringInError(_("There is no az k8s-configuration flux create in it."))
    found[0].ignored += others
    return [cleaned(it) for it in found]


# --- Words ----------------------------------------------------------------------------------
@dataclass
class Word:
    """One word of a command; `is_open`: the shell would fill something in."""

    text: str
    is_open: bool = False


def _commands(text: str) -> Iterator[list[Word]]:
    """The words of each command, quotes and line breaks read as a shell does."""
    words: list[Word] = []
    word: Word | None = None
    for found in _PIECE.finditer(text):
        kind, piece = str(found.lastgroup), found[str(found.lastgroup)]
        if kind in {"joined", "comment"}:
            continue
        if kind in {"end", "blank"}:
            if word is not None:
                words.append(word)
                word = None
            if kind == "end" and words:
                yield words
                words = []
            continue
        word = word or Word("")
        if kind == "double":
            word.is_open |= bool(_FILLED_IN.search(re.sub(r"\\.", "", piece)))
            piece = re.sub(r"\\([\\\"$`])|\\\r?\n", lambda it: it[1] or "", piece)
        elif kind == "bare":
            if piece in "'\"":
                raise BringInError(_("A quotation mark in the command is never closed."))
            word.is_open |= bool(_FILLED_IN.search(piece))
        word.text += piece
    if word is not None:
        words.append(word)
    if words:
        yield words


# --- One command ----------------------------------------------------------------------------
@dataclass
class _Reader:
    """Reads the words after `create`."""

    words: list[Word]
    options: dict[str, list[Word]] = field(default_factory=dict)
    rows: list[list[Word]] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)

    def found(self) -> Found:
        self._split()
        kind = _KIND_OF.get(self._one("kind") or "git", "GitRepository")
        body: dict[str, Any] = {}
        properties: dict[str, Any] = {
            "scope": self._one("scope") or "cluster",
            "namespace": self._one("namespace") or "default",
            "sourceKind": kind,
            "suspend": self._flag("suspend"),
            SOURCE_BODIES[kind]: body,
        }
        for path, option in OPTIONS[kind].items():
            if option not in _SECRET and option in self.options:
                _put(body, path.split("."), self._one(option))
        for option, wire in _TIMES.items():
            if option in self.options:
                self._time(body, wire, f"--{option}", self._one(option) or "")
        self._specials(kind, body)
        properties["kustomizations"] = dict(self._row(it) for it in self.rows)
        self._rest()
        return Found(
            name=self._one("name") or "",
            properties=properties,
            cluster_id=self._cluster_id(),
            ignored=self.ignored,
        )

    def _split(self) -> None:
        """The words by their options; --kustomization may stand several times."""
        current: list[Word] | None = None
        for word in self.words:
            option, sign, value = word.text.partition("=")
            name = _SHORT.get(option) or (option[2:] if option.startswith("--") else "")
            if not name and len(option) > 2 and option[:2] in _SHORT:  # -nNAME
                name, sign, value = _SHORT[option[:2]], "=", word.text[2:]
            if name:
                name = _OTHER_NAMES.get(name, name)
                current = []
                if name == "kustomization":
                    self.rows.append(current)
                else:
                    self.options[name] = current
                if sign:
                    current.append(Word(value, word.is_open))
            elif current is not None:
                current.append(word)
            else:
                self._ignore(word.text, _("It belongs to no option."))

    def _one(self, option: str) -> str | None:
        words = self.options.get(option) or []
        return self._said(f"--{option}", words[0]) if words else None

    def _said(self, path: str, word: Word) -> str | None:
        if word.is_open:
            self._ignore(path, _("The shell fills it in: write the value itself."))
            return None
        return word.text

    def _flag(self, option: str) -> bool:
        words = self.options.get(option)
        return words is not None and (not words or words[0].text.lower() in {"true", "yes", "1"})

    def _specials(self, kind: str, body: dict[str, Any]) -> None:
        for option, path in _FLAGS.items():
            if option in self.options:
                _put(body, list(path), self._flag(option))
        if kind == "Bucket":
            body.setdefault("insecure", False)  # the command line's default; ARM's is true
        if kind == "GitRepository" and (provider := self._one("provider")):
            body["provider"] = {"azure": "Azure", "generic": "Generic"}.get(provider, provider)
        if kind == "OCIRepository":
            pairs = [it.text.partition("=") for it in self.options.get("verification-config", [])]
            if pairs:
                _put(body, ["verify", "verificationConfig"], {key: it for key, _s, it in pairs})
            for word in self.options.get("match-oidc-identity", []):
                self._identity(body, word.text)

    def _identity(self, body: dict[str, Any], text: str) -> None:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            self._ignore("--match-oidc-identity", _("It is no JSON."))
            return
        body.setdefault("verify", {}).setdefault("matchOidcIdentity", []).append(value)

    def _row(self, words: list[Word]) -> tuple[str, dict[str, Any]]:
        """One --kustomization: key=value words."""
        name = ""
        entry: dict[str, Any] = {}
        for word in words:
            key, sign, value = word.text.partition("=")
            path = f"--kustomization {key}"
            if not sign:
                self._ignore(f"--kustomization {word.text}", _("It is no key=value."))
            elif self._said(path, word) is None:
                continue
            elif key == "name":
                name = value
            elif key == "path":
                entry["path"] = value
            elif key in _ROW_DEPENDS:
                entry["dependsOn"] = list(_names(value))
            elif key in _ROW_TIMES:
                self._time(entry, _ROW_TIMES[key], path, value)
            elif key in {"prune", "force"}:
                entry[key] = value.lower() not in {"false", ""}
            elif key in {"disable_health_check", "disableHealthCheck"}:
                entry["wait"] = value.lower() != "true"
            else:
                self._ignore(path, _("A configuration of Azure has no field for it."))
        return name, entry

    def _time(self, part: dict[str, Any], wire: str, path: str, text: str) -> None:
        number = int(text) if text.isdecimal() and len(text) < 9 else seconds(text)
        if number is None:
            self._ignore(path, _("It is no duration such as 10m."))
        else:
            part[wire] = number

    def _rest(self) -> None:
        """What is told of the options that nothing above has taken."""
        known = {it for options in OPTIONS.values() for it in options.values()} - _SECRET
        known |= {"scope", "namespace", "kind", "suspend", "provider", "verification-config",
                  "match-oidc-identity", *_TIMES, *_FLAGS, *_PLACE, *_SILENT}  # fmt: skip
        for option in self.options:
            if option in _SECRET:
                self.ignored.append(secret_left_out(f"--{option}"))
            elif option in _FILES:
                self._ignore(f"--{option}", _("The file is not here: paste what is in it."))
            elif option not in known:
                self._ignore(f"--{option}", _("This option is not known here."))

    def _cluster_id(self) -> str:
        """The cluster's ARM id; without a subscription, from its group on."""
        provider = _PROVIDERS.get((self._one("cluster-type") or "").lower())
        group, name = self._one("resource-group"), self._one("cluster-name")
        if not (provider and group and name):
            return ""
        subscription = self._one("subscription")
        root = f"/subscriptions/{subscription}" if subscription else ""
        return f"{root}/resourceGroups/{group}/providers/{provider}/{name}"

    def _ignore(self, path: str, why: str) -> None:
        it = Ignored(path, why)
        if it not in self.ignored:
            self.ignored.append(it)


def _names(value: str) -> Iterator[str]:
    """a,b or [a, b] or ["a","b"]."""
    inner = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    for it in inner.split(","):
        name = it.strip().strip("\"'")
        if name:
            yield name


def _put(part: dict[str, Any], path: list[str], value: Any) -> None:
    if value is None:
        return
    for key in path[:-1]:
        part = part.setdefault(key, {})
    part[path[-1]] = value
