"""The history: a page that can be filtered, and its exports."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_htmx.middleware import HtmxDetails

from audit import exports
from audit.actions import GROUPS
from audit.filters import HistoryFilter
from audit.models import AuditEvent
from audit.pages import id_of, page_of, today_and_yesterday
from audit.viewers import environments_for, visible_to

_MOST_NEW = 100  # counted no further: "100 or more"
_NEW_SINCE = "new-since-"  # id of the live element: it says what the open page already shows


@require_safe
@never_cache
def history(request: HttpRequest) -> HttpResponse:
    """Days of events, newest first; the part `new-since-ID` says how many came after that one."""
    form, events = _filtered(request)
    _part, _prefix, since_id = (HtmxDetails(request).target or "").partition(_NEW_SINCE)
    if since_id:
        return _new_events(request, events, since_id)
    page = page_of(events, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    today, yesterday = today_and_yesterday()
    context = {
        "form": form,
        "groups": GROUPS.values(),
        "page": page,
        "since_id": page.newest_id,
        "query": _query(request),
        "today": today,
        "yesterday": yesterday,
    }
    return render(request, "audit/list.html", context)


@require_safe
def export_csv(request: HttpRequest) -> HttpResponseBase:
    """The current filter as CSV."""
    return exports.as_csv(request, _filtered(request)[1])


@require_safe
def export_json_lines(request: HttpRequest) -> HttpResponseBase:
    """The current filter as JSON Lines, with the hashes."""
    return exports.as_json_lines(request, _filtered(request)[1])


def _filtered(request: HttpRequest) -> tuple[HistoryFilter, QuerySet[AuditEvent]]:
    form = HistoryFilter(request.GET, environments=environments_for(request.user))
    return form, form.apply(visible_to(request.user))


def _new_events(request: HttpRequest, events: QuerySet[AuditEvent], since_id: str) -> HttpResponse:
    """How many events of this filter came after the newest one on the open page."""
    count = len(events.filter(pk__gt=id_of(since_id)).values_list("pk")[:_MOST_NEW])
    context = {
        "new": count,
        "many": count == _MOST_NEW,
        "since_id": id_of(since_id),
        "query": _query(request),
    }
    return render(request, "audit/list.html#new-events", context)


def _query(request: HttpRequest) -> dict[str, str]:
    """Query strings of the filter alone: as it is (`all`), and without the group of acts."""
    kept = request.GET.copy()
    for name in ("before", "after"):
        kept.pop(name, None)
    without_action = kept.copy()
    without_action.pop("action", None)
    return {"all": kept.urlencode(), "without_action": without_action.urlencode()}
