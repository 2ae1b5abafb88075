"""Secrets taken out of a specification, with something to put in their place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from changes.faces import placeholder, words_of
from configurations.specification.models import SOURCE_BODIES, Specification
from configurations.specification.wire import SECRETS

_SECRET_FIELDS = SECRETS - {"configurationProtectedSettings"}
_SECRETS_IN = {
    "servicePrincipal": frozenset({"clientCertificate"}),
    "tlsConfig": frozenset({"clientCertificate", "privateKey", "caCertificate"}),
}
_VERBATIM = frozenset({"substitute", "verificationConfig"})  # maps whose keys are data
_BASE64 = frozenset({"clientCertificate", "privateKey", "caCertificate"})
_USERINFO = re.compile(r"^(?P<head>[a-z][a-z0-9+.-]*://[^/@\s:]*):[^/@\s]*@", re.IGNORECASE)


@dataclass(frozen=True)
class Secret:
    """Stands where a secret was. `name` is its field in ARM; `is_base64` says how ARM wants it."""

    name: str
    is_base64: bool = False

    @property
    def words(self) -> list[str]:
        return words_of(self.name)

    @property
    def placeholder(self) -> str:
        """ "<https-key>", to be replaced by hand."""
        return placeholder(self.name)

    @property
    def variable(self) -> str:
        """ "https_key", the name of a Terraform variable."""
        return "_".join(["secret", *self.words] if self.words[0][0].isdigit() else self.words)

    @property
    def parameter(self) -> str:
        """ "httpsKey", the name of an ARM or Bicep parameter."""
        first, *rest = self.variable.split("_")
        return first + "".join(it.capitalize() for it in rest)


@dataclass(frozen=True)
class Bare:
    """`properties` in ARM's names: nothing null, nothing empty, Secret objects for secrets."""

    properties: dict[str, Any]
    secrets: tuple[Secret, ...]
    password_in_url: bool  # somebody typed one; it is left out

    @property
    def kind(self) -> str:
        return str(self.properties.get("sourceKind") or "GitRepository")

    @property
    def source(self) -> dict[str, Any]:
        body = self.properties.get(SOURCE_BODIES.get(self.kind, ""))
        return body if isinstance(body, dict) else {}

    @property
    def kustomizations(self) -> dict[str, dict[str, Any]]:
        return self.properties.get("kustomizations") or {}


def bare(specification: Specification) -> Bare:
    """What every face says: the specification without its secrets."""
    secrets: dict[str, Secret] = {}
    url_masked: list[bool] = []

    def keep(name: str, is_base64: bool) -> Secret:
        return secrets.setdefault(name, Secret(name, is_base64))

    def walk(value: Any, inside: str) -> Any:
        if isinstance(value, Mapping):
            if set(value) == {"$secret"}:
                return keep(inside, False)
            if inside in _VERBATIM:
                return {str(key): it for key, it in value.items() if it is not None}
            return entries(value, inside)
        if isinstance(value, list):
            found = [walk(it, inside) for it in value]
            return [it for it in found if it is not None and it != {}]
        return value

    def entries(value: Mapping[str, Any], inside: str) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in value.items():
            if item is None or item == "":
                continue
            if inside == "configurationProtectedSettings":
                result[key] = keep(key, True)
                continue
            if key in _SECRET_FIELDS or key in _SECRETS_IN.get(inside, frozenset()):
                result[key] = keep(key, key in _BASE64)
                continue
            found = walk(item, key)
            if key == "url" and isinstance(found, str) and _USERINFO.match(found):
                found = _USERINFO.sub(r"\g<head>@", found)
                url_masked.append(True)
            # An entry of `kustomizations` without any field is a whole entry all the same.
            if inside == "kustomizations" or (found != {} and found != []):
                result[key] = found
        return result

    properties = entries(specification.to_wire(), "")
    for kind, body in SOURCE_BODIES.items():
        if body in properties and kind != (specification.source_kind or "GitRepository"):
            del properties[body]  # left over from another kind of source
    return Bare(properties, tuple(secrets.values()), bool(url_masked))
