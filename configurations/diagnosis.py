"""Why a configuration is not compliant: which object is the cause, which ones only wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from clusters.cluster_symptoms import CLUSTER_SYMPTOMS, place_of, reach_of
from clusters.models import Extension
from clusters.rulebook import Symptom, Words, command_of, first_of
from configurations.models import Compliance, Configuration, ObjectStatus
from configurations.reading import FAILED, kustomizations_of
from configurations.rulebook import advice_for
from configurations.wizard.local_secret import content_of

# These say that something else is not ready; whoever waits is never the cause.
WAITING_REASONS = frozenset({"DependencyNotReady", "SourceNotReady"})
_SOURCES = frozenset({"GitRepository", "OCIRepository", "Bucket"})
_NO_ARTIFACT = "Source artifact not found"  # kustomize-controller, before the first fetch
_ABSENT = ("' not found:", "unable to get '")  # what is waited for does not exist
_UNREAD = ("has not been reconciled", "not have an artifact", "no artifact available")
_TAKEN_BACK = ("RollbackSucceeded", "UninstallSucceeded", "RollbackFailed", "UninstallFailed")


@dataclass(frozen=True)
class Finding:
    """What explains a state best: its text, whole, and the rule book's entry for it."""

    roots: tuple[ObjectStatus, ...] = ()
    message: str = ""
    reason: str = ""
    advice: Symptom | None = None


@dataclass(frozen=True)
class Diagnosis:
    """`roots` are the true causes, worst first; `waiting` maps a status id to whom it waits for.

    `message` is Flux's or Azure's own text, whole; "" where there is nothing to explain.
    `command` is the entry's, with real names; "" where it has none.
    """

    roots: tuple[ObjectStatus, ...]
    waiting: dict[int, str]
    message: str
    advice: Symptom | None
    command: str = ""


def diagnose(configuration: Configuration, statuses: Sequence[ObjectStatus]) -> Diagnosis:
    """What is wrong with this configuration, from its rows and those of its cluster."""
    found = find(
        statuses,
        provisioning_state=configuration.provisioning_state,
        error_message=configuration.error_message,
    )
    if not found.message and configuration.compliance in (Compliance.PENDING, Compliance.UNKNOWN):
        found = _of_cluster(configuration)
    waiting = {
        it.pk: blocker_of(it, statuses, configuration.name)
        for it in statuses
        if it.compliance == Compliance.NON_COMPLIANT
        and it not in found.roots
        and _waits(it, statuses)
    }
    return Diagnosis(
        roots=found.roots,
        waiting=waiting,
        message=found.message,
        advice=found.advice,
        command=_command(configuration, found),
    )


def find(
    statuses: Sequence[ObjectStatus], *, provisioning_state: str, error_message: str
) -> Finding:
    """The cause among what Azure reports of one configuration."""
    causes = roots_of(statuses)
    silent = _silent(statuses)
    if silent is not None and all(it.reason == "HealthCheckFailed" for it in causes):
        # The health check only says that it waits for what reports nothing.
        told = f"{silent.kind} {silent.namespace}/{silent.name} reports no conditions"
        return Finding((silent,), told, "", advice_for(told))
    message, reason = error_message, ""
    said, its_reason = _told_by(causes[0]) if causes else ("", "")
    if causes and provisioning_state not in FAILED:
        message, reason = said, its_reason
    advice = advice_for(message, reason=reason) if message else None
    if causes and advice is None and (known := advice_for(said, reason=its_reason)):
        # Azure failed the write without a word that helps; what Flux says does.
        message, reason, advice = said, its_reason, known
    return Finding(tuple(causes), message, reason, advice)


def _silent(statuses: Sequence[ObjectStatus]) -> ObjectStatus | None:
    """A release of which helm-controller says nothing although it was applied a while ago."""
    applied = {
        f"{it.namespace}/{it.name}"
        for it in statuses
        if it.reason in ("ReconciliationSucceeded", "HealthCheckFailed")
    }
    return next(
        (
            it
            for it in statuses
            if it.kind == "HelmRelease"
            and it.compliance == Compliance.PENDING
            and not it.conditions
            and it.applied_by in applied
        ),
        None,
    )


def _told_by(status: ObjectStatus) -> tuple[str, str]:
    """Message and reason of an object; of what Helm took back, why it did not come up."""
    if status.reason in _TAKEN_BACK:
        for condition in status.conditions:
            if condition.get("type") == "Released" and condition.get("status") == "False":
                return str(condition.get("message", "")), str(condition.get("reason", ""))
    return status.message, status.reason


def _of_cluster(configuration: Configuration) -> Finding:
    """What keeps the cluster from working on a configuration of which nothing is reported."""
    message = reach_of(configuration.cluster)
    if message:
        return Finding(message=message, advice=first_of(CLUSTER_SYMPTOMS, message))
    extension = _extension_of(configuration)
    if extension is None or extension.provisioning_state not in FAILED:
        return Finding()
    message, reason = extension.error_message, extension.error_code or "ExtensionOperationFailed"
    return Finding((), message, reason, first_of(CLUSTER_SYMPTOMS, message, reason))


def _extension_of(configuration: Configuration) -> Extension | None:
    extension: Extension | None = getattr(configuration.cluster, "extension", None)
    return extension


def _command(configuration: Configuration, found: Finding) -> str:
    if found.advice is None or not found.advice.command:
        return ""
    place = place_of(configuration.cluster, with_extension="{extension}" in found.advice.command)
    place |= {
        "name": configuration.name,
        "namespace": configuration.namespace,
        "url": configuration.source_url,
        "host": _host(configuration.source_url),
    }
    if found.roots:
        place |= {"kind": found.roots[0].kind, "object": found.roots[0].name}
        place["path"] = _path(configuration, found.roots[0])
        place["secret_keys"] = _secret_keys(configuration, found.roots[0])
    return command_of(found.advice, place, found.message, found.reason)


def _secret_keys(configuration: Configuration, root: ObjectStatus) -> Words:
    """What the Secret of a failing source has to have, as words of `kubectl create secret`."""
    kind = configuration.source_kind if not root.applied_by else root.kind
    if kind == "OCIRepository":
        return Words(
            "--type=kubernetes.io/dockerconfigjson --from-file=.dockerconfigjson=config.json"
        )
    git = (configuration.observed or {}).get("gitRepository") or {}
    sign_in = str(git.get("provider") or "").lower()
    source = {"url": configuration.source_url, "sign_in": sign_in}
    return Words(" ".join(content_of(kind, source)[1]))


def _host(url: str) -> str:
    if url.startswith("git@"):
        return url.removeprefix("git@").partition(":")[0]
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _path(configuration: Configuration, root: ObjectStatus) -> str:
    entries = kustomizations_of(configuration.observed or {})
    entry = entries.get(short_name(root, configuration.name)) or {}
    return str(entry.get("path") or ".")


def roots_of(statuses: Sequence[ObjectStatus]) -> list[ObjectStatus]:
    """The failing objects that nothing else failing explains: sources first, then the deepest.

    A Kustomization whose health check fails because of a HelmRelease that it applied is not the
    cause; the HelmRelease is.
    """
    wrong = [it for it in statuses if it.compliance == Compliance.NON_COMPLIANT]
    failing = [it for it in wrong if not _waits(it, statuses)]
    failing = failing or [it for it in wrong if _waits_for_ever(it, statuses)]
    parents = {it.applied_by for it in failing if it.applied_by}
    deepest = [
        it
        for it in failing
        if not (it.kind == "Kustomization" and f"{it.namespace}/{it.name}" in parents)
    ]
    return sorted(deepest or failing, key=lambda it: (it.kind not in _SOURCES, it.position))


def cause_of(
    name: str, properties: Mapping[str, Any], statuses: Sequence[ObjectStatus]
) -> tuple[str, str]:
    """The row's one line, "nginx: Helm install failed …", and the code of the entry that knows it.

    Both "" where nothing is wrong.
    """
    state, error = str(properties.get("provisioningState")), str(properties.get("errorMessage"))
    error = "" if error == "None" else error
    found = find(statuses, provisioning_state=state, error_message=error)
    code = found.advice.code if found.advice else ""
    if state in FAILED and error:
        return _one_line(error), code
    roots = [*found.roots] or [it for it in statuses if it.compliance == Compliance.NON_COMPLIANT]
    if not roots:
        return "", ""
    message = _told_by(roots[0])[0] or roots[0].reason
    return _one_line(f"{short_name(roots[0], name)}: {message}"), code


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
    blocker = _blocker(status, statuses)
    return short_name(blocker, configuration_name) if blocker else ""


def _blocker(status: ObjectStatus, statuses: Sequence[ObjectStatus]) -> ObjectStatus | None:
    for other in statuses:
        if other.pk != status.pk and f"{other.namespace}/{other.name}'" in status.message:
            return other
    if status.message.startswith(_NO_ARTIFACT):
        return _failing_source(statuses)
    return None


def _waits(status: ObjectStatus, statuses: Sequence[ObjectStatus]) -> bool:
    """Whether it only says that something else is not ready."""
    if status.reason in WAITING_REASONS:
        if status.reason == "SourceNotReady":
            # Charts that a release makes are not reported, so nobody else tells their failure.
            unread = any(sign in status.message for sign in _UNREAD)
            return unread or _blocker(status, statuses) is not None
        return not any(sign in status.message for sign in _ABSENT)
    return status.message.startswith(_NO_ARTIFACT) and _failing_source(statuses) is not None


def _waits_for_ever(status: ObjectStatus, statuses: Sequence[ObjectStatus]) -> bool:
    """Whether whom it waits for waits in turn for it, or is suspended."""
    seen: list[ObjectStatus] = []
    current: ObjectStatus | None = status
    while current is not None and current not in seen and _waits(current, statuses):
        seen.append(current)
        current = _blocker(current, statuses)
    if current is None:
        return False
    return current in seen or current.compliance == Compliance.SUSPENDED


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
