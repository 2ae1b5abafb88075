"""The rows of source checks: asked, running, done, lost. One transaction each.

waiting -> running -> done; running -> lost when its worker is gone (its lease ended). Only the
worker that holds the newest attempt writes a result. A bell may be lost: the sweep rings again.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from access.models import User
from audit.services import record
from changes.errors import ChangeRefused
from configurations.models import Draft, SourceCheck
from configurations.services import draft_name, draft_properties
from configurations.source_checks import checking
from configurations.source_checks.addresses import host_of, local_folder
from configurations.source_checks.problems import CheckRefused
from live.services import bump

log = logging.getLogger(__name__)

MOST_OPEN = 3  # checks of one person that wait or run
RING_AGAIN = timedelta(seconds=20)
SPARE = timedelta(seconds=60)  # beyond a check's own time, before its worker counts as gone
OPEN = (SourceCheck.State.WAITING, SourceCheck.State.RUNNING)


def is_on() -> bool:
    return bool(settings.SOURCE_CHECKS["on"])


def why_not(subject: checking.Subject) -> str:
    """Why this source is not checked, in words for people; "" where it can be. Asks nobody."""
    if subject["kind"] != "GitRepository":
        return _("Only Git repositories are checked.")
    if subject["signs_in"]:
        return _(
            "The source asks for a sign-in. Private sources are not checked: the portal never "
            "uses a key for it."
        )
    if local_folder(subject["url"]) is not None:
        return ""
    try:
        host_of(subject["url"])
    except CheckRefused as refused:
        return refused.message
    return ""


@transaction.atomic
def check_request(*, draft: Draft, by: User) -> SourceCheck:
    """Ask for a check of what the draft says now; one that is under way is taken instead.

    Raises ChangeRefused: `off`, `unchecked`, `too_many`.
    """
    if not is_on():
        raise ChangeRefused(_("Source checks are switched off."), code="off")
    draft = Draft.objects.select_for_update(of=("self",)).select_related("cluster").get(pk=draft.pk)
    subject = checking.subject_of(draft_properties(draft))
    if reason := why_not(subject):
        raise ChangeRefused(reason, code="unchecked")
    digest = checking.digest_of_subject(subject)
    under_way = SourceCheck.objects.filter(draft=draft, digest=digest, state__in=OPEN).first()
    if under_way is not None and not under_way.is_lost:
        return under_way
    waiting = SourceCheck.objects.filter(asked_by=by, state__in=OPEN)
    if sum(not it.is_lost for it in waiting) >= MOST_OPEN:
        raise ChangeRefused(
            _("Three checks of yours are under way. Wait until one is done."), code="too_many"
        )
    check = SourceCheck.objects.create(
        draft=draft, asked_by=by, subject=subject, digest=digest, asked_at=timezone.now(),
        rung_at=timezone.now(),
    )  # fmt: skip
    cluster = draft.cluster
    record(
        action="source.check_asked",
        actor=by,
        object_type="draft",
        object_id=draft.pk,
        object_name=draft_name(draft) or str(cluster),
        environment_id=cluster.environment_id if cluster else None,
        cluster_id=cluster.pk if cluster else None,
        configuration_id=draft.configuration_id,
        url=subject["url"],
    )
    _moved(check)
    transaction.on_commit(lambda: _ring(check.pk))
    return check


def check_run(check_id: int) -> None:
    """NETWORK: what a worker does when it is rung. Does nothing for a check that somebody has."""
    check = check_claim(check_id)
    if check is None:
        return
    try:
        report = checking.checked(check.subject)
    except Exception:  # the person gets an answer whatever happens, and may ask again
        log.exception("Source check %s broke off", check_id)
        report = checking.crashed()
    check_finish(check, report)


@transaction.atomic
def check_claim(check_id: int) -> SourceCheck | None:
    """Take a waiting check; None where there is none to take."""
    now = timezone.now()
    until = now + timedelta(seconds=settings.SOURCE_CHECKS["seconds"]) + SPARE
    taken = SourceCheck.objects.filter(pk=check_id, state=SourceCheck.State.WAITING).update(
        state=SourceCheck.State.RUNNING,
        started_at=now,
        lease_until=until,
        attempt=F("attempt") + 1,
    )
    if not taken:
        return None
    check = SourceCheck.objects.get(pk=check_id)
    _moved(check)
    return check


@transaction.atomic
def check_finish(check: SourceCheck, report: dict[str, Any]) -> bool:
    """Keep the result, unless the check was given up meanwhile."""
    kept = SourceCheck.objects.filter(
        pk=check.pk, state=SourceCheck.State.RUNNING, attempt=check.attempt
    ).update(
        state=SourceCheck.State.DONE,
        report=report,
        commit=report.get("commit") or "",
        failed=bool(report["problem"]) or any(it["problem"] for it in report["results"]),
        finished_at=timezone.now(),
    )
    if kept:
        _moved(check)
    return bool(kept)


def check_sweep() -> None:
    """Say of checks whose worker is gone that they are lost; ring again for those that wait."""
    now = timezone.now()
    for check in SourceCheck.objects.filter(state=SourceCheck.State.RUNNING, lease_until__lt=now)[
        :100
    ]:
        with transaction.atomic():
            lost = SourceCheck.objects.filter(
                pk=check.pk, state=SourceCheck.State.RUNNING, attempt=check.attempt
            ).update(state=SourceCheck.State.LOST, finished_at=now)
            if lost:
                _moved(check)
    waiting = SourceCheck.objects.filter(
        state=SourceCheck.State.WAITING, rung_at__lt=now - RING_AGAIN
    )
    for check_id in list(waiting.values_list("pk", flat=True)[:100]):
        SourceCheck.objects.filter(pk=check_id).update(rung_at=now)
        _ring(check_id)


def _ring(check_id: int) -> None:
    """Tell a worker; where no message goes out, the sweep rings again."""
    from configurations.tasks import source_check_run  # tasks import this module

    try:
        source_check_run.apply_async((check_id,), retry=False, expires=600)
    except Exception as problem:  # whatever the broker's client raises
        log.warning("The broker takes no message for source check %s (%s).", check_id, problem)


def _moved(check: SourceCheck) -> None:
    """Have the pages that show it look again: the wizard's, and the change's once submitted."""
    change_id = check.draft.submitted_change_id
    bump(f"draft:{check.draft_id}", *([f"change:{change_id}"] if change_id else []))
