"""The pages that show configurations: the list, and one of them with its tabs."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from access.rights import Act, rights_of
from audit import actions
from changes.access_checks import user_of
from changes.diff import diff
from changes.faces import download_of, open_one
from clusters.kube.access import is_connected
from clusters.kube.problems import words_of
from configurations import detail as parts
from configurations import export, listing, observe, search
from configurations import sync_now as syncs
from configurations.access_checks import configuration_for
from configurations.csv import csv_of
from configurations.faces import FORMS
from configurations.faces.places import faces_of_configuration
from configurations.models import Configuration, SyncRequest
from configurations.specification.wire import desired_part, normalised
from live.pages import render_page
from live.services import versions_for


# --- The list -------------------------------------------------------------------------------
@require_safe
def configuration_list(request: HttpRequest) -> HttpResponse:
    """All that one may see: filter, views with counts, one page of rows."""
    query = listing.Query.of(request.GET, request.GET.get("add", ""))
    if "add" in request.GET or "drop" in request.GET:
        dropped = request.GET.get("drop", "")
        tokens = [it for it in query.tokens if str(it) != dropped]
        return redirect(f"{request.path}{query.url(q=search.text_of(tokens))}")

    def context() -> dict[str, Any]:
        page = listing.page_of(user_of(request), query)
        version = versions_for(request, "configurations")["configurations"]
        chips = listing.chips_of(user_of(request), query, version)
        return {
            "query": query,
            "page": page,
            "chips": chips,
            "sorts": listing.SORTS,
            "total": next((it.count for it in chips if it.is_current), None),
            "tokens": [(token, query.without(token)) for token in query.tokens],
            "sort_urls": {key: query.url(sort=key) for key in listing.SORTS},
            "may_propose": rights_of(user_of(request)).may_anywhere(Act.PROPOSE),
            "forms": FORMS,
            "adopts": listing.UNMANAGED in query.tokens,
        }

    return render_page(
        request,
        "configurations/list.html",
        context,
        parts=("configurations", "chips"),
        scopes=("configurations",),
        shared=True,
    )


@require_safe
def export_csv(request: HttpRequest) -> HttpResponseBase:
    """The current filter as CSV, all pages of it."""
    query = listing.Query.of(request.GET)
    return csv_of(user_of(request), query)


@require_safe
def export_zip(request: HttpRequest) -> HttpResponseBase:
    """What was picked, or else the current filter, as files in a zip."""
    query = listing.Query.of(request.GET)
    picked = [int(it) for it in request.GET.getlist("pick") if it.isdecimal() and len(it) < 19]
    wanted = Q(pk__in=picked) if picked else search.condition(query.tokens)
    rows = export.exported(user_of(request), wanted)
    count = rows.count()
    if 0 < count <= export.LIMIT:
        code = request.GET.get("face", "")
        return export.zip_of(rows, code if code in FORMS else "arm")
    if count:
        said = _("A zip holds at most %(limit)d configurations; these are %(n)d. Filter the list.")
        messages.error(request, said % {"limit": export.LIMIT, "n": count})
    else:
        messages.error(request, _("There is nothing to export."))
    return redirect(f"{reverse('configurations:list')}{query.url()}")


# --- One configuration ----------------------------------------------------------------------
@require_safe
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    configuration = configuration_for(request, pk)

    def context() -> dict[str, Any]:
        return {
            **_head(request, configuration, "status"),
            "story": parts.story_of(configuration, user_of(request)),
            **_sync(configuration),
        }

    return render_page(
        request,
        "configurations/detail.html",
        context,
        parts={
            "verdict": "configurations/base_detail.html",
            "status": "configurations/detail.html",
        },
        scopes=(f"configuration:{pk}", "changes", "connections"),
        shared=True,
    )


@require_safe
def detail_diff(request: HttpRequest, pk: int) -> HttpResponse:
    """What was approved last beside what Azure holds."""
    configuration = configuration_for(request, pk)
    context = _head(request, configuration, "diff")
    if configuration.desired is not None:
        approved, live = normalised(configuration.desired), normalised(configuration.observed)
        context["diff"] = diff(approved, live)
    return _tab(request, "configurations/diff.html", context)


@require_safe
def detail_specification(request: HttpRequest, pk: int) -> HttpResponse:
    configuration = configuration_for(request, pk)
    context = _head(request, configuration, "specification")
    specification = desired_part(configuration.observed or configuration.desired or {})
    context["body"] = {"properties": specification}
    context["specification"] = normalised(specification)
    return _tab(request, "configurations/specification.html", context)


@require_safe
def detail_faces(request: HttpRequest, pk: int) -> HttpResponse:
    """The configuration in the words of other tools."""
    configuration = configuration_for(request, pk)
    of = _version(request, configuration)
    context = {
        **_head(request, configuration, "faces"),
        **faces_of_configuration(configuration, of, request.GET.get("face", "")),
        "of": of,
    }
    return _tab(request, "configurations/faces.html", context)


@require_safe
def face_file(request: HttpRequest, pk: int) -> HttpResponse:
    """One form of it as a file."""
    configuration = configuration_for(request, pk)
    of = _version(request, configuration)
    context = faces_of_configuration(configuration, of, request.GET.get("face", ""))
    return download_of(open_one(context["faces"], context["face"]))


def _version(request: HttpRequest, configuration: Configuration) -> str:
    """Which specification: "observed", or "desired" where that is asked for and known."""
    wants_approved = request.GET.get("of") == "desired" or not configuration.observed
    return "desired" if wants_approved and configuration.desired is not None else "observed"


@require_safe
def detail_changes(request: HttpRequest, pk: int) -> HttpResponse:
    configuration = configuration_for(request, pk)
    context = _head(request, configuration, "changes")
    context["changes"] = parts.changes_of(configuration, user_of(request))[:100]
    return _tab(request, "configurations/changes.html", context)


@require_safe
def detail_history(request: HttpRequest, pk: int) -> HttpResponse:
    configuration = configuration_for(request, pk)
    context = _head(request, configuration, "history")
    context["events"] = [
        {"event": it, "look": actions.look(it.action), "sentence": actions.sentence(it),
         "under": actions.under(it)}
        for it in parts.history_of(configuration, user_of(request))[:100]
    ]  # fmt: skip
    return _tab(request, "configurations/history.html", context)


@require_safe
def detail_raw(request: HttpRequest, pk: int) -> HttpResponse:
    """The resource as Azure sent it, put together again from the rows."""
    configuration = configuration_for(request, pk)
    context = _head(request, configuration, "raw")
    context["resource"] = {
        "id": configuration.arm_id_display,
        "name": configuration.name,
        "type": "Microsoft.KubernetesConfiguration/fluxConfigurations",
        "systemData": configuration.system_data,
        "properties": {
            **configuration.observed,
            "statuses": [_status_json(it) for it in context["statuses"]],
        },
    }
    return _tab(request, "configurations/raw.html", context)


@require_POST
def watch(request: HttpRequest, pk: int) -> HttpResponse:
    """An open page says that somebody looks: read it closely for another minute."""
    configuration = configuration_for(request, pk)
    observe.configuration_watch(configuration_id=configuration.pk)
    return HttpResponse(status=204)


@require_POST
def sync_now(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask Flux to look at the source now: for authors, where the Kubernetes API is connected."""
    configuration = configuration_for(request, pk, Act.PROPOSE)
    if configuration.gone_at is not None or not is_connected(configuration.cluster):
        messages.error(request, _("The portal has no way to this cluster's Kubernetes API."))
    elif syncs.sync_ask(by=user_of(request), configuration=configuration) is None:
        messages.info(request, _("Flux is being told already."))
    else:
        messages.success(request, _("Flux is told to sync now. The page follows."))
    return redirect("configurations:detail", pk)


# --- Parts ----------------------------------------------------------------------------------
def _tab(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return render_page(request, template, context, parts=("verdict",))


def _head(request: HttpRequest, configuration: Configuration, tab: str) -> dict[str, Any]:
    """What every tab shows: names, verdict, counts on the tabs, what one may do."""
    rights = rights_of(user_of(request))
    may_propose = rights.may(Act.PROPOSE, configuration.cluster.environment_id)
    return {
        "configuration": configuration,
        "cluster": configuration.cluster,
        "tab": tab,
        "scope": f"configuration:{configuration.pk}",
        "may_propose": may_propose and configuration.gone_at is None,
        "kubernetes": configuration.gone_at is None and is_connected(configuration.cluster),
        "change_count": parts.changes_of(configuration, user_of(request)).count(),
        **parts.status_context(configuration),
    }


def _sync(configuration: Configuration) -> dict[str, Any]:
    """When Flux looks again by itself, and whether it can be asked to do so now."""
    request = SyncRequest.objects.select_related("asked_by").filter(configuration=configuration)
    last = request.first()
    return {
        "rhythm": syncs.rhythm_of(configuration),
        "sync_request": last,
        "sync_problem": words_of(last.problem) if last is not None else None,
    }


def _status_json(status: Any) -> dict[str, Any]:
    namespace, _slash, name = status.applied_by.rpartition("/")
    return {
        "name": status.name,
        "namespace": status.namespace,
        "kind": status.kind,
        "complianceState": status.compliance,
        "appliedBy": {"name": name, "namespace": namespace} if status.applied_by else None,
        "statusConditions": status.conditions,
        "helmReleaseProperties": status.helm,
    }
