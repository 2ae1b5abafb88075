"""Pages of what must hold before Flux works: one for a cluster, one for a connection.

No view here calls Azure: workers read, the pages judge what was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from access.checks import person, requires_everywhere
from access.rights import Act, rights_of
from clusters.access_checks import cluster_for, extension_of
from clusters.models import Cluster, Connection, ScopeReading
from clusters.prerequisites import checks as judge
from clusters.prerequisites import commands, endpoints, overview, readings
from live.pages import render_page

_administers = requires_everywhere(Act.ADMINISTER)


# --- A cluster ------------------------------------------------------------------------------
@require_safe
def prerequisites(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Every prerequisite of a cluster, worst first, and what it must reach."""
    user = person(request)
    cluster = cluster_for(user, pk)

    def context() -> dict[str, Any]:
        found = judge.checks_of(cluster)
        rights = rights_of(user)
        return {
            "cluster": cluster,
            "cluster_scope": f"cluster:{pk}",
            "readings_scope": readings.scope_name(cluster.connection_id),
            "checks": found,
            "summary": judge.summary_of(found),
            "deadline": judge.deadline_of(cluster),
            "asked_at": readings.asked_at(cluster),
            "problem": _read_problem(cluster),
            "may_propose": rights.may(Act.PROPOSE, cluster.environment_id),
            "may_register": rights.scope(Act.ADMINISTER) is None,
            **_endpoints(cluster.connection, endpoints.of_cluster(cluster), _namespace(cluster)),
        }

    return render_page(
        request,
        "clusters/prerequisites.html",
        context,
        parts=("checks", "summary"),
        scopes=(f"cluster:{pk}", "configurations", readings.scope_name(cluster.connection_id)),
    )


@require_POST
def prerequisites_check(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Have a worker read it all again now; the page follows."""
    cluster = cluster_for(person(request), pk, Act.PROPOSE)
    readings.cluster_ask(cluster=cluster)
    return redirect("clusters:prerequisites", pk)


@require_safe
def endpoints_csv(request: HttpRequest, pk: int) -> HttpResponse:
    """What the cluster must reach, for a firewall team."""
    cluster = cluster_for(person(request), pk)
    return _csv(endpoints.of_cluster(cluster), cluster.name)


@require_safe
def endpoints_job(request: HttpRequest, pk: int) -> HttpResponse:
    """A Job that tries it from inside the cluster."""
    cluster = cluster_for(person(request), pk)
    found = endpoints.of_cluster(cluster)
    return _yaml(endpoints.job_of(cluster.connection, found, namespace=_namespace(cluster)))


def _namespace(cluster: Cluster) -> str:
    """Where the controllers run, so that the same network policies hold; else anywhere."""
    return "default" if extension_of(cluster) is None else "flux-system"


def _read_problem(cluster: Cluster) -> ScopeReading | None:
    """Why the last read of the cluster itself failed."""
    rows = ScopeReading.objects.filter(cluster=cluster).exclude(problem="")
    return rows.first()


# --- A connection ---------------------------------------------------------------------------
@require_safe
@_administers
def connection_prerequisites(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Providers and rights by subscription, clusters by failed check, what they must reach."""
    found = get_object_or_404(Connection, pk=pk)
    return render_page(
        request,
        "clusters/connection_prerequisites.html",
        lambda: {
            "connection": found,
            "readings_scope": readings.scope_name(pk),
            **overview.of_connection(found),
            **_endpoints(found, endpoints.of_connection(found), "default"),
        },
        parts=("subscriptions", "counts"),
        scopes=("connections", "clusters", readings.scope_name(pk)),
    )


@require_POST
@_administers
def connection_prerequisites_check(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Have workers read every subscription of the connection now."""
    found = get_object_or_404(Connection, pk=pk)
    if found.enabled:
        readings.connection_ask(connection=found)
    else:
        messages.error(request, _("The connection is disabled: nothing is read through it."))
    return redirect("clusters:connection_prerequisites", pk)


@require_safe
@_administers
def connection_endpoints_csv(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Connection, pk=pk)
    return _csv(endpoints.of_connection(found), found.name)


@require_safe
@_administers
def connection_endpoints_job(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Connection, pk=pk)
    return _yaml(endpoints.job_of(found, endpoints.of_connection(found)))


# --- Both -----------------------------------------------------------------------------------
def _endpoints(
    connection: Connection, found: Sequence[endpoints.Endpoint], namespace: str
) -> dict[str, Any]:
    return {
        "endpoints": found,
        "endpoints_text": endpoints.as_text(found),
        "endpoints_csv": endpoints.as_csv(found),
        "endpoints_unknown": endpoints.unknown_of(connection),
        "job": endpoints.job_of(connection, found, namespace=namespace),
        "job_commands": endpoints.job_commands(namespace),
        "job_file": endpoints.JOB_FILE,
        "tools": commands.TOOLS,
    }


def _csv(found: Sequence[endpoints.Endpoint], name: str) -> HttpResponse:
    return _download(endpoints.as_csv(found), "text/csv", f"endpoints-{name}.csv")


def _yaml(text: str) -> HttpResponse:
    return _download(text, "application/yaml", endpoints.JOB_FILE)


def _download(text: str, content_type: str, name: str) -> HttpResponse:
    safe = "".join(it if it.isascii() and (it.isalnum() or it in "-_.") else "-" for it in name)
    return HttpResponse(
        text,
        content_type=f"{content_type}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{safe}"'},
    )
