"""Ask Flux to look at a configuration's source now, by the annotation that Flux itself knows.

Azure has no call for it, so it goes through the cluster's Kubernetes API, where that is connected:
`reconcile.fluxcd.io/requestedAt` on the source and then on each kustomization, as `flux reconcile`
does. It alters no desired state and needs no review; it is recorded.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from access.models import User
from audit.services import record
from clusters.kube.access import access_to
from clusters.kube.door import READS_AND_ASKS, KubernetesDoor, KubernetesProblem
from clusters.kube.tables import Table, paths
from configurations.models import Configuration, SyncRequest
from configurations.observe import configuration_watch, event_facts
from configurations.reading import kustomizations_of
from configurations.specification.models import DEFAULT_SECONDS
from live.services import bump

log = logging.getLogger(__name__)

ANNOTATION = "reconcile.fluxcd.io/requestedAt"
TAKES_AT_MOST = timedelta(minutes=2)
UNANSWERED = timedelta(seconds=6)
# Azure's kinds of source as Flux's own; a blob container is a Bucket of the provider azure.
_SOURCES = {
    "GitRepository": "gitrepositories",
    "Bucket": "buckets",
    "AzureBlob": "buckets",
    "OCIRepository": "ocirepositories",
}
_DEFINITIONS = ("gitRepository", "bucket", "azureBlob", "ociRepository")
_SOURCE_GROUP, _KUSTOMIZE_GROUP = "source.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"


@dataclass(frozen=True)
class Rhythm:
    """How often Flux looks by itself, in seconds, and when it does so next, about."""

    interval: int
    due_at: datetime | None

    @property
    def minutes(self) -> str:
        """ "10 min", or seconds where it is not whole minutes."""
        if self.interval % 60:
            return _("%(n)d s") % {"n": self.interval}
        return _("%(n)d min") % {"n": self.interval // 60}


def rhythm_of(configuration: Configuration) -> Rhythm:
    """From what is observed: the source's interval, counted on from its last fetch."""
    properties = configuration.observed or configuration.desired or {}
    sources = [properties.get(name) or {} for name in _DEFINITIONS]
    interval = next(
        (int(it["syncIntervalInSeconds"]) for it in sources if it.get("syncIntervalInSeconds")),
        DEFAULT_SECONDS,
    )
    seen = configuration.source_updated_at
    if seen is None or configuration.suspended:
        return Rhythm(interval, None)
    passed = max(0, int((timezone.now() - seen).total_seconds()) // interval)
    return Rhythm(interval, seen + timedelta(seconds=interval * (passed + 1)))


@transaction.atomic
def sync_ask(*, by: User, configuration: Configuration) -> SyncRequest | None:
    """Have a worker tell Flux; None while an earlier request is under way."""
    now = timezone.now()
    known = SyncRequest.objects.select_for_update().filter(configuration=configuration).first()
    if known is not None and known.is_open and known.asked_at > now - TAKES_AT_MOST:
        return None
    request, _created = SyncRequest.objects.update_or_create(
        configuration=configuration,
        defaults={
            "asked_at": now, "asked_by": by, "begun_at": None, "done_at": None, "problem": {},
        },
    )  # fmt: skip
    record(action="configuration.sync_asked", actor=by, **event_facts(configuration))
    bump(f"configuration:{configuration.pk}")
    transaction.on_commit(lambda: _ring(request.pk))
    return request


def _ring(request_id: int) -> None:
    from configurations.tasks import sync_now

    try:
        sync_now.apply_async((request_id,), retry=False)
    except Exception as error:  # the broker is gone: syncs_overdue finds it
        log.warning("Could not ring a worker (%s)", type(error).__name__)


def syncs_overdue() -> None:
    """Do what nobody took: for the sweep that runs without a broker. NETWORK."""
    now = timezone.now()
    waiting = SyncRequest.objects.filter(done_at=None, asked_at__lte=now - UNANSWERED)
    for pk in waiting.values_list("pk", flat=True):
        sync_run(pk)


def sync_run(request_id: int) -> bool:
    """Tell Flux, if nobody else does; whether that was done here. NETWORK."""
    now = timezone.now()
    free = Q(begun_at=None) | Q(begun_at__lt=now - TAKES_AT_MOST)
    if not SyncRequest.objects.filter(free, pk=request_id, done_at=None).update(begun_at=now):
        return False
    request = SyncRequest.objects.select_related(
        "configuration__cluster__connection", "asked_by"
    ).get(pk=request_id)
    problem: dict[str, str] = {}
    try:
        _annotate(request)
    except KubernetesProblem as refusal:
        problem = {"code": refusal.code, "message": refusal.message, **refusal.facts}
    _finish(request, problem)
    return True


def _annotate(request: SyncRequest) -> None:
    """The source first: what the kustomizations take is what it fetched."""
    configuration = request.configuration
    # Asking twice with the same value asks Flux once: a repeated delivery does no harm.
    value = {ANNOTATION: request.asked_at.isoformat(timespec="microseconds")}
    source = _SOURCES.get(configuration.source_kind, "gitrepositories")
    entries = kustomizations_of(configuration.observed or configuration.desired or {})
    objects = [
        (Table(source, _SOURCE_GROUP, ""), configuration.name),
        *(
            (Table("kustomizations", _KUSTOMIZE_GROUP, ""), f"{configuration.name}-{name}")
            for name in entries
        ),
    ]
    access = access_to(configuration.cluster)
    with KubernetesDoor(access, verbs=READS_AND_ASKS) as door:
        for table, name in objects:
            _annotate_one(door, table, configuration.namespace, name, value)


def _annotate_one(
    door: KubernetesDoor, table: Table, namespace: str, name: str, value: dict[str, str]
) -> None:
    """In the first version of the API in which the cluster knows the kind."""
    for path in paths(door, table, namespace):
        try:
            door.annotate(f"{path}/{name}", value)
        except KubernetesProblem as problem:
            if problem.code != "not_found":
                raise
        else:
            return
    raise KubernetesProblem("not_found", f"{table.key} {namespace}/{name}")


@transaction.atomic
def _finish(request: SyncRequest, problem: dict[str, str]) -> None:
    configuration = request.configuration
    SyncRequest.objects.filter(pk=request.pk).update(done_at=timezone.now(), problem=problem)
    facts: dict[str, Any] = event_facts(configuration)
    if problem:
        why = problem.get("message") or problem["code"]
        record(action="configuration.sync_failed", actor=request.asked_by, why=why, **facts)
    else:
        record(action="configuration.sync_done", actor=request.asked_by, **facts)
        configuration_watch(configuration_id=configuration.pk)
    bump(f"configuration:{configuration.pk}")
