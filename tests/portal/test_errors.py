"""Error pages name the state, say what was not changed, and carry the reference."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path

from access.models import User

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]


def _refuse(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied("Only approvers of production may do this.")


def _fail(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


def _post(request: HttpRequest) -> HttpResponse:
    return HttpResponse("done")


urlpatterns = [
    path("refuse/", _refuse),
    path("fail/", _fail),
    path("post/", _post),
    path("", include("portal.urls")),
]
handler403 = "portal.errors.forbidden"
handler404 = "portal.errors.not_found"
handler500 = "portal.errors.server_error"

here = override_settings(ROOT_URLCONF=__name__)


def shown(answer: HttpResponse, status: int) -> str:
    assert answer.status_code == status
    html = answer.content.decode()
    assert answer["X-Request-ID"] in html
    assert f"{status} / " in html
    assert "Next step" in html
    assert answer["Cache-Control"] == "no-store"
    return html


@here
def test_not_found_does_not_say_whether_it_exists(viewer: User, client_of: ClientOf) -> None:
    html = shown(client_of(viewer).get("/nowhere/"), 404)
    assert "Nothing was changed." in html
    assert "does not exist, is gone, or belongs to an environment you do not see" in html


@here
def test_forbidden_gives_the_reason(viewer: User, client_of: ClientOf) -> None:
    html = shown(client_of(viewer).get("/refuse/"), 403)
    assert "Only approvers of production may do this." in html
    assert "Nothing was changed." in html


@here
def test_an_old_form_can_be_sent_again(viewer: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(viewer)
    html = shown(client.post("/post/"), 403)
    assert "The form is too old" in html
    assert "Nothing was changed." in html


@here
def test_an_error_of_ours_shows_no_trace_and_asks_no_database(
    viewer: User, client_of: ClientOf
) -> None:
    client = client_of(viewer)
    client.raise_request_exception = False
    client.cookies["fg-theme"] = "dark"
    html = shown(client.get("/fail/"), 500)
    assert "ZeroDivisionError" not in html
    assert 'data-bs-theme="dark"' in html
    assert 'href="/fail/"' in html


def test_the_page_of_an_error_works_with_the_database_gone(rf: object) -> None:
    from portal.errors import server_error

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("The error page asked the database.")

    with connection.execute_wrapper(refuse):
        answer = server_error(rf.get("/"))  # type: ignore[attr-defined]
    assert answer.status_code == 500
    assert "Fluxgate made an error" in answer.content.decode()


def test_even_without_templates_there_is_an_answer(
    rf: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal import errors

    def broken(*_: object, **__: object) -> str:
        raise OSError("The templates are gone.")

    monkeypatch.setattr(errors, "render_to_string", broken)
    answer = errors.server_error(rf.get("/"))  # type: ignore[attr-defined]
    assert answer.status_code == 500
    assert b"Fluxgate made an error" in answer.content
