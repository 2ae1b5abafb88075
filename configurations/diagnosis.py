"""Why a configuration is not compliant: which object is the cause, which ones only wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configurations.models import Compliance, Configuration, ObjectStatus
from configurations.reading import FAILED
from configurations.rulebook import Advice, advice_for

# These say that something else is not ready; whoever waits is never the cause.
WAITING_REASONS = frozenset({"DependencyNotReady", "SourceNotReady"})
_SOURCES = frozenset({"GitRepository", "OCIRepository", "Bucket"})


@dataclass(frozen=True)
class Diagnosis:
    """`roots` are the true causes, worst first; `waiting` maps a status id to whom it waits for.

    `message` is Flux's or Azure's own text, whole; "" where there is nothing to explain.
    """

    roots: tuple[ObjectStatus, ...]
    waiting: dict[int, str]
    message: str
    advice: Advice | None


def diagnose(configuration: Configuration, statuses: Sequence[ObjectStatus]) -> Diagnosis:
    """What is wrong with this configuration, from its rows alone."""
    causes = roots_of(statuses)
    waiting = {
        it.pk: blocker_of(it, statuses, configuration.name)
        for it in statuses
        if it.reason in WAITING_REASONS and it.compliance == Compliance.NON_COMPLIANT
    }
    message = configuration.error_message
    if causes and configuration.provisioning_state not in FAILED:
        message = causes[0].message
    advice = advice_for(message, reason=causes[0].reason if causes else "")
    return Diagnosis(
        roots=tuple(causes),
        waiting=waiting,
        message=message,
        advice=advice if message else None,
    )


def roots_of(statuses: Sequence[ObjectStatus]) -> list[ObjectStatus]:
    """The failing objects that nothing else failing explains: sources first, then the deepest.

    A Kustomization whose health check fails because of a HelmRelease that it applied is not the
    cause; the HelmRelease is.
    """
    failing = [
        it
        for it in statuses
        if it.compliance == Compliance.NON_COMPLIANT and it.reason not in WAITING_REASONS
    ]
    parents = {it.applied_by for it in failing if it.applied_by}
    deepest = [
        it
        for it in failing
        if not (it.kind == "Kustomization" and f"{it.namespace}/{it.name}" in parents)
    ]
    return sorted(deepest or failing, key=lambda it: (it.kind not in _SOURCES, it.position))


def cause_of(name: str, properties: Mapping[str, Any], statuses: Sequence[ObjectStatus]) -> str:
    """The row's one line: "nginx: Helm install failed …"; "" where nothing is wrong."""
    if properties.get("provisioningState") in FAILED and properties.get("errorMessage"):
        return _one_line(str(properties["errorMessage"]))
    found = roots_of(statuses)
    if not found:
        found = [it for it in statuses if it.compliance == Compliance.NON_COMPLIANT]
    if not found:
        return ""
    root = found[0]
    return _one_line(f"{short_name(root, name)}: {root.message or root.reason}")


def short_name(status: ObjectStatus, configuration_name: str) -> str:
    """A Kustomization without the configuration's name, which Azure puts before it."""
    prefix = f"{configuration_name}-"
    if configuration_name and status.kind == "Kustomization":
        return status.name.removeprefix(prefix)
    return status.name


def blocker_of(
    status: ObjectStatus, statuses: Sequence[ObjectStatus], configuration_name: str
) -> str:
    """The short name of whom it waits for, as far as its message says; else ""."""
    for other in statuses:
        if other.pk != status.pk and f"{other.namespace}/{other.name}'" in status.message:
            return short_name(other, configuration_name)
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
