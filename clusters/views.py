"""Pages of the fleet: the list of clusters and one cluster."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from access.checks import person, requires_everywhere
from access.models import User
from access.rights import Act, rights_of
from changes.models import Change, ChangeTarget
from clusters import listing
from clusters.access_checks import cluster_for, extension_of
from clusters.cluster_symptoms import extension_remedy
from clusters.environments import Rules, cluster_assign
from clusters.extension_risks import cluster_risks
from clusters.forms import AssignForm
from clusters.models import Cluster, Connection, EnvironmentRule
from clusters.prerequisites.checks import checks_of, summary_of
from clusters.prerequisites.failing import FAILURES
from clusters.prerequisites.readings import scope_name
from live.pages import render_page

_administers = requires_everywhere(Act.ADMINISTER)
CONFIGURATIONS_SHOWN = 50
CHANGES_SHOWN = 5


@require_safe
def cluster_list(request: HttpRequest) -> HttpResponseBase:
    """All clusters that one may see; filters and keyset are in the address."""
    query, user = listing.Query.of(request.GET.dict()), person(request)

    def context() -> dict[str, Any]:
        page = listing.page_of(user, query)
        return {
            "query": query,
            "page": page,
            "chips": listing.chips_of(user, query),
            "stale": {row.pk for row in page.rows if listing.is_stale(row)},
            "connected": bool(page.rows) or Connection.objects.filter(enabled=True).exists(),
            "may_administer": rights_of(user).scope(Act.ADMINISTER) is None,
            "failed_title": FAILURES[query.failed].title if query.failed else "",
            "without_failed": query.url(failed="", connection=""),
            **listing.choices_of(user),
        }

    return render_page(
        request,
        "clusters/list.html",
        context,
        parts=("clusters", "chips"),
        scopes=("clusters", "configurations"),
        shared=True,
    )


@require_safe
def cluster_search(request: HttpRequest) -> HttpResponseBase:
    """For a typeahead: the first matches as an HTML part, with `q` in the address."""
    q = request.GET.get("q", "").strip()
    context = {"clusters": listing.search(person(request), q), "q": q}
    return render(request, "clusters/_search.html", context)


@require_safe
def cluster_detail(request: HttpRequest, pk: int) -> HttpResponseBase:
    """One cluster: how it is reached, whether Flux is there, what runs and what changed."""
    user = person(request)
    cluster = cluster_for(user, pk)
    return render_page(
        request,
        "clusters/detail.html",
        lambda: _detail(user, cluster),
        parts=("facts", "extension", "held", "recent", "prerequisites"),
        scopes=(
            f"cluster:{pk}",
            "changes",
            "configurations",
            scope_name(cluster.connection_id),
        ),
    )


def _detail(user: User, cluster: Cluster) -> dict[str, Any]:
    rights = rights_of(user)
    configurations = cluster.configurations.filter(gone_at=None)
    install = _open_install(user, cluster)
    administers = rights.scope(Act.ADMINISTER) is None
    return {
        "cluster": cluster,
        "cluster_scope": f"cluster:{cluster.pk}",
        "extension": extension_of(cluster),
        "remedy": extension_remedy(extension_of(cluster)),
        "is_stale": listing.is_stale(cluster),
        "is_openshift": "openshift" in cluster.distribution.lower(),
        "configurations": configurations[:CONFIGURATIONS_SHOWN],
        "risks": cluster_risks(cluster),
        "install": install,
        "may_propose": cluster.gone_at is None and rights.may(Act.PROPOSE, cluster.environment_id),
        "changes": Change.objects.visible_to(user)
        .filter(targets__cluster_id=cluster.pk)
        .distinct()[:CHANGES_SHOWN],
        "prerequisites": summary_of(checks_of(cluster)),
        "readings_scope": scope_name(cluster.connection_id),
        "rule": _rule_of(cluster),
        "assign": AssignForm(cluster=cluster) if administers else None,
    }


def _open_install(user: User, cluster: Cluster) -> Change | None:
    """The change under way that installs the extension here, if one is."""
    targets = ChangeTarget.objects.filter(cluster_id=cluster.pk)
    open_states = ("in_review", "approved", "scheduled", "applying")
    found: Change | None = (
        Change.objects.visible_to(user)
        .filter(kind="flux_extension", state__in=open_states, targets__in=targets)
        .first()
    )
    return found


def _rule_of(cluster: Cluster) -> EnvironmentRule | None:
    if cluster.environment_by_hand:
        return None
    rule = Rules.current().rule_for(cluster.tags)
    return (
        None
        if rule is None
        else EnvironmentRule.objects.filter(tag=rule.tag, value=rule.value).first()
    )


@require_POST
@_administers
def cluster_environment(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Put a cluster into an environment by hand, or give it back to the rules."""
    cluster = cluster_for(person(request), pk)
    form = AssignForm(request.POST, cluster=cluster)
    if form.is_valid():
        moved = cluster_assign(by=person(request), cluster=cluster, **form.decision())
        where = moved.environment or _("no environment")
        messages.success(
            request,
            _("%(cluster)s belongs to %(where)s now.") % {"cluster": cluster, "where": where},
        )
    else:
        messages.error(request, _("Choose an environment. Nothing was changed."))
    return redirect("clusters:detail", pk)
