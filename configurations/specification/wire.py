"""ARM's JSON brought into one form, so that two bodies can be compared and digested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from changes.content import digest_of
from configurations.specification.models import DEFAULT_SECONDS, SOURCE_BODIES

READ_ONLY = frozenset(
    {
        "statuses",
        "repositoryPublicKey",
        "sourceSyncedCommitId",
        "sourceUpdatedAt",
        "statusUpdatedAt",
        "complianceState",
        "provisioningState",
        "errorMessage",
    }
)
SECRETS = frozenset(
    {
        "configurationProtectedSettings",
        "accountKey",
        "sasToken",
        "clientSecret",
        "clientCertificatePassword",
    }
)
"""Never echoed by ARM; `clientCertificate` of a service principal and `privateKey` below."""
_SECRETS_IN = {
    "servicePrincipal": frozenset({"clientCertificate"}),
    "tlsConfig": frozenset({"clientCertificate", "privateKey", "caCertificate"}),
}
# For ARM, false and absent are the same but here, where the default is true (or not ours to say).
_FALSE_MEANS_FALSE = frozenset({"wait", "insecure"})
_VERBATIM = frozenset({"substitute", "verificationConfig"})  # maps whose keys are data
_DEFAULTS: dict[str, Any] = {
    "scope": "cluster",
    "namespace": "default",
    "sourceKind": "GitRepository",
    "suspend": False,
    "waitForReconciliation": False,
}
_TIMES = {"timeoutInSeconds": DEFAULT_SECONDS, "syncIntervalInSeconds": DEFAULT_SECONDS}
_SOURCE_DEFAULTS: dict[str, dict[str, Any]] = {
    "gitRepository": {**_TIMES},
    "bucket": {**_TIMES, "insecure": True},
    "azureBlob": {**_TIMES},
    "ociRepository": {**_TIMES, "insecure": False, "useWorkloadIdentity": False},
}
_KUSTOMIZATION_DEFAULTS = {**_TIMES, "prune": False, "force": False, "wait": True}


def desired_part(properties: Mapping[str, Any]) -> dict[str, Any]:
    """`properties` without what only ARM writes; otherwise as it is."""
    part = {key: value for key, value in properties.items() if key not in READ_ONLY}
    kustomizations = part.get("kustomizations")
    if isinstance(kustomizations, Mapping):
        part["kustomizations"] = {
            name: {key: value for key, value in it.items() if key != "name"}
            if isinstance(it, Mapping)
            else it
            for name, it in kustomizations.items()
        }
    return part


def spoken(properties: Mapping[str, Any]) -> dict[str, Any]:
    """`properties` without what says nothing: nulls at every level, no protected settings.

    ARM answers with a null for each field that it knows; a body means the same without them.
    """
    part = _without_nulls(properties)
    if not part.get("configurationProtectedSettings", True):
        del part["configurationProtectedSettings"]
    return part


def _without_nulls(value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nulls(item) if isinstance(item, Mapping) else item
        for key, item in value.items()
        if item is not None
    }


def normalised(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The desired part in one form: defaults filled, nothing empty, order fixed, no secrets.

    Two values with equal results mean the same to ARM and Flux. Defaults: ARM schema 2025-04-01.
    """
    part = {**_DEFAULTS, **_filled(desired_part(properties))}
    for body, defaults in _SOURCE_DEFAULTS.items():
        if isinstance(part.get(body), Mapping):
            # Another kind's empty object, left behind by a migration, says nothing.
            part[body] = {**defaults, **part[body]}
    for kind, body in SOURCE_BODIES.items():
        given = isinstance(properties.get(body), Mapping)
        if kind == part["sourceKind"] and body not in part and given:
            part[body] = dict(_SOURCE_DEFAULTS[body])
    part["kustomizations"] = {
        name: _kustomization(value)
        for name, value in sorted(_mapping(properties.get("kustomizations")).items())
        if isinstance(value, Mapping)
    }
    return part


def live_digest(properties: Mapping[str, Any] | None) -> str:
    """SHA-256 in lower-case hex of a live resource's desired part; "" where there is none."""
    return "" if properties is None else digest_of(normalised(properties))


def equal_to_desired(body: Mapping[str, Any], live: Mapping[str, Any] | None) -> bool:
    """Whether the live properties already are what the properties of `body` ask for."""
    return live is not None and live_digest(body) == live_digest(live)


def merged(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with a JSON merge patch (RFC 7396) applied."""
    result = dict(base)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            below = result.get(key)
            result[key] = merged(below if isinstance(below, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def merge_patch(base: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch (RFC 7396) that turns `base` into `wanted`."""
    patch: dict[str, Any] = {key: None for key in base if key not in wanted}
    for key, value in wanted.items():
        below = base.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            inner = merge_patch(below, value)
            if inner:
                patch[key] = inner
        elif key not in base or below != value:
            patch[key] = value
    return {key: value for key, value in patch.items() if value is not None or key in base}


def differing_fields(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[str]:
    """Dotted paths where two normalised values differ, sorted."""
    found: list[str] = []
    for key in left.keys() | right.keys():
        one, other = left.get(key), right.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += [f"{key}.{path}" for path in differing_fields(one, other)]
        elif one != other:
            found.append(key)
    return sorted(found)


def _kustomization(value: Mapping[str, Any]) -> dict[str, Any]:
    part = {**_KUSTOMIZATION_DEFAULTS, **_filled({k: v for k, v in value.items() if k != "name"})}
    if isinstance(part.get("dependsOn"), list):
        part["dependsOn"] = sorted(set(map(str, part["dependsOn"])))
    return part


def _filled(value: Mapping[str, Any], inside: str = "") -> dict[str, Any]:
    """Without secrets and without anything empty (null, "", false, {}, []), at every level."""
    hidden = SECRETS | _SECRETS_IN.get(inside, frozenset())
    result = {}
    for key, item in value.items():
        if key in hidden:
            continue
        if isinstance(item, Mapping) and key not in _VERBATIM:
            item = _filled(item, key)
        elif isinstance(item, list):
            item = [_filled(it, key) if isinstance(it, Mapping) else it for it in item]
        if not _is_empty(key, item):
            result[key] = item
    return result


def _is_empty(key: str, item: object) -> bool:
    if item is False:
        return key not in _FALSE_MEANS_FALSE
    return item is None or item == "" or item == {} or item == []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
