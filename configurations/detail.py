"""What the page of one configuration shows: verdict, objects, picture, story."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from access.models import User
from audit.models import AuditEvent
from audit.viewers import visible_to
from changes.models import Change, ChangeTarget, Operation
from clusters.cluster_symptoms import address_of
from configurations import search
from configurations.diagnosis import Diagnosis, diagnose, short_name
from configurations.models import Compliance, Configuration, ObjectStatus
from configurations.pictures import Link, Node, Picture, draw
from configurations.reading import AT_FAULT, IN_FLIGHT, kustomizations_of, short_commit
from configurations.releases import Release, release_of
from configurations.secret_expiry import stored_secrets

TONES = {
    Compliance.COMPLIANT: ("good", "circle-check-filled"),
    Compliance.NON_COMPLIANT: ("bad", "alert-octagon-filled"),
    Compliance.PENDING: ("busy", "progress"),
    Compliance.SUSPENDED: ("held", "player-pause-filled"),
    Compliance.UNKNOWN: ("none", "help-circle"),
}
_SOURCES = frozenset({"GitRepository", "OCIRepository", "Bucket"})
PICTURE_LIMIT = 40  # boxes; beyond it only source and kustomizations are drawn
STORY_LIMIT = 8


def is_stale(configuration: Configuration) -> bool:
    at = configuration.observed_at
    return at is not None and at < search.stale_before()


# --- Verdict and objects --------------------------------------------------------------------
@dataclass(frozen=True)
class ObjectRow:
    """One object as the table shows it; `blocked_by` names whom it waits for."""

    status: ObjectStatus
    name: str
    blocked_by: str
    is_root: bool
    release: Release | None


def status_context(configuration: Configuration) -> dict[str, Any]:
    """Verdict, picture, objects and secrets: the parts that move. Two queries, or four."""
    statuses = list(configuration.statuses.all())
    diagnosis = diagnose(configuration, statuses)
    stale = is_stale(configuration)
    shown = Compliance.UNKNOWN if stale else configuration.compliance
    tone, icon = TONES.get(Compliance(shown), ("none", "help-circle"))
    if configuration.gone_at is not None or stale:
        tone, icon = "none", "clock-question"
    return {
        "statuses": statuses,
        "diagnosis": diagnosis,
        "remedy_url": remedy_url(configuration, diagnosis),
        "is_stale": stale,
        "shown": shown,
        "tone": tone,
        "verdict_icon": icon,
        "objects": _rows(statuses, diagnosis, configuration.name),
        "failed": len(diagnosis.roots),
        "blocked": len(diagnosis.waiting),
        "picture": picture_of(configuration, statuses, diagnosis),
        "in_flight": configuration.provisioning_state in IN_FLIGHT,
        "progress": _progress(statuses),
        "secrets": stored_secrets(configuration),
        "has_failed": configuration.provisioning_state in AT_FAULT,
    }


def remedy_url(configuration: Configuration, diagnosis: Diagnosis) -> str:
    """The page where the remedy is a change; "" where it is one of the configuration, or none."""
    if diagnosis.advice is None:
        return ""
    return address_of(diagnosis.advice.page, configuration.cluster)


def _rows(
    statuses: Sequence[ObjectStatus], diagnosis: Diagnosis, configuration_name: str
) -> list[ObjectRow]:
    """Causes first, then who waits, then the rest as Azure lists them."""
    roots = {it.pk for it in diagnosis.roots}
    order = {
        Compliance.NON_COMPLIANT: 1,
        Compliance.PENDING: 3,
    }
    rows = [
        ObjectRow(
            status=it,
            name=short_name(it, configuration_name) if it.pk in diagnosis.waiting else it.name,
            blocked_by=diagnosis.waiting.get(it.pk, ""),
            is_root=it.pk in roots,
            release=release_of(it),
        )
        for it in statuses
    ]
    return sorted(
        rows,
        key=lambda row: (
            0 if row.is_root else 2 if row.status.pk in diagnosis.waiting
            else order.get(Compliance(row.status.compliance), 4),
            row.status.position,
        ),
    )  # fmt: skip


def _progress(statuses: Sequence[ObjectStatus]) -> str:
    """ "1 of 2 kustomizations applied", while it is pending."""
    its = [it for it in statuses if it.kind == "Kustomization" and not it.applied_by]
    if not its:
        return ""
    ready = sum(it.compliance == Compliance.COMPLIANT for it in its)
    return ngettext(
        "%(ready)d of %(all)d kustomization applied",
        "%(ready)d of %(all)d kustomizations applied",
        len(its),
    ) % {"ready": ready, "all": len(its)}


# --- Picture --------------------------------------------------------------------------------
def picture_of(
    configuration: Configuration, statuses: Sequence[ObjectStatus], diagnosis: Diagnosis
) -> Picture | None:
    """Source, kustomizations in their order, and what they applied, in live colours."""
    entries = kustomizations_of(configuration.observed or configuration.desired or {})
    if not entries:
        return None
    own = {it.name: it for it in statuses if it.kind == "Kustomization" and not it.applied_by}
    source = next((it for it in statuses if it.kind in _SOURCES and not it.applied_by), None)
    nodes = [_node("source", configuration.name, _("Source"), source, diagnosis, "git-branch")]
    links: list[Link] = []
    for name, entry in entries.items():
        status = own.get(f"{configuration.name}-{name}")
        nodes.append(_node(f"k:{name}", name, _("Kustomization"), status, diagnosis, "stack-2"))
        wanted = [it for it in entry.get("dependsOn") or [] if it in entries]
        waits = status is not None and status.pk in diagnosis.waiting
        for it in wanted:
            blocker = own.get(f"{configuration.name}-{it}")
            links.append(Link(f"k:{it}", f"k:{name}", _edge(waits, blocker, diagnosis)))
        if not wanted:
            links.append(Link("source", f"k:{name}", _edge(waits, source, diagnosis)))
    children = [it for it in statuses if it.applied_by and it.kind in _DRAWN]
    if len(nodes) + len(children) <= PICTURE_LIMIT:
        for it in children:
            owner = it.applied_by.rpartition("/")[2].removeprefix(f"{configuration.name}-")
            if owner in entries:
                nodes.append(_node(f"o:{it.pk}", it.name, it.kind, it, diagnosis, "package"))
                links.append(Link(f"k:{owner}", f"o:{it.pk}", "edge--wait" if _waits(it) else ""))
    title = _("Dependency graph of %(name)s") % {"name": configuration.name}
    return draw(nodes, links, title=title, text=_picture_text(nodes, diagnosis), name="graph")


_DRAWN = frozenset({"HelmRelease", "Kustomization"})


def _edge(waits: bool, blocker: ObjectStatus | None, diagnosis: Diagnosis) -> str:
    """Red from what fails to what waits for it; dashed between two that both wait."""
    if not waits or blocker is None or blocker.compliance != Compliance.NON_COMPLIANT:
        return ""
    return "edge--wait" if blocker.pk in diagnosis.waiting else "edge--hit"


def _waits(status: ObjectStatus) -> bool:
    return status.compliance == Compliance.PENDING


def _node(
    key: str,
    text: str,
    sub: str,
    status: ObjectStatus | None,
    diagnosis: Diagnosis,
    icon: str,
) -> Node:
    if status is None:
        return Node(key, text, sub, icon=icon)
    if status.pk in diagnosis.waiting:
        return Node(key, text, sub, icon="hourglass", tone="none", css="is-wait")
    tone, sign = TONES.get(Compliance(status.compliance), ("none", icon))
    css = "is-bad" if status.compliance == Compliance.NON_COMPLIANT else ""
    return Node(key, text, f"{sub}", icon=sign, tone=tone, css=css)


def _picture_text(nodes: Sequence[Node], diagnosis: Diagnosis) -> str:
    failed = [node.text for node in nodes if node.css == "is-bad"]
    waiting = [node.text for node in nodes if node.css == "is-wait"]
    words = [_("%(n)d objects.") % {"n": len(nodes)}]
    if failed:
        words.append(_("Failing: %(names)s.") % {"names": ", ".join(failed)})
    if waiting:
        words.append(_("Waiting: %(names)s.") % {"names": ", ".join(waiting)})
    return " ".join(words)


# --- Changes, history, story ----------------------------------------------------------------
def changes_of(configuration: Configuration, user: User) -> QuerySet[Change]:
    """Changes that wrote or would write this resource, newest first, as far as `user` sees them."""
    targets = ChangeTarget.objects.filter(change=OuterRef("pk"), resource_id=configuration.arm_id)
    changes: QuerySet[Change] = Change.objects.visible_to(user).filter(Exists(targets))
    return changes.select_related("author").order_by("-id")


def history_of(configuration: Configuration, user: User) -> QuerySet[AuditEvent]:
    """Events about it and about the changes that wrote it."""
    change_ids = ChangeTarget.objects.filter(resource_id=configuration.arm_id).values("change_id")
    events = visible_to(user).filter(
        Q(configuration_id=configuration.pk) | Q(change_id__in=change_ids)
    )
    return events.order_by("-id")


@dataclass(frozen=True)
class Moment:
    """One line of the story."""

    at: datetime
    icon: str
    tone: str
    title: str
    under: str = ""
    url: str = ""


def story_of(configuration: Configuration, user: User) -> list[Moment]:
    """What happened last, newest first, from the rows themselves. Three queries."""
    moments = [*_observed_moments(configuration), *_change_moments(configuration, user)]
    return sorted(moments, key=lambda it: it.at, reverse=True)[:STORY_LIMIT]


def _observed_moments(configuration: Configuration) -> list[Moment]:
    moments = []
    if configuration.compliance_since and configuration.observed_at:
        tone, icon = TONES.get(Compliance(configuration.compliance), ("none", "help-circle"))
        moments.append(
            Moment(
                configuration.compliance_since,
                icon,
                tone,
                str(Compliance(configuration.compliance).label),
                configuration.cause,
            )
        )
    if configuration.source_updated_at and configuration.synced_commit:
        title = _("Source fetched %(commit)s") % {
            "commit": short_commit(configuration.synced_commit)
        }
        moments.append(Moment(configuration.source_updated_at, "git-commit", "good", title))
    if configuration.gone_at:
        moments.append(Moment(configuration.gone_at, "trash", "warn", _("Gone from Azure")))
    return moments


def _change_moments(configuration: Configuration, user: User) -> list[Moment]:
    changes = list(changes_of(configuration, user)[:3])
    moments = []
    for change in changes:
        url = reverse("changes:detail", args=[change.pk])
        number = {"n": change.pk}
        moments.append(
            Moment(
                change.submitted_at, "git-pull-request", "none",
                _("Change #%(n)d requested") % number, str(change.author), url,
            )
        )  # fmt: skip
        if change.approved_at:
            moments.append(
                Moment(
                    change.approved_at, "shield-check", "good",
                    _("Change #%(n)d approved") % number, "", url,
                )
            )  # fmt: skip
    operations = Operation.objects.filter(
        change__in=changes, resource_id=configuration.arm_id, accepted_at__isnull=False
    )
    for operation in operations:
        if operation.accepted_at is None:
            continue
        under = _("correlation %(id)s") % {"id": f"{operation.correlation_id[:13]}…"}
        moments.append(
            Moment(
                operation.accepted_at, "cloud-check", "busy", _("Azure accepted the write"),
                under if operation.correlation_id else "",
            )
        )  # fmt: skip
        if operation.state == Operation.State.FAILED and operation.finished_at:
            moments.append(
                Moment(
                    operation.finished_at, "circle-x", "bad", _("The write failed"),
                    operation.problem_message[:200],
                )
            )  # fmt: skip
    return moments
