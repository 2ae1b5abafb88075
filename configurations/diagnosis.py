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
_NO_ARTIFACT = "Source artifact not found"  # kustomize-controller, before the first fetch


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
        if it.compliance == Compliance.NON_COMPLIANT and _waits(it, statuses)
    }
    message = configuration.error_message
    if causes and configuration.provisioning_state not in FAILED:
        message = causes[0].message
    advice = advice_for(message, reason=causes[0].reason if causes else "")
    if advice is None and causes and (known := advice_for(causes[0].message)):
        # Azure failed the write without a word that helps; what Flux says does.
        message, advice = causes[0].message, known
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
        if it.compliance == Compliance.NON_COMPLIANT and not _waits(it, statuses)
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
    source = _failing_source(statuses)
    if source is not None and status.message.startswith(_NO_ARTIFACT):
        return short_name(source, configuration_name)
    return ""


def _waits(status: ObjectStatus, statuses: Sequence[ObjectStatus]) -> bool:
    """Whether it only says that something else is not ready."""
    if status.reason in WAITING_REASONS:
        return True
    return status.message.startswith(_NO_ARTIFACT) and _failing_source(statuses) is not None


def _failing_source(statuses: Sequence[ObjectStatus]) -> ObjectStatus | None:
    return next(
        (
            it
            for it in statuses
            if it.kind in _SOURCES and it.compliance == Compliance.NON_COMPLIANT
        ),
        None,
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
