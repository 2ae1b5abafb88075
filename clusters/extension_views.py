"""Pages of a cluster's Flux extension: state and settings, delete, and what OpenShift needs."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from access.checks import person
from access.models import User
from access.rights import Act, rights_of
from changes.errors import ChangeRefused
from changes.models import Change
from clusters.access_checks import cluster_for, extension_of
from clusters.cluster_symptoms import extension_remedy
from clusters.extension_changes import (
    chosen_install_step,
    configurations_on,
    extension_delete_propose,
    extension_update_propose,
    not_installed,
)
from clusters.extension_forms import ExtensionDeleteForm, ExtensionForm, upgrades_of
from clusters.extension_kind import NAME as KIND
from clusters.extension_kind import install_propose, install_step
from clusters.extension_risks import cluster_risks
from clusters.extension_settings.catalogue import CONTROLLERS
from clusters.extension_settings.versions import known
from clusters.extension_support import support_of
from clusters.models import Cluster, Extension
from live.pages import render_page

CONFIGURATIONS_SHOWN = 50
_OPEN = ("in_review", "approved", "scheduled", "applying")
_NAMESPACE = "flux-system"


@require_http_methods(["GET", "HEAD", "POST"])
def extension(request: HttpRequest, pk: int) -> HttpResponseBase:
    """How the extension is and what it is told; a POST asks for a review of what differs."""
    user = person(request)
    cluster = cluster_for(user, pk, Act.PROPOSE if request.method == "POST" else Act.VIEW)
    found = extension_of(cluster)
    if found is None:
        return redirect("clusters:detail", pk)
    form = ExtensionForm(request.POST or None, extension=found)
    if request.method == "POST" and form.is_valid():
        try:
            change = extension_update_propose(
                author=user,
                extension=found,
                update=form.update,
                seen=form.cleaned_data["seen"],
                reason=form.cleaned_data["reason"],
            )
        except ChangeRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The update waits for a review by somebody else."))
            return redirect("changes:detail", change.pk)
    return render_page(
        request,
        "clusters/extension_page.html",
        lambda: _page(user, cluster, found, form),
        parts=("status",),
        scopes=(f"cluster:{pk}", "changes", "configurations"),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def extension_install(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Ask for a review of the install, with version, train and settings as chosen."""
    user = person(request)
    cluster = cluster_for(user, pk, Act.PROPOSE)
    if extension_of(cluster) is not None:
        messages.info(request, _("The extension is there already. Nothing was changed."))
        return redirect("clusters:detail", pk)
    form = ExtensionForm(request.POST or None, extension=not_installed(cluster))
    if request.method == "POST" and form.is_valid():
        try:
            change = install_propose(
                author=user,
                cluster=cluster,
                reason=form.cleaned_data["reason"],
                step=chosen_install_step(cluster, form.update),
            )
        except ChangeRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The install waits for a review by somebody else."))
            return redirect("changes:detail", change.pk)
    context = {
        "cluster": cluster,
        "form": form,
        "sections": list(form.sections()),
        "known": known(),
        "step": install_step(cluster),
        "risks": cluster_risks(cluster),
    }
    return render(request, "clusters/install.html", context)


def _page(user: User, cluster: Cluster, found: Extension, form: ExtensionForm) -> dict[str, Any]:
    may = cluster.gone_at is None and rights_of(user).may(Act.PROPOSE, cluster.environment_id)
    return {
        "cluster": cluster,
        "cluster_scope": f"cluster:{cluster.pk}",
        "extension": found,
        "remedy": extension_remedy(found),
        "support": support_of(found),
        "upgrades": upgrades_of(found),
        "open_changes": _open_changes(user, cluster),
        "is_openshift": "openshift" in cluster.distribution.lower(),
        "may_propose": may,
        "form": form,
        "sections": list(form.sections()),
    }


def _open_changes(user: User, cluster: Cluster) -> list[Change]:
    rows = Change.objects.visible_to(user).filter(kind=KIND, state__in=_OPEN)
    return list(rows.filter(targets__cluster_id=cluster.pk).distinct())


@require_http_methods(["GET", "HEAD", "POST"])
def extension_delete(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Ask for a review of the uninstall; the configurations on the cluster stand in its way."""
    user = person(request)
    cluster = cluster_for(user, pk, Act.PROPOSE)
    found = extension_of(cluster)
    if found is None:
        raise Http404
    may_force = rights_of(user).may(Act.ADMINISTER, cluster.environment_id)
    form = ExtensionDeleteForm(request.POST or None, cluster=cluster, may_force=may_force)
    if request.method == "POST" and form.is_valid():
        try:
            change = extension_delete_propose(
                author=user,
                extension=found,
                reason=form.cleaned_data["reason"],
                force=form.cleaned_data.get("force", False),
            )
        except ChangeRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The delete waits for a review by somebody else."))
            return redirect("changes:detail", change.pk)
    configurations = configurations_on(cluster)
    context = {
        "cluster": cluster,
        "extension": found,
        "form": form,
        "configurations": configurations[:CONFIGURATIONS_SHOWN],
        "configuration_count": configurations.count(),
    }
    return render(request, "clusters/extension_delete.html", context)


@require_safe
def openshift(request: HttpRequest) -> HttpResponseBase:
    """The service accounts that need the nonroot constraint before Flux is installed."""
    commands = [
        f"oc adm policy add-scc-to-user nonroot system:serviceaccount:{_NAMESPACE}:{name}"
        for name in CONTROLLERS
    ]
    context = {
        "namespace": _NAMESPACE,
        "rows": list(zip(CONTROLLERS, commands, strict=True)),
        "all_commands": "\n".join(commands),
    }
    return render(request, "clusters/extension_openshift.html", context)
