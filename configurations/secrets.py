"""Secrets of sources: kept encrypted, marked in drafts and changes, put in when a write is sent.

A mark is `{"$secret": "<version id>"}` in the place of the value. What a page, an event, an
export, a message or Redis may hold is the mark and never more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from access.models import User
from audit.services import record
from changes.errors import WriteProblem
from changes.models import Change, Problem
from clusters.secrets import SecretUnreadable, decrypt, encrypt
from configurations.models import Configuration, Draft, SecretVersion
from configurations.specification.models import SOURCE_BODIES

MARK = "$secret"
Path = tuple[str, ...]
# A failed change can be tried again while its approval lasts (72 h).
KEPT_AFTER_FAILURE = timedelta(days=7)
UNUSED_AFTER = timedelta(days=1)
_OPEN = ("draft", "in_review", "approved", "scheduled", "applying")


# --- Marks ----------------------------------------------------------------------------------
def mark_of(version: SecretVersion) -> dict[str, str]:
    return {MARK: str(version.pk)}


def is_mark(value: object) -> bool:
    return isinstance(value, Mapping) and set(value) == {MARK}


def marks_in(value: Any, path: Path = ()) -> Iterator[tuple[Path, dict[str, str]]]:
    """Every mark and where it stands."""
    if is_mark(value):
        yield path, dict(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from marks_in(item, (*path, str(key)))


def with_known_secrets(
    properties: Mapping[str, Any], desired: Mapping[str, Any] | None
) -> dict[str, Any]:
    """`properties`, which Azure sends without secrets, with the marks that were written last.

    Only while it is the same source: where somebody has pointed it to another host past the
    portal, the old credential is not handed to that host.
    """
    result = dict(properties)
    if desired is None or source_place(desired) != source_place(properties):
        return result
    for path, mark in marks_in(desired):
        part = result
        for key in path[:-1]:
            below = part.get(key)
            part[key] = dict(below) if isinstance(below, Mapping) else {}
            part = part[key]
        part[path[-1]] = mark
    return result


def source_place(properties: Mapping[str, Any]) -> tuple[str, str]:
    """Source kind and host: to whom a secret is shown when it is used."""
    kind = str(properties.get("sourceKind") or "GitRepository")
    body = properties.get(SOURCE_BODIES.get(kind, ""))
    url = str(body.get("url") or "") if isinstance(body, Mapping) else ""
    if "://" not in url:  # git@host:path
        return kind, url.partition("@")[2].partition(":")[0].lower()
    try:
        return kind, (urlsplit(url).netloc.rpartition("@")[2]).lower()
    except ValueError:
        return kind, url


# --- Keep and remove ------------------------------------------------------------------------
def secret_keep(*, draft: Draft, field: str, value: str, by: User) -> dict[str, str]:
    """Store one value that was typed and return its mark; the draft's own mark where it is the
    same value still, as a page posts it again. Runs in the transaction that saves the draft."""
    before = draft.data["source"].get(field)
    if is_mark(before) and _readable(before) == value:
        return dict(before)
    if draft.cluster is None:
        raise ValueError("A draft with a source has a cluster.")
    version = SecretVersion.objects.create(
        token=encrypt(value),
        field=field,
        cluster=draft.cluster,
        draft=draft,
        set_by=by,
        set_at=timezone.now(),
    )
    _record("secret.replaced" if is_mark(before) else "secret.set", draft, field, by)
    return mark_of(version)


def secret_forget(*, draft: Draft, field: str, by: User) -> None:
    """Note that the draft no longer holds this secret; the value goes with the next clean-up."""
    if is_mark(draft.data["source"].get(field)):
        _record("secret.removed", draft, field, by)


def _record(action: str, draft: Draft, field: str, by: User) -> None:
    cluster = draft.cluster
    record(
        action=action,
        actor=by,
        object_type="draft",
        object_id=draft.pk,
        object_name=str(draft.data["basics"]["name"]) or str(cluster),
        environment_id=cluster.environment_id if cluster else None,
        cluster_id=cluster.pk if cluster else None,
        configuration_id=draft.configuration_id,
        field=field,
    )


def _readable(mark: Mapping[str, str]) -> str | None:
    version = SecretVersion.objects.filter(pk=_number(mark[MARK])).first()
    try:
        return decrypt(version.token) if version is not None else None
    except SecretUnreadable:
        return None


# --- Use ------------------------------------------------------------------------------------
def versions_of(value: Any) -> dict[str, SecretVersion]:
    """The versions that the marks in `value` name, by id, with who set them. One query."""
    wanted = {_number(mark[MARK]) for _path, mark in marks_in(value)}
    rows = SecretVersion.objects.filter(pk__in=wanted).select_related("set_by")
    return {str(row.pk): row for row in rows}


def filled_in(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with every mark replaced by its value: only for the call that sends it.

    Raises WriteProblem (secret_lost) where a value is gone or no key opens it.
    """
    versions = versions_of(body)

    def fill(value: Any) -> Any:
        if is_mark(value):
            return _opened(versions.get(str(value[MARK])))
        if isinstance(value, Mapping):
            return {key: fill(item) for key, item in value.items()}
        return value

    return {key: fill(item) for key, item in body.items()}


def _opened(version: SecretVersion | None) -> str:
    if version is None:
        raise WriteProblem(Problem.SECRET_LOST, code="SecretGone")
    try:
        return decrypt(version.token)
    except SecretUnreadable as error:
        raise WriteProblem(Problem.SECRET_LOST, code="SecretUnreadable") from error


# --- Clean up -------------------------------------------------------------------------------
@transaction.atomic
def secrets_clean_up() -> int:
    """Delete the versions that nothing can send any more; returns how many.

    Kept are those of open drafts, of open changes and of failed ones that may be tried again, and
    the last ones that were written.
    """
    now = timezone.now()
    candidates = set(
        SecretVersion.objects.filter(set_at__lt=now - UNUSED_AFTER).values_list("pk", flat=True)
    )
    if not candidates:
        return 0
    used: set[int] = set()
    for data in Draft.objects.filter(submitted_change_id=None).values_list("data", flat=True):
        used |= _ids_in(data.get("source"))
    retried = Q(state="failed", finished_at__gt=now - KEPT_AFTER_FAILURE)
    for content in Change.objects.filter(Q(state__in=_OPEN) | retried).values_list(
        "content__secret_versions", flat=True
    ):
        used |= {_number(it) for it in content or []}
    holders = Configuration.objects.filter(gone_at=None).exclude(desired=None)
    for desired in holders.values_list("desired", flat=True).iterator():
        used |= _ids_in(desired)
    deleted, _each = SecretVersion.objects.filter(pk__in=candidates - used).delete()
    return deleted


def _ids_in(value: Any) -> set[int]:
    return {_number(mark[MARK]) for _path, mark in marks_in(value or {})}


def _number(text: object) -> int:
    return int(str(text)) if str(text).isdecimal() and len(str(text)) < 19 else 0
