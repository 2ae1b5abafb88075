"""What pages say of a check: to the author in the wizard, to reviewers on the change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from changes.content import targets_of
from changes.kinds import Evidence, EvidenceItem, Risk, Step, Target
from changes.models import Change
from clusters.models import Cluster, Extension
from configurations.models import Draft, SourceCheck
from configurations.risks import bodies, own_step
from configurations.rulebook import advice_for
from configurations.services import draft_properties
from configurations.source_checks import services
from configurations.source_checks.checking import digest_of_subject, subject_of
from configurations.source_checks.services import is_on, why_not

WORKLOAD_IDENTITY = "workloadIdentity.enable"


# --- In the wizard --------------------------------------------------------------------------
def draft_check(draft: Draft) -> dict[str, Any]:
    """For the part of the review step: what is known, and whether one may ask (again)."""
    if not is_on():
        return {"check_on": False}
    subject = subject_of(draft_properties(draft))
    check = draft.source_checks.select_related("asked_by").first()
    under_way = check is not None and check.state in services.OPEN and not check.is_lost
    is_stale = check is not None and check.digest != digest_of_subject(subject)
    return {
        "check_on": True,
        "check_refused": why_not(subject),
        "check": check,
        "check_under_way": under_way and not is_stale,
        "evidence": evidence_of(check, is_stale=is_stale, settings=settings_of(draft.cluster))
        if check is not None
        else None,
    }


def settings_of(cluster: Cluster | None, target: Target | None = None) -> Mapping[str, Any]:
    """The extension's settings, or those with which the same change installs or updates it."""
    steps = target.steps if target is not None else ()
    step = next((it for it in steps if it.kind == "flux_extension"), None)
    extension = Extension.objects.filter(cluster=cluster).first() if cluster else None
    known = dict(extension.settings) if extension is not None else {}
    return {**known, **_asked_settings(step)}


def _asked_settings(step: Step | None) -> Mapping[str, Any]:
    properties = ((step.body if step is not None else None) or {}).get("properties") or {}
    return properties.get("configurationSettings") or {}


# --- On the change --------------------------------------------------------------------------
def change_check(change: Change) -> tuple[SourceCheck | None, bool]:
    """The newest check of the draft from which the change came, and whether it is stale."""
    check = (
        SourceCheck.objects.filter(draft__submitted_change_id=change.pk)
        .select_related("asked_by")
        .first()
    )
    properties = _properties(change)
    if check is None or properties is None:
        return None, False
    return check, check.digest != digest_of_subject(subject_of(properties))


def change_evidence(change: Change) -> list[Evidence]:
    check, is_stale = change_check(change)
    if check is None:
        return []
    return [evidence_of(check, is_stale=is_stale, settings=_change_settings(change))]


def change_risks(change: Change) -> Iterator[Risk]:
    """A failing or outdated check, and what the objects need of the extension: never a block."""
    check, is_stale = change_check(change)
    if check is None or check.state != SourceCheck.State.DONE:
        return
    if is_stale:
        yield Risk(
            code="source_check_stale", icon="clock-question",
            text=_("The source was checked before it was altered, and not since."),
        )  # fmt: skip
        return
    if check.failed:
        yield Risk(
            code="source_check_failed", tone="bad", icon="checklist",
            text=_("The check of the source failed: %(what)s.") % {"what": _failing(check)},
        )  # fmt: skip
    if _needs_identity(check) and not _has_identity(_change_settings(change)):
        yield Risk(
            code="workload_identity_off", tone="bad", icon="id",
            text=_("A source in it uses provider azure, and workload identity is off."),
        )  # fmt: skip


def _properties(change: Change) -> dict[str, Any] | None:
    targets = targets_of(change.content)
    step = own_step(targets[0]) if len(targets) == 1 else None
    return bodies(step)[1] if step is not None else None


def _change_settings(change: Change) -> Mapping[str, Any]:
    target = targets_of(change.content)[0]
    return settings_of(Cluster.objects.filter(pk=target.cluster_id or 0).first(), target)


def _failing(check: SourceCheck) -> str:
    if check.report.get("problem"):
        return str(check.report["problem"]["message"]).rstrip(".")
    return ", ".join(it["name"] for it in check.report["results"] if it["problem"])


# --- The words ------------------------------------------------------------------------------
def evidence_of(check: SourceCheck, *, is_stale: bool, settings: Mapping[str, Any]) -> Evidence:
    """One check as sentences. `settings`: those of the extension on the cluster."""
    tone, icon, text = _verdict(check, is_stale)
    return Evidence(
        code="source_check",
        title=_("Check of the source"),
        tone=tone,
        icon=icon,
        text=text,
        at=check.finished_at or check.started_at or check.asked_at,
        items=tuple(_items(check, settings)) if check.state == SourceCheck.State.DONE else (),
    )


def _verdict(check: SourceCheck, is_stale: bool) -> tuple[str, str, str]:
    if check.is_lost:
        return "warn", "plug-connected-x", _("The check broke off: its worker is gone.")
    if check.state == SourceCheck.State.WAITING:
        return "busy", "clock", _("The check waits for a worker.")
    if check.state == SourceCheck.State.RUNNING:
        return "busy", "loader", _("The source is being fetched and built.")
    if is_stale:
        return (
            "warn",
            "clock-question",
            _("The source or a path was altered since. This is what was checked before."),
        )
    if check.report.get("problem"):
        return "bad", "circle-x", _("The source could not be fetched.")
    failing = sum(bool(it["problem"]) for it in check.report["results"])
    if failing:
        return (
            "bad",
            "circle-x",
            ngettext(
                "%(n)d kustomization does not build.", "%(n)d kustomizations do not build.", failing
            )
            % {"n": failing},
        )
    return "good", "circle-check-filled", _("Everything was found, and builds.")


def _items(check: SourceCheck, settings: Mapping[str, Any]) -> Iterator[EvidenceItem]:
    report = check.report
    if problem := report.get("problem"):
        yield _problem_item(check.subject["url"], problem)
        return
    yield EvidenceItem(
        tone="good", icon="git-commit", title=_("%(reference)s found") % report,
        text=_("Checked on commit %(commit)s.") % {"commit": report["commit"]},
    )  # fmt: skip
    for result in report["results"]:
        title = f"{result['name']} ({result['path'] or './'})"
        if result["problem"]:
            yield _problem_item(title, result["problem"])
            continue
        count = result["count"]
        hidden = count - len(result["objects"])
        yield EvidenceItem(
            tone="good", icon="circle-check", title=title,
            text=ngettext("%(n)d object would be deployed.", "%(n)d objects would be deployed.",
                          count) % {"n": count},
            listed=tuple(_object(it) for it in result["objects"])
            + ((_("and %(n)d more") % {"n": hidden},) if hidden else ()),
        )  # fmt: skip
    yield from _notes(report, settings)


def _problem_item(title: str, problem: Mapping[str, str]) -> EvidenceItem:
    advice = advice_for(problem["detail"]) if problem["detail"] else None
    text = problem["message"]
    if advice is not None:
        text = " ".join([text, str(advice.detail), *map(str, advice.steps[:1])])
    return EvidenceItem(
        tone="bad", icon="circle-x", title=title, text=text, detail=problem["detail"]
    )


def _notes(report: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[EvidenceItem]:
    managed = _found(report, "managed_source")
    if managed:
        yield EvidenceItem(
            tone="none", icon="package", title=_("Helm charts from this repository"),
            text=_(
                "The annotation clusterconfig.azure.com/use-managed-source is on these releases. "
                "Azure points each at the configuration's own Git source when it is deployed, "
                "whatever source its manifest names. Only Git sources can be used so."
            ),
            listed=managed,
        )  # fmt: skip
    azure = _found(report, "azure_provider")
    if azure:
        on = _has_identity(settings)
        yield EvidenceItem(
            tone="none" if on else "warn", icon="id", title=_("Sources that sign in to Azure"),
            text=_(
                "These sources use provider azure, which needs workload identity. It is on in the "
                "extension's settings."
            ) if on else _(
                "These sources use provider azure, which needs workload identity, but the "
                "extension's setting workloadIdentity.enable is not true: they would stay failed. "
                "Switch it on first, on the cluster's extension page."
            ),
            listed=azure,
        )  # fmt: skip
    if report.get("links"):
        yield _note(_("Symbolic links are left out, as Flux leaves them out of what it fetches."))
    if report.get("submodules"):
        yield _note(_("Git submodules are not fetched: not here, and not by Flux for Azure."))
    yield _note(
        _("Variables of the kustomizations are not filled in, and Helm charts are not fetched.")
    )


def _note(text: str) -> EvidenceItem:
    return EvidenceItem(tone="none", icon="info-circle", title="", text=text)


def _found(report: Mapping[str, Any], code: str) -> tuple[str, ...]:
    """Each object once: two kustomizations may build the same."""
    named = [
        _object(it) for result in report["results"] for it in result["findings"]
        if it["code"] == code
    ]  # fmt: skip
    return tuple(dict.fromkeys(named))


def _object(it: Mapping[str, str]) -> str:
    return "/".join(part for part in (it["kind"], it["namespace"], it["name"]) if part)


def _needs_identity(check: SourceCheck) -> bool:
    return bool(_found({"results": check.report.get("results") or []}, "azure_provider"))


def _has_identity(settings: Mapping[str, Any]) -> bool:
    return str(settings.get(WORKLOAD_IDENTITY, "")).lower() == "true"
