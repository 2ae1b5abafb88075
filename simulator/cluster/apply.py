"""Server-side apply of built objects, with the refusals of the API server in Flux's words.

Rules: flux-behaviour section 3.4.
"""

from __future__ import annotations

from collections.abc import Iterable

from .access_rules import account_of, may_act, refusal
from .admission import immutable_change, invalid
from .objects import Manifest, ObjectKey, content, key_of
from .state import CONTROLLER_OF_GROUP, ClusterState
from .traits import webhook_fault

MANAGER = "kustomize-controller"
_OWN = "kustomize.toolkit.fluxcd.io"
_ORDER = (
    *("ClusterRoleBinding", "ResourceQuota", "ServiceAccount", "Role", "RoleBinding"),
    *("ConfigMap", "Secret", "Service", "LimitRange", "Deployment", "StatefulSet", "CronJob"),
    "PodDisruptionBudget",
)


class ApplyError(Exception):
    """The API server refused an object."""


def apply_all(
    state: ClusterState, owner: Manifest, objects: Iterable[Manifest]
) -> list[tuple[ObjectKey, str]]:
    """Apply objects stage by stage; return each with what became of it.

    Raises ApplyError; a stage with a refused object writes nothing, earlier stages stay.
    """
    done: list[tuple[ObjectKey, str]] = []
    for stage in _stages(objects):
        try:
            for manifest in stage:
                _check(state, owner, manifest)
        except ApplyError as failure:
            changed = [line for line in event_lines(done) if line]
            raise ApplyError("\n".join([str(failure), *changed])) from None
        done += [_write(state, owner, manifest) for manifest in stage]
    return done


def event_lines(done: Iterable[tuple[ObjectKey, str]]) -> list[str]:
    return [f"{key} {action}" for key, action in done if action not in ("unchanged", "skipped")]


def is_set(manifest: Manifest, name: str, value: str) -> bool:
    """Tell whether a label or annotation of kustomize-controller has a value."""
    metadata = manifest.get("metadata") or {}
    return any(
        str((metadata.get(where) or {}).get(f"{_OWN}/{name}", "")).lower() == value.lower()
        for where in ("labels", "annotations")
    )


def owner_labels(owner: Manifest) -> dict[str, str]:
    metadata = owner["metadata"]
    return {f"{_OWN}/name": metadata["name"], f"{_OWN}/namespace": metadata["namespace"]}


def _stages(objects: Iterable[Manifest]) -> list[list[Manifest]]:
    first, second, third = [], [], []
    for manifest in objects:
        kind = manifest.get("kind", "")
        if kind in ("CustomResourceDefinition", "Namespace", "ClusterRole"):
            first.append(manifest)
        elif kind.endswith("Class"):
            second.append(manifest)
        else:
            third.append(manifest)
    third.sort(key=_rank)
    return [stage for stage in (first, second, third) if stage]


def _rank(manifest: Manifest) -> tuple[int, ObjectKey]:
    kind = manifest.get("kind", "")
    if kind in _ORDER:
        return (_ORDER.index(kind), key_of(manifest))
    webhook = kind.endswith("WebhookConfiguration")
    return (len(_ORDER) + (1 if webhook else 0), key_of(manifest))


def _forced(owner: Manifest, manifest: Manifest) -> bool:
    return bool(owner["spec"].get("force")) or is_set(manifest, "force", "enabled")


def _check(state: ClusterState, owner: Manifest, manifest: Manifest) -> None:
    """Do what a dry run does: find out whether the object would be taken."""
    key = key_of(manifest)
    api_version = manifest.get("apiVersion", "")
    resource = state.store.registry.served(api_version, key.kind)
    if resource is None:
        text = f'no matches for kind "{key.kind}" in version "{api_version}"'
        raise ApplyError(f"{key} dry-run failed: {text}")
    if resource.namespaced and not key.namespace:
        text = "namespace not specified: the server could not find the requested resource"
        raise ApplyError(f"{key} {text}")
    account = account_of(state, owner)
    if account is not None and not may_act(state, account, key.namespace):
        text = refusal(account, "patch", resource, key.name, key.namespace)
        raise ApplyError(f"{key} dry-run failed (Forbidden): {text}")
    if resource.namespaced and not state.store.has_namespace(key.namespace):
        raise ApplyError(f'{key} not found: namespaces "{key.namespace}" not found')
    name = f"{key.kind}.{key.group}" if key.group else key.kind
    fault = invalid(manifest)
    if fault:
        text = f'{name} "{key.name}" is invalid: {fault}'
        raise ApplyError(f"{key} dry-run failed (Invalid): {text}")
    fault = webhook_fault(state)
    if fault:
        raise ApplyError(f"{key} dry-run failed (BadRequest): {fault}")
    fault = immutable_change(state.store.get(key), manifest)
    if fault and not _forced(owner, manifest):
        text = f'{name} "{key.name}" is invalid: {fault}'
        raise ApplyError(f"{key} dry-run failed (Invalid): {text}")


def _write(state: ClusterState, owner: Manifest, manifest: Manifest) -> tuple[ObjectKey, str]:
    key = key_of(manifest)
    current = state.store.get(key)
    if is_set(current or manifest, "reconcile", "disabled") or is_set(manifest, "ssa", "ignore"):
        return key, "skipped"
    if current is not None and is_set(manifest, "ssa", "ifnotpresent"):
        return key, "skipped"
    if immutable_change(current, manifest):
        state.store.delete(key)
    metadata = manifest["metadata"]
    labels = (metadata.get("labels") or {}) | owner_labels(owner)
    wanted = manifest | {"metadata": metadata | {"labels": labels}}
    if current is not None and is_set(manifest, "ssa", "merge"):
        wanted = _merged(content(current), wanted)
    action = state.store.apply(wanted, manager=MANAGER, now=state.now)
    if action != "unchanged" and key.group in CONTROLLER_OF_GROUP:
        state.start_over(wanted)
    return key, action


def _merged(current: Manifest, wanted: Manifest) -> Manifest:
    result = dict(current)
    for name, value in wanted.items():
        old = current.get(name)
        both = isinstance(value, dict) and isinstance(old, dict)
        result[name] = _merged(old, value) if both and old is not None else value
    return result
