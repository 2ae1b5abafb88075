"""The error pages: what happened, what was not changed, and the next step.

Each carries the request id that the log and the history share. The page of an unexpected error
asks nothing of the database, which may be what is broken.
"""

from __future__ import annotations

import logging
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.views.decorators.csrf import requires_csrf_token

from audit.context import current
from portal.context import Shell

log = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: the request makes no sense."""
    return _page(
        None,
        status=400,
        icon_name="alert-circle",
        title=_("The request is not understood"),
        what=_("The address or the form holds something that Fluxgate cannot read."),
        steps=[_("Go back, load the page again and repeat what you did.")],
    )


@requires_csrf_token
def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: visible, but not allowed. The reason is the exception's own sentence, if it has one."""
    reason = str(exception) if exception and str(exception) else ""
    return _page(
        request,
        status=403,
        icon_name="shield-x",
        title=_("You may not do this"),
        what=reason or _("Your roles do not allow it in this environment."),
        steps=[
            _("Ask somebody who has the role, or an admin of Fluxgate to give it to you."),
            _("Then load the page again; no new sign-in is needed."),
        ],
    )


@requires_csrf_token
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: not there, or not visible; the page does not say which."""
    return _page(
        request,
        status=404,
        icon_name="zoom-question",
        title=_("There is nothing here for you"),
        what=_("The page does not exist, is gone, or belongs to an environment you do not see."),
        steps=[
            _("Check the address, or search for the name."),
            _("If a colleague sees it, ask an admin for a role in its environment."),
        ],
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: the form is from another session, or was open for too long."""
    log.warning("CSRF check failed: %s", reason)
    return _page(
        request,
        status=403,
        icon_name="shield-lock",
        title=_("The form is too old"),
        what=_("It was opened before you signed in, or in another session."),
        steps=[_("Load the page again and send the form once more.")],
        again=request.get_full_path(),
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """500: an error of Fluxgate itself; works without the database and without the templates."""
    facts: dict[str, Any] = {
        "status": 500,
        "icon_name": "alert-octagon",
        "title": _("Fluxgate made an error"),
        "what": _("The page could not be made."),
        "unchanged": _("What was being saved was not saved; changes that run go on."),
        "steps": [
            _("Load the page again."),
            _("If the error stays, give the reference to whoever runs Fluxgate."),
        ],
        "again": request.get_full_path() if request.method == "GET" else "",
    }
    try:
        return _page(None, theme=Shell(request).theme, **facts)
    except Exception:
        log.exception("The error page itself failed.")
        title, unchanged = escape(facts["title"]), escape(facts["unchanged"])
        reference = escape(current.get().request_id)
        body = f"<!doctype html><title>{title}</title><h1>{title}</h1>"
        body += f"<p>{unchanged}</p><p>500 / {reference}</p>"
        return HttpResponse(body, status=500)


def _page(
    request: HttpRequest | None,
    *,
    status: int,
    icon_name: str,
    title: str,
    what: str,
    steps: list[str],
    unchanged: str = "",
    again: str = "",
    theme: str = "",
) -> HttpResponse:
    """Without a request the shell shows no counts and no person, so it needs no database."""
    context: dict[str, Any] = {
        "status": status,
        "icon_name": icon_name,
        "tone": "bad" if status >= 500 else "",
        "title": title,
        "what": what,
        "unchanged": unchanged or _("Nothing was changed."),
        "steps": steps,
        "again": again,
        "reference": current.get().request_id,
    }
    if request is None:
        context["shell"] = {"theme": theme}
    body = render_to_string("portal/error.html", context, request)
    return HttpResponse(body, status=status, headers={"Cache-Control": "no-store"})
