"""Compare extensions by what people decide of them, and say what a write leaves behind.

An update is a PATCH (azure-contract 3.3: `az k8s-extension update` sends one). Azure documents that
"only the settings that require an update need to be provided", so settings merge by key, and a
PATCH keeps the protected settings, which nobody can read back and a PUT would wipe. Not verified
against Azure: what a null does to one key of configurationSettings (JSON merge patch takes it
away), and whether turning automatic upgrades on again forgets the pinned version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from changes.content import digest_of
from changes.diff import after
from changes.kinds import Step, Wire
from clusters.models import Extension

STABLE = "Stable"
_SHOWN = (
    "extensionType",
    "autoUpgradeMinorVersion",
    "autoUpgradeMode",
    "releaseTrain",
    "version",
    "currentVersion",
)
PATCH, COMPATIBLE = "patch", "compatible"  # autoUpgradeMode; Azure's default is the second


def decided(resource: Mapping[str, Any]) -> dict[str, Any]:
    """What of an extension people decide: type, train, upgrades, settings, and the version where
    it is pinned. Where Azure upgrades by itself the version is its own affair."""
    properties = resource.get("properties") or {}
    settings = properties.get("configurationSettings") or {}
    automatic = properties.get("autoUpgradeMinorVersion") is not False
    result: dict[str, Any] = {
        "extensionType": str(properties.get("extensionType") or "").lower(),
        "autoUpgradeMinorVersion": automatic,
        "releaseTrain": str(properties.get("releaseTrain") or STABLE).lower(),
        "configurationSettings": {
            str(key): str(value) for key, value in settings.items() if value is not None
        },
    }
    if automatic:
        result["autoUpgradeMode"] = mode_of(properties)
    else:
        result["version"] = str(properties.get("version") or "")
    return result


def mode_of(properties: Mapping[str, Any]) -> str:
    """Which versions Azure brings by itself; older interfaces, and most answers, leave it out."""
    return str(properties.get("autoUpgradeMode") or COMPATIBLE).lower()


def live_digest(resource: Mapping[str, Any] | None) -> str:
    """The digest of what people decide; "" where there is no extension."""
    return digest_of(decided(resource)) if resource is not None else ""


def is_installed_as(body: Mapping[str, Any], resource: Mapping[str, Any]) -> bool:
    """Whether any instance of the type, with at least these settings, is there."""
    want, have = decided(body), decided(resource)
    return (
        want["extensionType"] == have["extensionType"]
        and _has_settings(want, have)
        and ("version" not in want or want["version"] == have.get("version"))
        and want.get("autoUpgradeMode") in {None, COMPATIBLE, have.get("autoUpgradeMode")}
    )


def is_updated_as(step: Step, resource: Mapping[str, Any]) -> bool:
    """Whether the resource is what the step's patch makes of its base; settings that are neither
    in the base nor in the patch are Azure's own defaults."""
    wanted = after(step)
    if wanted is None:
        return False
    want, have = decided(wanted), decided(resource)
    asked = ((step.body or {}).get("properties") or {}).get("configurationSettings") or {}
    dropped = {key for key, value in asked.items() if value is None}
    return (
        {**want, "configurationSettings": {}} == {**have, "configurationSettings": {}}
        and _has_settings(want, have)
        and not dropped & set(have["configurationSettings"])
    )


def _has_settings(want: Mapping[str, Any], have: Mapping[str, Any]) -> bool:
    settings = have["configurationSettings"]
    return all(settings.get(key) == value for key, value in want["configurationSettings"].items())


def base_of(extension: Extension) -> Wire:
    """The extension as it was seen last, without what is only reported: the left of the diff."""
    seen = extension.observed.get("properties") or {}
    properties = {name: seen[name] for name in _SHOWN if seen.get(name) is not None}
    properties.setdefault("extensionType", "microsoft.flux")
    properties.setdefault("autoUpgradeMinorVersion", extension.auto_upgrade)
    properties.setdefault("releaseTrain", extension.release_train or STABLE)
    if extension.version:
        properties.setdefault("version", extension.version)
    properties["configurationSettings"] = dict(extension.settings)
    return {"properties": properties}


def installed_version(resource: Mapping[str, Any] | None) -> str:
    """The version that runs, or else the one that is held to."""
    properties = (resource or {}).get("properties") or {}
    return str(properties.get("currentVersion") or properties.get("version") or "")
