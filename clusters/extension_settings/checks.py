"""Which settings may be changed to what on this cluster, and what of a form is a change."""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.utils.translation import gettext as _

from clusters.extension_settings.catalogue import CATALOGUE, CONTROLLERS, Setting, setting_of
from clusters.extension_settings.values import Cpu, Memory
from clusters.extension_settings.versions import is_older
from clusters.models import Cluster

_KEY = re.compile(r"[A-Za-z0-9][\w.-]{0,252}", re.ASCII)
LONGEST_VALUE = 4096  # characters; a bound of ours
Asked = Mapping[str, str | None]  # None takes the key away


def difference(current: Mapping[str, str], typed: Mapping[str, str]) -> dict[str, str | None]:
    """What of `typed` is not so already; keys that are not in `typed` stay as they are.

    An emptied setting goes back to its default by naming it, because what a null does to a key of
    this map is not documented. Only a key without a known default is taken away with null.
    """
    found: dict[str, str | None] = {}
    for key, text in typed.items():
        setting = setting_of(key)
        before = current.get(key)
        if setting is None:
            wanted: str | None = text or None
        else:
            wanted = setting.value.canonical(text) if text else setting.default or None
            before = setting.value.canonical(before) if before is not None else None
        if before is None and (not text or wanted is None):
            continue
        if wanted != before:
            found[key] = wanted
    return found


def unavailable(setting: Setting, *, version: str, cluster_kind: str) -> str:
    """Why the setting cannot be used there, for people; "" where it can.

    A version that is not known (an extension that still installs) rules nothing out.
    """
    if cluster_kind not in setting.kinds:
        names = ", ".join(Cluster.Kind(kind).label for kind in sorted(setting.kinds, reverse=True))
        return _("Only for clusters of kind %(kinds)s.") % {"kinds": names}
    since = setting.since_for(cluster_kind)
    if is_older(version, since):
        return _("Needs version %(since)s; %(version)s is installed.") % {
            "since": since,
            "version": version,
        }
    return ""


def refusals(
    asked: Asked, *, current: Mapping[str, str], version: str, cluster_kind: str
) -> dict[str, str]:
    """Key → reason for people, for each asked setting that is refused; empty where none is."""
    found: dict[str, str] = {}
    for key, value in asked.items():
        setting = setting_of(key)
        if setting is not None and key in current and value in {None, setting.default}:
            continue  # going back to the default from what was set elsewhere is always right
        reason = _refusal(key, value, version, cluster_kind)
        if reason:
            found[key] = reason
    after = {**current, **{key: value for key, value in asked.items() if value is not None}}
    for key in (key for key, value in asked.items() if value is None):
        after.pop(key, None)
    for key, reason in _together(after).items():
        # What stands there already is not this change's fault.
        if set(_partners(key)) & set(asked):
            found.setdefault(key, reason)
    return found


def _refusal(key: str, value: str | None, version: str, cluster_kind: str) -> str:
    setting = setting_of(key)
    if setting is None:
        if not _KEY.fullmatch(key):
            return _("A key has letters, digits, dots and hyphens.")
        too_long = value is not None and len(value) > LONGEST_VALUE
        return _("The value is too long.") if too_long else ""
    if value is None:
        return ""
    reason = unavailable(setting, version=version, cluster_kind=cluster_kind)
    return reason or setting.value.problem(value)


def _together(settings: Mapping[str, str]) -> dict[str, str]:
    """What single values do not show: limits below requests, an identity without its id."""
    found: dict[str, str] = {}
    kinds: tuple[tuple[str, Memory | Cpu], ...] = (("memory", Memory()), ("cpu", Cpu()))
    for name in CONTROLLERS:
        for resource, value in kinds:
            limit_key, request_key = (
                f"{name}.resources.{part}.{resource}" for part in ("limits", "requests")
            )
            limit, request = (
                value.amount(settings.get(key) or _default(key)) for key in (limit_key, request_key)
            )
            if limit is not None and request is not None and limit < request:
                found[limit_key] = _("The limit is below the request.")
    enabled = settings.get("workloadIdentity.enable", "").lower() == "true"
    if enabled and not settings.get("workloadIdentity.azureClientId"):
        found["workloadIdentity.azureClientId"] = _("Workload identity needs the client id.")
    return found


def _partners(key: str) -> tuple[str, ...]:
    """The keys that a rule of `_together` looks at."""
    if key == "workloadIdentity.azureClientId":
        return key, "workloadIdentity.enable"
    return key, key.replace(".limits.", ".requests.")


def _default(key: str) -> str:
    setting = setting_of(key)
    return setting.default if setting is not None else ""


def is_on(settings: Mapping[str, str], key: str) -> bool:
    """Whether a switch is on, by what is set or else by its default."""
    return (settings.get(key) or _default(key)).lower() == "true"


def in_catalogue(settings: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Settings parted into those that the catalogue knows and the others."""
    known = {setting.key for setting in CATALOGUE}
    return (
        {key: value for key, value in settings.items() if key in known},
        {key: value for key, value in settings.items() if key not in known},
    )
