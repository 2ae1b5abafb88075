"""The overview page and the choice of language."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST
from django.views.i18n import set_language as set_language_view

from live.pages import render_page
from portal.overview import Overview


def home(request: HttpRequest) -> HttpResponse:
    """The fleet: what needs you, what is wrong and why, then everything else."""
    return render_page(
        request,
        "portal/overview.html",
        lambda: {"fleet": Overview(request.user)},  # type: ignore[arg-type]
        parts=("overview",),
        scopes=("configurations", "clusters", "changes", "connections"),
    )


set_language = login_not_required(require_POST(set_language_view))
