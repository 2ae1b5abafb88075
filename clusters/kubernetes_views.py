"""What a cluster's Kubernetes API shows, tab by tab. No view here calls it: workers do."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access.checks import person, requires_everywhere
from access.rights import Act, rights_of
from clusters.access_checks import cluster_for, extension_of
from clusters.connections import kubernetes_switch
from clusters.kube import access
from clusters.kube.expected import checks_of
from clusters.kube.problems import words_of
from clusters.kube.reading import reading_watch
from clusters.kube.tables import VIEWS, Shown, View
from clusters.kubernetes_forms import KubeconfigForm, is_namespace
from clusters.models import Cluster, Connection
from live.pages import render_page

_administers = requires_everywhere(Act.ADMINISTER)
_LONGEST_MARK = 2000


@require_safe
def kubernetes(request: HttpRequest, pk: int, view: str = "namespaces") -> HttpResponseBase:
    """One tab: its tables, how old they are, what should be there."""
    cluster = cluster_for(person(request), pk)
    if view not in VIEWS:
        raise Http404
    place, error = _place(request, VIEWS[view])

    def context() -> dict[str, Any]:
        return {
            **_head(request, cluster, VIEWS[view]),
            **_shown(cluster, VIEWS[view], place),
            "namespace": request.GET.get("namespace", "").strip()[:80],
            "namespace_error": error,
        }

    return render_page(
        request,
        "clusters/kubernetes.html",
        context,
        parts=("tables",),
        scopes=(access.scope_of(pk), "connections", f"cluster:{pk}"),
    )


@require_POST
def kubernetes_watch(request: HttpRequest, pk: int, view: str) -> HttpResponse:
    """An open page says that somebody looks: go on reading for another minute."""
    cluster = cluster_for(person(request), pk)
    if view not in VIEWS:
        raise Http404
    place, _error = _place(request, VIEWS[view])
    if access.is_connected(cluster):
        reading_watch(cluster=cluster, view=view, **place)
    return HttpResponse(status=204)


def _place(request: HttpRequest, view: View) -> tuple[dict[str, str], str]:
    """Namespace, table and page that the address names, and what is wrong with the namespace."""
    given = {name: request.GET.get(name, "").strip() for name in ("namespace", "table", "after")}
    error = ""
    if given["namespace"] and not is_namespace(given["namespace"]):
        error = _("No namespace can have this name: small letters, digits and -, at most 63.")
    if error or not view.filters:
        given["namespace"] = ""
    known = {it.key for it in view.tables}
    mark = given["after"]
    is_mark = mark.isascii() and mark.isprintable() and len(mark) <= _LONGEST_MARK
    if given["table"] not in known or not is_mark:
        given["table"] = given["after"] = ""
    return given, error


def _head(request: HttpRequest, cluster: Cluster, view: View) -> dict[str, Any]:
    return {
        "cluster": cluster,
        "views": list(VIEWS.values()),
        "view": view,
        "scope": access.scope_of(cluster.pk),
        "stored": access.stored_of(cluster),
        "administers": rights_of(person(request)).scope(Act.ADMINISTER) is None,
        "connected": access.is_connected(cluster),
        "can_ask_azure": cluster.kind == Cluster.Kind.MANAGED,
        "query": request.GET.urlencode(),
    }


def _shown(cluster: Cluster, view: View, place: dict[str, str]) -> dict[str, Any]:
    """What was read last; asking for it here makes the page whole without JavaScript."""
    if not access.is_connected(cluster):
        return {"reading": None}
    reading = reading_watch(cluster=cluster, view=view.key, **place)
    extension = extension_of(cluster)
    namespaces, found = _configurations(cluster)
    checks = checks_of(
        view.key,
        reading.tables,
        namespaces=namespaces,
        settings=extension.settings if extension is not None else {},
    )
    tables = [_table(view, it, place, found) for it in reading.tables]
    return {
        "reading": reading,
        "problem": words_of(reading.problem),
        "tables": tables,
        # One line each: eight empty tables would hide the others.
        "empty": [it for it in tables if len(tables) > 1 and not it["rows"] and not it["words"]],
        "checks": checks,
        "missing": sum(not it.ok for it in checks),
        "has_flux": extension is not None,
        "paged": bool(place["after"]),
    }


def _table(
    view: View,
    table: Shown,
    place: dict[str, str],
    found: dict[str, int],
) -> dict[str, Any]:
    """A table with its command, its next page, and which configuration each row belongs to."""
    following = ""
    if table["continued"]:
        values = {"table": table["key"], "after": table["continued"]}
        kept = {"namespace": place["namespace"]} if place["namespace"] else {}
        following = urlencode({**kept, **values})
    command = next(it.command for it in view.tables if it.key == table["key"])
    if place["namespace"]:
        command = command.replace("-A", f"-n {place['namespace']}")
    return {
        **table,
        "command": command,
        "next": following,
        "words": words_of(table["problem"]),
        "lines": [
            {"cells": list(zip(table["columns"], row, strict=False)),
             "configuration": found.get(owner) if view.filters else None}
            for row, owner in zip(table["rows"], table["owners"], strict=False)
        ],
    }  # fmt: skip


def _configurations(cluster: Cluster) -> tuple[set[str], dict[str, int]]:
    """Namespaces of the cluster's configurations, and which one a Flux object is of; one query.

    The objects are those that Azure reports: {"NAMESPACE/NAME": configuration}.
    """
    rows = cluster.configurations.filter(gone_at=None).values_list(
        "pk", "namespace", "name", "statuses__namespace", "statuses__name"
    )
    namespaces, found = set(), {}
    for pk, namespace, name, object_namespace, object_name in rows:
        namespaces.add(namespace)
        found[f"{namespace}/{name}"] = pk
        if object_name:
            found[f"{object_namespace}/{object_name}"] = pk
    return namespaces - {""}, found


# --- For admins -----------------------------------------------------------------------------
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("text")
@_administers
def kubeconfig(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Store a kubeconfig for a cluster, or replace it. It is never shown again."""
    cluster = cluster_for(person(request), pk)
    form = KubeconfigForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        access.kubeconfig_set(by=person(request), cluster=cluster, access=form.access)
        messages.success(request, _("The kubeconfig is stored, encrypted."))
        return redirect("clusters:kubernetes", pk)
    context = {"cluster": cluster, "form": form, "stored": access.stored_of(cluster)}
    status = 422 if form.is_bound else 200
    return render(request, "clusters/kubeconfig.html", context, status=status)


@require_POST
@_administers
def kubeconfig_remove(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Forget the stored kubeconfig."""
    cluster = cluster_for(person(request), pk)
    if access.kubeconfig_remove(by=person(request), cluster=cluster):
        messages.success(request, _("The kubeconfig is removed. Withdraw its credential as well."))
    return redirect("clusters:kubernetes", pk)


@require_POST
@_administers
def connection_kubernetes(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Read a connection's clusters through their Kubernetes API, or no longer."""
    found = get_object_or_404(Connection, pk=pk)
    on = request.POST.get("on") == "1"
    kubernetes_switch(by=person(request), connection=found, on=on)
    words = _("Clusters can be read through their Kubernetes API now.") if on else _(
        "Clusters are no longer read through their Kubernetes API."
    )  # fmt: skip
    messages.success(request, words)
    return redirect("clusters:connection", pk)
