"""Suspend, resume, delete: one page each that asks for a reason and ends as a change."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from access.models import User
from access.rights import Act, rights_of
from changes.access_checks import user_of
from changes.errors import ChangeRefused
from changes.models import Change
from clusters.access_checks import cluster_for, extension_of
from clusters.models import Cluster
from configurations import removal, services
from configurations.access_checks import configuration_for
from configurations.models import Configuration
from configurations.pruning import effect_of
from configurations.wizard.forms import DeleteForm, ReasonForm, RemoveFluxForm

SHOWN = 50


@require_http_methods(["GET", "POST"])
def suspend(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(request, pk, Change.Verb.SUSPEND, _("Suspend"))


@require_http_methods(["GET", "POST"])
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(request, pk, Change.Verb.RESUME, _("Resume"))


@require_http_methods(["GET", "POST"])
def send_again(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(request, pk, Change.Verb.SEND_AGAIN, _("Send again"))


@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(request, pk, Change.Verb.DELETE, _("Delete"))


def _act(request: HttpRequest, pk: int, verb: str, label: str | Promise) -> HttpResponse:
    configuration = configuration_for(request, pk, Act.PROPOSE)
    form = _form(request, configuration, verb)
    if request.method == "POST" and form.is_valid():
        try:
            change = services.configuration_propose(
                author=user_of(request),
                configuration=configuration,
                verb=verb,
                reason=form.cleaned_data["reason"],
                force=form.cleaned_data.get("force", False),
            )
        except ChangeRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("changes:detail", change.pk)
    context = {
        "configuration": configuration,
        "form": form,
        "verb": str(verb),
        "label": label,
        "effect": effect_of([configuration]) if verb == Change.Verb.DELETE else None,
    }
    return render(request, "configurations/act.html", context)


def _form(request: HttpRequest, configuration: Configuration, verb: str) -> ReasonForm:
    posted = request.POST if request.method == "POST" else None
    if verb == Change.Verb.DELETE:
        return DeleteForm(
            posted,
            name=configuration.name,
            may_force=may_force(user_of(request), configuration.cluster),
        )
    return ReasonForm(posted)


@require_http_methods(["GET", "POST"])
def remove_flux(request: HttpRequest, cluster_pk: int) -> HttpResponse:
    """Ask for a review of deleting all configurations of a cluster, then its extension."""
    user = user_of(request)
    cluster = cluster_for(user, cluster_pk, Act.PROPOSE)
    extension = extension_of(cluster)
    if extension is None:
        raise Http404
    configurations = removal.configurations_of(cluster)
    posted = request.POST if request.method == "POST" else None
    form = RemoveFluxForm(
        posted,
        name=cluster.name,
        may_force=may_force(user, cluster),
        initial={"seen": ",".join(str(it.pk) for it in configurations)},
    )
    if request.method == "POST" and form.is_valid():
        try:
            change = removal.flux_removal_propose(
                author=user,
                extension=extension,
                seen=form.cleaned_data["seen"],
                reason=form.cleaned_data["reason"],
                force=form.cleaned_data.get("force", False),
            )
        except ChangeRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("changes:detail", change.pk)
    context = {
        "cluster": cluster,
        "configurations": [(it, effect_of([it])) for it in configurations[:SHOWN]],
        "configuration_count": len(configurations),
        "effect": effect_of(configurations),
        "form": form,
    }
    return render(request, "configurations/remove_flux.html", context)


def may_force(user: User, cluster: Cluster) -> bool:
    """A delete by force is an admin's to ask for, in the cluster's environment."""
    return rights_of(user).may(Act.ADMINISTER, cluster.environment_id)
