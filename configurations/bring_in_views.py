"""The page "Bring in": paste or upload, see what was understood, choose, go on in the wizard."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from changes.access_checks import user_of
from changes.errors import ChangeRefused
from configurations import bringing
from configurations.access_checks import cluster_for
from configurations.bring_in_form import BringInForm
from configurations.faces.cleaning import BringInError
from configurations.models import Draft
from configurations.wizard import pages
from configurations.wizard.clusters import cluster_search

NAMED = "named"  # the choice: each on the cluster that it names


@never_cache
@require_http_methods(["GET", "POST"])
def bring_in(request: HttpRequest) -> HttpResponse:
    """The first step: a text or a file."""
    form = BringInForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and "read" in request.POST:
        return _choose(request)
    if request.method == "POST" and form.is_valid():
        try:
            found = bringing.read(form.cleaned_data["read"])
        except BringInError as error:
            form.add_error("text", str(error))
        else:
            return _choice_page(request, bringing.packed(found))
    status = 422 if form.errors else 200
    return render(request, "configurations/bring_in.html", {"form": form}, status=status)


def _choose(request: HttpRequest) -> HttpResponse:
    """The second step: which of them, on which cluster."""
    if request.POST.get("do") != "make":
        return _choice_page(request, request.POST["read"])
    try:
        drafts = _drafts(request)
    except (ChangeRefused, BringInError) as refusal:
        return _choice_page(request, request.POST["read"], str(refusal))
    if len(drafts) == 1:
        return redirect(_first_open(drafts[0]))
    done = ngettext("%(n)d draft is kept.", "%(n)d drafts are kept.", len(drafts))
    messages.success(request, done % {"n": len(drafts)})
    return redirect("configurations:drafts")


def _drafts(request: HttpRequest) -> list[Draft]:
    user = user_of(request)
    readings = bringing.readings_of(bringing.unpacked(request.POST["read"]), user)
    to = request.POST.get("to", "")
    cluster = None if to in {"", NAMED} else cluster_for(request, _number(to))
    chosen = bringing.chosen_among(readings, request.POST.getlist("pick"))
    return bringing.drafts_bring_in(author=user, chosen=chosen, cluster=cluster)


def _choice_page(request: HttpRequest, packed: str, refusal: str = "") -> HttpResponse:
    user = user_of(request)
    try:
        readings = bringing.readings_of(bringing.unpacked(packed), user)
    except BringInError as error:
        form = BringInForm(initial={})
        context: dict[str, Any] = {"form": form, "refusal": str(error)}
        return render(request, "configurations/bring_in.html", context, status=422)
    is_first = "pick" not in request.POST and "do" not in request.POST
    named = any(it.cluster is not None for it in readings)
    asked = request.GET.get("cluster", "")
    context = {
        **cluster_search(user, request.POST.get("q", ""), chosen="" if named else asked),
        "readings": readings,
        "read": packed,
        "picked": [it.number for it in readings] if is_first else _picked(request),
        "named": named,
        "to": request.POST.get("to") or (NAMED if named else asked),
        "refusal": refusal,
    }
    status = 422 if refusal else 200
    return render(request, "configurations/bring_in_choose.html", context, status=status)


def _picked(request: HttpRequest) -> list[int]:
    return [_number(it) for it in request.POST.getlist("pick") if it.isdecimal()]


def _first_open(draft: Draft) -> str:
    """The address of the first step where something is to be put right, else the last one."""
    for step in ("basics", "source", "kustomizations"):
        if not pages.is_sound(draft, step):
            return pages.step_url(draft, step)
    if draft.data["basics"]["name"] in pages.taken_names(draft):
        return pages.step_url(draft, "basics")
    return pages.step_url(draft, "review")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0
