"""Acts on people, roles and environments."""

from __future__ import annotations

import threading

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client

from access import services
from access.errors import AccessRefusedError
from access.models import Environment, Role, RoleAssignment, User
from access.rights import Act, rights_of
from audit.models import AuditEvent
from live.services import versions
from tests.factories.access import client_of, make_user

pytestmark = pytest.mark.django_db


def last_event() -> AuditEvent:
    event = AuditEvent.objects.first()
    assert event is not None
    return event


def actions() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))


# --- Adding somebody ------------------------------------------------------------------------------
def test_an_added_person_signs_in_with_the_password_that_was_shown(admin: User) -> None:
    page = client_of(admin).post("/people/add/", {"username": "ana", "display_name": "Ana"})
    password = page.context["password"]
    assert password in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    client = Client()
    assert client.post("/sign-in/", {"username": "ana", "password": password}).status_code == 302
    assert password not in repr(list(AuditEvent.objects.values()))


def test_user_names_differ_by_more_than_case(admin: User) -> None:
    client = client_of(admin)
    client.post("/people/add/", {"username": "ana", "display_name": "Ana"})
    again = client.post("/people/add/", {"username": "ANA", "display_name": "Ana"})
    assert "There is already somebody with this user name." in again.content.decode()
    assert User.objects.filter(username__iexact="ana").count() == 1


def test_generated_passwords_differ_and_pass_the_rules() -> None:
    from django.contrib.auth.password_validation import validate_password

    passwords = {services.generate_password() for _n in range(50)}
    assert len(passwords) == 50
    for password in passwords:
        validate_password(password)


# --- Roles ----------------------------------------------------------------------------------------
def test_a_role_is_given_and_taken_with_its_story(
    admin: User, viewer: User, environment: Environment
) -> None:
    client = client_of(admin)
    before = versions("people")["people"]
    client.post(f"/people/{viewer.pk}/roles/", {"role": "author", "environment": environment.pk})
    viewer = User.objects.get(pk=viewer.pk)
    assert rights_of(viewer).may(Act.PROPOSE, environment.pk)
    given = last_event()
    assert given.action == "person.role_given"
    assert given.environment_id == environment.pk
    assert given.detail["before"] == {"roles": ["viewer in production"]}
    assert given.detail["after"] == {"roles": ["author in production", "viewer in production"]}

    role = viewer.assignments.get(role="author")
    client.post(f"/people/{viewer.pk}/roles/{role.pk}/take/")
    assert not rights_of(User.objects.get(pk=viewer.pk)).may(Act.PROPOSE, environment.pk)
    assert last_event().action == "person.role_taken"
    assert versions("people")["people"] == before + 2


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_role_is_held_once(admin: User, environment: Environment, everywhere: bool) -> None:
    person, place = make_user(), None if everywhere else environment
    for _n in range(2):
        services.role_give(by=admin, person=person, role=Role.VIEWER, environment=place)
    assert person.assignments.count() == 1
    assert actions() == ["person.role_given"]


def test_a_role_of_somebody_else_is_not_found_under_this_person(
    admin: User, viewer: User, author: User
) -> None:
    role = author.assignments.get()
    answer = client_of(admin).post(f"/people/{viewer.pk}/roles/{role.pk}/take/")
    assert answer.status_code == 404
    assert author.assignments.exists()


def test_an_admin_of_one_environment_gives_nothing(environment: Environment, viewer: User) -> None:
    local = make_user(Role.ADMIN, environment)
    with pytest.raises(PermissionDenied):
        services.role_give(by=local, person=local, role=Role.ADMIN, environment=None)
    answer = client_of(local).post(
        f"/people/{viewer.pk}/roles/", {"role": "admin", "environment": environment.pk}
    )
    assert answer.status_code == 403
    assert actions() == []


def test_an_unknown_role_is_refused(admin: User, viewer: User) -> None:
    client_of(admin).post(f"/people/{viewer.pk}/roles/", {"role": "owner"})
    assert viewer.assignments.count() == 1


# --- The last admin -------------------------------------------------------------------------------
def test_the_last_admin_stays(admin: User) -> None:
    make_user(Role.ADMIN, is_active=False)
    with pytest.raises(AccessRefusedError):
        services.role_take(by=admin, assignment=admin.assignments.get())
    with pytest.raises(AccessRefusedError):
        services.person_deactivate(by=admin, person=admin)
    page = client_of(admin).post(f"/people/{admin.pk}/deactivate/", follow=True)
    assert "This is the last admin." in page.content.decode()
    assert User.objects.get(pk=admin.pk).is_active


def test_with_a_second_admin_the_first_may_go(admin: User) -> None:
    other = make_user(Role.ADMIN)
    services.person_deactivate(by=other, person=admin)
    with pytest.raises(AccessRefusedError):
        services.person_deactivate(by=other, person=other)


@pytest.mark.django_db(transaction=True)
def test_two_admins_cannot_remove_each_other_at_once() -> None:
    one, two = make_user(Role.ADMIN), make_user(Role.ADMIN)
    start, refused = threading.Barrier(2), []

    def remove(by: User, person: User) -> None:
        start.wait()
        try:
            services.role_take(by=by, assignment=person.assignments.get())
        except (AccessRefusedError, PermissionDenied) as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=remove, args=pair) for pair in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert RoleAssignment.objects.filter(role=Role.ADMIN, environment=None).count() == 1


# --- Deactivating, passwords ----------------------------------------------------------------------
def test_deactivating_ends_open_sessions_at_once_and_for_good(admin: User, viewer: User) -> None:
    open_page = client_of(viewer)
    assert open_page.get("/account/").status_code == 200
    client_of(admin).post(f"/people/{viewer.pk}/deactivate/")
    assert open_page.get("/account/").status_code == 302
    services.person_renew_password(by=admin, person=User.objects.get(pk=viewer.pk))
    assert open_page.get("/account/").status_code == 302
    assert actions() == ["person.deactivated", "person.activated"]


def test_a_renewed_password_is_shown_once_and_works(admin: User, viewer: User) -> None:
    page = client_of(admin).post(f"/people/{viewer.pk}/renew-password/")
    password = page.context["password"]
    assert User.objects.get(pk=viewer.pk).check_password(password)
    assert password not in client_of(admin).get(f"/people/{viewer.pk}/").content.decode()


def test_one_changes_ones_own_password_and_keeps_this_session_alone(client: Client) -> None:
    old, new = "correct horse battery", "staple battery horse"
    user = make_user("viewer", username="ana", password=old)
    other = client_of(user)
    client.force_login(user)
    fields = {"old_password": old, "new_password1": new, "new_password2": new}
    assert client.post("/account/password/", fields).status_code == 302
    assert client.get("/account/").status_code == 200
    assert other.get("/account/").status_code == 302
    event = last_event()
    assert (event.action, event.actor_id) == ("person.password_changed", user.pk)
    assert "battery" not in repr(event.__dict__)


def test_the_old_password_is_asked_for(client: Client) -> None:
    user = make_user("viewer", password="correct horse battery")
    client.force_login(user)
    new = "staple battery horse"
    fields = {"old_password": "guess", "new_password1": new, "new_password2": new}
    assert client.post("/account/password/", fields).status_code == 200
    assert User.objects.get(pk=user.pk).check_password("correct horse battery")


# --- Environments ---------------------------------------------------------------------------------
def test_environments_are_added_and_renamed_with_their_story(admin: User) -> None:
    client = client_of(admin)
    client.post("/people/environments/add/", {"name": "staging", "tone": "staging"})
    made = Environment.objects.get(name="staging")
    address = f"/people/environments/{made.pk}/"
    client.post(address, {"name": "pre-production", "tone": "staging", "description": "Last stop"})
    made.refresh_from_db()
    assert (made.name, made.description) == ("pre-production", "Last stop")
    event = last_event()
    assert event.action == "environment.changed"
    assert event.detail["before"]["name"] == "staging"
    assert event.detail["after"]["name"] == "pre-production"


def test_saving_an_environment_unchanged_tells_no_story(
    admin: User, environment: Environment
) -> None:
    fields = {"name": environment.name, "tone": environment.tone, "description": ""}
    client_of(admin).post(f"/people/environments/{environment.pk}/", fields)
    assert actions() == []


def test_two_environments_have_two_names(admin: User, environment: Environment) -> None:
    fields = {"name": environment.name, "tone": "demo"}
    answer = client_of(admin).post("/people/environments/add/", fields)
    assert answer.status_code == 200
    assert Environment.objects.count() == 1


# --- The list -------------------------------------------------------------------------------------
def test_the_list_pages_and_searches(admin: User) -> None:
    User.objects.bulk_create(User(username=f"p{number:03}") for number in range(60))
    client = client_of(admin)
    first = client.get("/people/")
    second = client.get("/people/", {"after": first.context["next_after"]})
    names = [user.username for page in (first, second) for user in page.context["people"]]
    assert names == ["admin", *(f"p{number:03}" for number in range(60))]
    assert [u.username for u in client.get("/people/", {"q": "p01"}).context["people"]] == [
        f"p01{digit}" for digit in range(10)
    ]


def test_the_queries_do_not_grow_with_the_people(
    admin: User, environment: Environment, django_assert_max_num_queries
) -> None:
    client = client_of(admin)
    for _n in range(20):
        make_user(Role.VIEWER, environment)
    with django_assert_max_num_queries(8):
        client.get("/people/")


def test_the_list_asks_for_its_part_and_is_told_when_nothing_moved(admin: User) -> None:
    client = client_of(admin)
    asked = {"HX-Request": "true", "HX-Target": "people"}
    part = client.get("/people/", headers=asked)
    assert part.content.decode().lstrip().startswith('<section class="card" id="people"')
    known = {**asked, "If-None-Match": part.headers["ETag"]}
    assert client.get("/people/", headers=known).status_code == 304
    services.person_create(by=admin, username="ana", display_name="Ana")
    assert "Ana" in client.get("/people/", headers=known).content.decode()
