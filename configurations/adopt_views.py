"""The page "Adopt": what is taken as approved, one by one or many at once."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from access.rights import Act, rights_of
from changes.access_checks import user_of
from changes.errors import ChangeRefused
from configurations import adopting, search
from configurations.listing import UNMANAGED, Query
from configurations.wizard.forms import ReasonForm


@require_http_methods(["GET", "POST"])
def adopt(request: HttpRequest) -> HttpResponse:
    """Those that were picked, or else what the filter finds and Fluxgate never wrote."""
    user = user_of(request)
    seen = _seen(request)
    candidates = adopting.candidates_of(user, _wanted(request), seen)
    ready = [it.configuration for it in candidates if not it.why_not]
    _allow(request, [it.configuration.cluster.environment_id for it in candidates])
    form = ReasonForm(request.POST if request.method == "POST" else None)
    form.fields["reason"].help_text = _("It stays in the history.")
    if request.method == "POST" and form.is_valid():
        try:
            done = adopting.configurations_adopt(
                author=user,
                pks=[it.pk for it in ready],
                reason=form.cleaned_data["reason"],
                seen=seen,
            )
        except ChangeRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            said = ngettext("%(n)d configuration is adopted.", "%(n)d are adopted.", done)
            messages.success(request, said % {"n": done} + " " + _("Azure was not touched."))
            if done == 1:
                return redirect("configurations:detail", ready[0].pk)
            return redirect("configurations:list")
    context = {
        "ready": ready,
        "others": [it for it in candidates if it.why_not],
        "form": form,
        "is_full": len(candidates) == adopting.LIMIT,
        "limit": adopting.LIMIT,
    }
    return render(request, "configurations/adopt.html", context)


def _wanted(request: HttpRequest) -> Q:
    given = request.POST if request.method == "POST" else request.GET
    picked = [int(it) for it in given.getlist("pick") if it.isdecimal() and len(it) < 19]
    if picked or request.method == "POST":
        return Q(pk__in=picked)
    others = [it for it in Query.of(request.GET).tokens if it.key != "managed"]
    return search.condition([*others, UNMANAGED]) & Q(gone_at=None)


def _seen(request: HttpRequest) -> dict[int, str]:
    """What each looked like on the page that was posted."""
    pairs = (it.partition(":") for it in request.POST.getlist("seen"))
    return {int(pk): it for pk, _colon, it in pairs if pk.isdecimal() and len(pk) < 19}


def _allow(request: HttpRequest, environment_ids: list[int | None]) -> None:
    """Somebody who may propose in none of these is refused; unknown ones are not found."""
    rights = rights_of(user_of(request))
    if not environment_ids:
        if request.method == "POST" or "pick" in request.GET:
            raise Http404
        if not rights.may_anywhere(Act.PROPOSE):
            raise PermissionDenied
    elif not any(rights.may(Act.PROPOSE, it) for it in environment_ids):
        raise PermissionDenied
