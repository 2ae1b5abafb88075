"""Signing in and out, and the brake on guessing."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from access.models import SignInFailures, User
from access.signin import LIMITS, take_attempt
from audit.models import AuditEvent
from tests.factories.access import client_of, make_user

pytestmark = pytest.mark.django_db
PAGE = "/sign-in/"
RIGHT = "correct horse battery staple"


@pytest.fixture
def ana() -> User:
    """Somebody with a password."""
    return make_user("viewer", username="ana", display_name="Ana", password=RIGHT)


def attempt(client: Client, password: str = "wrong", name: str = "ana", **more: str):
    return client.post(PAGE, {"username": name, "password": password, **more})


def last_event() -> AuditEvent:
    event = AuditEvent.objects.first()
    assert event is not None
    return event


def test_the_right_password_opens_the_portal(client: Client, ana: User) -> None:
    answer = attempt(client, RIGHT)
    assert (answer.status_code, answer.url) == (302, "/")
    assert client.session["_auth_user_id"] == str(ana.pk)
    event = last_event()
    assert (event.action, event.actor_id, event.address) == (
        "signin.succeeded",
        ana.pk,
        "127.0.0.1",
    )


def test_a_wrong_password_says_nothing_of_the_account(client: Client, ana: User) -> None:
    wrong = attempt(client).content.decode()
    assert "_auth_user_id" not in client.session
    unknown = attempt(client, name="nobody").content.decode()
    sentence = "The user name or the password is wrong."
    assert sentence in wrong
    assert sentence in unknown


def test_a_failure_is_in_the_history_without_what_was_typed(client: Client, ana: User) -> None:
    attempt(client, "hunter2-wrong")
    event = last_event()
    assert (event.action, event.object_id, event.actor_id) == ("signin.failed", str(ana.pk), None)
    attempt(client, "x", name="hunter2-in-the-wrong-field")
    assert last_event().object_name == "an unknown account"
    everything = repr(list(AuditEvent.objects.values())) + repr(
        list(SignInFailures.objects.values())
    )
    assert "hunter2" not in everything


def test_somebody_deactivated_stays_out(client: Client, ana: User) -> None:
    User.objects.filter(pk=ana.pk).update(is_active=False)
    assert attempt(client, RIGHT).status_code == 200
    assert "_auth_user_id" not in client.session


def test_a_session_planted_before_is_worth_nothing(client: Client, ana: User) -> None:
    client.session.save()
    session = client.session
    session["planted"] = True
    session.save()
    before = session.session_key
    attempt(client, RIGHT)
    assert client.session.session_key != before
    assert Client(headers={"Cookie": f"sessionid={before}"}).get("/account/").status_code == 302


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/people/?q=x", "/people/?q=x"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_next_stays_in_the_portal(client: Client, ana: User, wanted: str, reached: str) -> None:
    assert attempt(client, RIGHT, next=wanted).url == reached
    assert client.get(PAGE, {"next": wanted}).url == reached


def test_a_page_asks_for_the_sign_in_and_comes_back(client: Client, ana: User) -> None:
    away = client.get("/account/")
    assert away.url == "/sign-in/?next=/account/"
    field = 'name="next" value="/account/"'
    assert field in client.get(away.url).content.decode()
    assert field in attempt(client, next="/account/").content.decode()


def test_a_part_of_a_page_makes_the_page_load_again(client: Client) -> None:
    answer = client.get("/sign-in/?next=/history/", headers={"HX-Request": "true"})
    assert answer.headers["HX-Refresh"] == "true"
    assert answer.content == b""


def test_sign_out_is_a_post_and_ends_the_session(ana: User) -> None:
    client = client_of(ana)
    assert client.get("/sign-out/").status_code == 405
    assert client.get("/account/").status_code == 200
    assert client.post("/sign-out/").url == PAGE
    assert client.get("/account/").status_code == 302
    assert last_event().action == "signout"


def test_sign_in_refuses_a_forged_form(ana: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert attempt(strict, RIGHT).status_code == 403


# --- Guessing -----------------------------------------------------------------------------------
def test_after_some_failures_the_password_is_not_looked_at(client: Client, ana: User) -> None:
    for _n in range(5):
        assert attempt(client).status_code == 200
    answer = attempt(client, RIGHT)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "5"
    assert "Too many sign-ins failed. Try again in 5 seconds." in answer.content.decode()
    assert "_auth_user_id" not in client.session
    assert AuditEvent.objects.filter(action="signin.failed").count() == 5


def test_the_pause_ends_and_doubles_with_each_failure(client: Client, ana: User) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _n in range(5):
            attempt(client)
        for pause in (5, 10, 20):
            clock.shift(timedelta(seconds=pause - 0.5))
            assert attempt(client).status_code == 429
            clock.shift(timedelta(seconds=1))
            assert attempt(client).status_code == 200
        clock.shift(timedelta(minutes=15))
        assert attempt(client, RIGHT).status_code == 302
        assert not SignInFailures.objects.exclude(scope="address").exists()


def test_the_pause_is_for_this_account_from_this_address(client: Client, ana: User) -> None:
    for _n in range(6):
        attempt(client)
    assert attempt(client, RIGHT).status_code == 429
    make_user(username="ben", password=RIGHT)
    assert attempt(Client(), RIGHT, name="ben").status_code == 302
    assert attempt(Client(REMOTE_ADDR="192.0.2.9"), RIGHT).status_code == 302


def test_other_spellings_of_a_name_share_their_failures(client: Client, ana: User) -> None:
    for name in ("ana", "ANA", "Ana", "\uff41na", "aNa"):
        attempt(client, name=name)
    assert attempt(client).status_code == 429


def test_many_addresses_slow_down_on_one_account() -> None:
    waits = [take_attempt("ana", f"192.0.2.{number}") for number in range(40)]
    free = LIMITS[SignInFailures.Scope.ACCOUNT].free
    assert not any(waits[:free])
    assert all(waits[free:])
    assert max(waits) <= timedelta(minutes=1)


def test_many_accounts_slow_down_from_one_address() -> None:
    waits = [take_attempt(f"person-{number}", "192.0.2.1") for number in range(70)]
    free = LIMITS[SignInFailures.Scope.ADDRESS].free
    assert not any(waits[:free])
    assert all(waits[free:])


def test_an_own_account_does_not_reset_an_address(client: Client, ana: User) -> None:
    for number in range(10):
        attempt(client, name=f"guess-{number}")
    attempt(client, RIGHT)
    assert SignInFailures.objects.get(scope="address").count == 10


def test_failures_are_forgotten(client: Client, ana: User) -> None:
    attempt(client)
    with time_machine.travel(timezone.now() + timedelta(hours=13), tick=False):
        take_attempt("somebody", "192.0.2.1")
    assert SignInFailures.objects.filter(last_at__lt=timezone.now()).count() == 0
