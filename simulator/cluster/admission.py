"""What the API server finds wrong with an object: names, missing fields, changes of fixed fields.

Only what authors of manifests stumble over is checked; the texts are those of Kubernetes.
"""

from __future__ import annotations

import re
from typing import Any

from .objects import Manifest, group_of, is_subdomain_name
from .resources import HELM_GROUP, KUSTOMIZE_GROUP, SOURCE_GROUP

_SUBDOMAIN_HELP = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    r"for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_SELECTED = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
_REQUIRED: dict[tuple[str, str], tuple[str, ...]] = {
    (SOURCE_GROUP, "GitRepository"): ("interval", "url"),
    (SOURCE_GROUP, "OCIRepository"): ("interval", "url"),
    (SOURCE_GROUP, "HelmRepository"): ("url",),
    (SOURCE_GROUP, "Bucket"): ("bucketName", "endpoint", "interval"),
    (SOURCE_GROUP, "HelmChart"): ("chart", "interval", "sourceRef"),
    (KUSTOMIZE_GROUP, "Kustomization"): ("interval", "prune", "sourceRef"),
    (HELM_GROUP, "HelmRelease"): ("interval",),
    ("batch", "Job"): ("template",),
} | {("apps", kind): ("selector", "template") for kind in _SELECTED}
# References inside of a spec, and what each must have.
_REFERENCES = (
    ("sourceRef", ("kind", "name")),
    ("chart.spec", ("chart", "sourceRef")),
    ("chart.spec.sourceRef", ("name",)),
)
_DURATIONS = ("interval", "timeout", "retryInterval")
_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+")
_DURATION_TEXT = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
_FLUX = (SOURCE_GROUP, KUSTOMIZE_GROUP, HELM_GROUP)


def invalid(manifest: Manifest) -> str:
    """Return what is wrong with an object by itself; nothing when it can be taken."""
    group, name = group_of(manifest), str((manifest.get("metadata") or {}).get("name", ""))
    if group != "rbac.authorization.k8s.io" and not is_subdomain_name(name):
        return f'metadata.name: Invalid value: "{name}": {_SUBDOMAIN_HELP}'
    faults = _faults(manifest, group)
    return faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]" if faults else ""


def _faults(manifest: Manifest, group: str) -> list[str]:
    required = _REQUIRED.get((group, manifest["kind"]), ())
    spec = manifest.get("spec")
    if not isinstance(spec, dict):
        return ["spec: Required value"] if required else []
    faults = [f"spec.{field}: Required value" for field in required if spec.get(field) is None]
    if group not in _FLUX:
        return faults
    for path, fields in _REFERENCES:
        found = _at(spec, path)
        if isinstance(found, dict):
            missing = [field for field in fields if not found.get(field)]
            faults += [f"spec.{path}.{field}: Required value" for field in missing]
    for field in _DURATIONS:
        value = spec.get(field)
        if value is not None and not _DURATION.fullmatch(str(value)):
            help_text = f"spec.{field} in body should match '{_DURATION_TEXT}'"
            faults.append(f'spec.{field}: Invalid value: "{value}": {help_text}')
    return faults


def _at(spec: Manifest, path: str) -> Any:
    found: Any = spec
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def immutable_change(current: Manifest | None, wanted: Manifest) -> str:
    """Return what the API server says of a changed field that is set for good; else nothing."""
    if current is None:
        return ""
    kind = wanted["kind"]
    old, new = current.get("spec") or {}, wanted.get("spec") or {}
    if kind in _SELECTED and old.get("selector") != new.get("selector"):
        value = _selector_in_go(new.get("selector") or {})
        return f"spec.selector: Invalid value: {value}: field is immutable"
    if kind == "Job" and old.get("template") != new.get("template"):
        return "spec.template: Invalid value: core.PodTemplateSpec{...}: field is immutable"
    if kind in ("ConfigMap", "Secret") and current.get("immutable"):
        same = all(current.get(field) == wanted.get(field) for field in ("data", "binaryData"))
        return "" if same else "data: Forbidden: field is immutable when `immutable` is set"
    return ""


def _selector_in_go(selector: Manifest) -> str:
    labels = sorted((selector.get("matchLabels") or {}).items())
    pairs = ", ".join(f'"{name}":"{value}"' for name, value in labels)
    return (
        f"v1.LabelSelector{{MatchLabels:map[string]string{{{pairs}}}, "
        "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}"
    )
