"""Read configurations from Flux's own objects, as YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from django.utils.translation import gettext as _

from configurations.faces.cleaning import (
    BringInError,
    BroughtIn,
    Found,
    Ignored,
    cleaned,
    secret_left_out,
)
from configurations.specification.models import SOURCE_BODIES

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|h|m|s))+")
_SECRET_REFS = ("secretRef", "certSecretRef")
_PROVIDERS = {"azure": "Azure", "github": "GitHub", "generic": "Generic"}

Object = Mapping[str, Any]


class _Loader(yaml.SafeLoader):
    """No aliases, which can make a small text endless, and no dates: a tag may look like one."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("alias")
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [it for it in resolvers if it[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def from_flux_yaml(text: str) -> list[BroughtIn]:
    """A configuration for each source, with the Kustomizations that take it.

    A Kustomization called <source>-<name> is called <name>, as Azure's agent writes it.
    """
    objects = [it for document in _documents(text) for it in _flat(document)]
    kustomizations = [it for it in objects if _kind(it) == "Kustomization" and _spec(it)]
    sources = [it for it in objects if _kind(it) in ("GitRepository", "Bucket", "OCIRepository")]
    used: set[int] = set()
    found: list[Found] = []
    for source in sources:
        own = [it for it in kustomizations if _takes(it, source)]
        used |= {id(source), *map(id, own)}
        found.append(_configuration(source, own))
    if not found:
        raise BringInError(_("There is no source of Flux in it."))
    for it in objects:
        if id(it) not in used and _kind(it) != "Namespace":
            why = _("It is no part of a configuration: keep it in the source.")
            found[0].ignored.append(Ignored(_title(it), why))
    return [cleaned(it) for it in found]


def seconds(value: Any) -> int | None:
    """Whole seconds of a Go duration; None where it is none. Less than a second is one."""
    text = str(value)
    if len(text) > 40 or not _DURATION.fullmatch(text):
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return max(1, round(total)) if total else 0


# --- Documents ------------------------------------------------------------------------------
def _documents(text: str) -> list[Any]:
    try:
        return list(yaml.load_all(text, Loader=_Loader))
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        raise BringInError(
            _("This is no YAML: see line %(line)d.") % {"line": mark.line + 1}
            if mark is not None
            else _("This is no YAML.")
        ) from error


def _flat(document: Any) -> Iterator[Object]:
    """The objects of a document; a List holds several."""
    if isinstance(document, Mapping):
        items = document.get("items")
        if document.get("kind") == "List" and isinstance(items, list):
            yield from (it for it in items if isinstance(it, Mapping))
        else:
            yield document


def _kind(it: Object) -> str:
    group = str(it.get("apiVersion", "")).split("/")[0]
    kind = str(it.get("kind", ""))
    groups = {
        "Kustomization": "kustomize.toolkit.fluxcd.io",
        "GitRepository": "source.toolkit.fluxcd.io",
        "OCIRepository": "source.toolkit.fluxcd.io",
        "Bucket": "source.toolkit.fluxcd.io",
    }
    return kind if groups.get(kind, group) == group else f"{kind}.{group}"


def _meta(it: Object, key: str) -> str:
    metadata = it.get("metadata")
    return str(metadata.get(key) or "") if isinstance(metadata, Mapping) else ""


def _spec(it: Object) -> dict[str, Any]:
    spec = it.get("spec")
    return dict(spec) if isinstance(spec, Mapping) else {}


def _title(it: Object) -> str:
    namespace = _meta(it, "namespace")
    name = _meta(it, "name")
    return (
        f"{it.get('kind') or '?'} {namespace}/{name}" if namespace else f"{it.get('kind')} {name}"
    )


def _takes(kustomization: Object, source: Object) -> bool:
    reference = _spec(kustomization).get("sourceRef")
    return (
        isinstance(reference, Mapping)
        and reference.get("kind") == _kind(source)
        and reference.get("name") == _meta(source, "name")
        and (reference.get("namespace") or _meta(kustomization, "namespace"))
        == _meta(source, "namespace")
    )


# --- One configuration ----------------------------------------------------------------------
def _configuration(source: Object, kustomizations: list[Object]) -> Found:
    name, ignored = _meta(source, "name"), []
    spec = _spec(source)
    kind, body = _source(_kind(source), spec)
    suspended = [_take(spec, "suspend") is True]
    entries: dict[str, Any] = {}
    for it in kustomizations:
        inner = _spec(it)
        suspended.append(_take(inner, "suspend") is True)
        entries[_short(_meta(it, "name"), name)] = _kustomization(inner, name)
        ignored += _left(_title(it), inner)
    if any(suspended) and not all(suspended):
        why = _("Azure suspends all of a configuration or nothing: nothing is suspended.")
        ignored.append(Ignored("suspend", why))
    return Found(
        name=name,
        properties={
            "namespace": _meta(source, "namespace") or "default",
            "sourceKind": kind,
            SOURCE_BODIES[kind]: body,
            "suspend": all(suspended),
            "kustomizations": entries,
        },
        ignored=[*_left(_title(source), spec), *ignored],
    )


def _left(title: str, spec: dict[str, Any]) -> list[Ignored]:
    """What nobody took."""
    unknown = _("A configuration of Azure has no field for it.")
    places = {key: f"{title} spec.{key}" for key in spec}
    return [
        secret_left_out(place) if key in _SECRET_REFS else Ignored(place, unknown)
        for key, place in places.items()
    ]


def _take(spec: dict[str, Any], key: str) -> Any:
    return spec.pop(key, None)


def _short(name: str, configuration: str) -> str:
    return name.removeprefix(f"{configuration}-") or name


def _times(spec: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The times that are durations; others stay, to be told."""
    return {
        wire: seconds(spec.pop(key))
        for key, wire in names.items()
        if key in spec and seconds(spec[key]) is not None
    }


def _source(kind: str, spec: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    times = {"interval": "syncIntervalInSeconds", "timeout": "timeoutInSeconds"}
    body: dict[str, Any] = _times(spec, times)
    secret = spec.get("secretRef")
    name = secret.get("name") if isinstance(secret, Mapping) else None
    if isinstance(name, str) and not name.endswith("-protected-parameters"):
        body["localAuthRef"] = name
        del spec["secretRef"]
    if kind == "Bucket":
        return _bucket(spec, body)
    body["url"] = _take(spec, "url")
    reference = spec.get("ref")
    if isinstance(reference, Mapping):
        known = ("branch", "tag", "semver", "commit", "digest")
        body["repositoryRef"] = {key: str(reference[key]) for key in known if reference.get(key)}
        spec["ref"] = {key: it for key, it in reference.items() if key not in known}
        if not spec["ref"]:
            del spec["ref"]
    if kind == "OCIRepository":
        return _oci(spec, body)
    if str(spec.get("provider")) in _PROVIDERS:
        body["provider"] = _PROVIDERS[_take(spec, "provider")]
    return kind, body


def _bucket(spec: dict[str, Any], body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    endpoint, container = _take(spec, "endpoint"), _take(spec, "bucketName")
    provider = spec.get("provider", "generic")
    if provider in ("azure", "generic"):
        spec.pop("provider", None)
    if provider == "azure":
        return "AzureBlob", {**body, "url": endpoint, "containerName": container}
    insecure = _take(spec, "insecure") is True
    scheme = "http" if insecure else "https"
    url = f"{scheme}://{endpoint}" if isinstance(endpoint, str) else endpoint
    return "Bucket", {**body, "url": url, "bucketName": container, "insecure": insecure}


def _oci(spec: dict[str, Any], body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    for key in ("layerSelector", "serviceAccountName"):
        if key in spec:
            body[key] = _take(spec, key)
    if "insecure" in spec:
        body["insecure"] = _take(spec, "insecure")
    if spec.get("provider") in ("azure", "generic"):
        body["useWorkloadIdentity"] = _take(spec, "provider") == "azure"
    verify = spec.get("verify")
    if isinstance(verify, Mapping):
        inner = dict(verify)
        body["verify"] = {
            wire: inner.pop(key)
            for key, wire in (("provider", "provider"), ("matchOIDCIdentity", "matchOidcIdentity"))
            if key in inner
        }
        spec["verify"] = inner
        if not inner:
            del spec["verify"]
    return "OCIRepository", body


def _kustomization(spec: dict[str, Any], configuration: str) -> dict[str, Any]:
    """The entry; what it takes leaves `spec`. Flux's wait is off where Azure's is on."""
    spec.pop("sourceRef", None)
    times = {
        "interval": "syncIntervalInSeconds",
        "timeout": "timeoutInSeconds",
        "retryInterval": "retryIntervalInSeconds",
    }
    entry: dict[str, Any] = _times(spec, times)
    if "path" in spec:
        entry["path"] = _take(spec, "path")
    for flag in ("prune", "force", "wait"):
        entry[flag] = spec.pop(flag, False)
    wanted = spec.get("dependsOn")
    if isinstance(wanted, list) and all(
        isinstance(it, Mapping) and set(it) <= {"name"} for it in wanted
    ):
        entry["dependsOn"] = [_short(str(it.get("name", "")), configuration) for it in wanted]
        del spec["dependsOn"]
    post_build = spec.get("postBuild")
    if isinstance(post_build, Mapping) and set(post_build) <= {"substitute", "substituteFrom"}:
        entry["postBuild"] = _take(spec, "postBuild")
    return entry
