"""Suspend, resume, delete: one page each that asks for a reason and ends as a change."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from access.rights import Act
from changes.access_checks import user_of
from changes.errors import ChangeRefused
from changes.models import Change
from configurations import services
from configurations.access_checks import configuration_for
from configurations.models import Configuration
from configurations.reading import kustomizations_of
from configurations.wizard.forms import DeleteForm, ReasonForm


@require_http_methods(["GET", "POST"])
def suspend(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(request, pk, Change.Verb.SUSPEND, _("Suspend"))


@require_http_methods(["GET", "POST"])
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(request, pk, Change.Verb.RESUME, _("Resume"))


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
        "pruned": _pruned(configuration),
    }
    return render(request, "configurations/act.html", context)


def _form(request: HttpRequest, configuration: Configuration, verb: str) -> ReasonForm:
    posted = request.POST if request.method == "POST" else None
    if verb == Change.Verb.DELETE:
        return DeleteForm(posted, name=configuration.name)
    return ReasonForm(posted)


def _pruned(configuration: Configuration) -> list[str]:
    """The kustomizations whose objects a delete takes along."""
    entries = kustomizations_of(configuration.observed)
    return [name for name, entry in entries.items() if entry.get("prune") is True]
