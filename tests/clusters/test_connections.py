"""Connections: kept, tested, named by the environment; and the secret that never comes out."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access.models import Environment, User
from audit.models import AuditEvent
from clusters import testing
from clusters.connections import ensure_connection_from_settings
from clusters.gateways import account_of, gateway_for
from clusters.models import Connection, EnvironmentRule
from clusters.secrets import SecretUnreadable, decrypt, encrypt, rotate
from simulator.inprocess import InProcessSimulator
from tests.factories.clusters import SUBSCRIPTION, TENANT, ConnectionFactory

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
CANARY = "canary-secret-91c4"
GIVEN = {
    "name": "Production",
    "cloud": "custom",
    "arm_endpoint": "https://arm.localhost:8443/",
    "authority": "https://login.localhost",
    "ca_file": "",
    "tenant_id": TENANT.upper(),
    "sign_in": "secret",
    "client_id": TENANT,
    "secret": CANARY,
    "certificate_path": "",
    "subscriptions": f"{SUBSCRIPTION}\n{TENANT}",
    "api_version": "2025-04-01",
    "reads": "graph",
}


def add(client: Client, **changes: str) -> Any:
    return client.post(reverse("clusters:connection_add"), {**GIVEN, **changes})


# --- The form -------------------------------------------------------------------------------
def test_a_connection_is_added_with_its_test_asked_for(client_of: ClientOf, admin: User) -> None:
    answer = add(client_of(admin))
    made = Connection.objects.get()
    assert answer["Location"] == reverse("clusters:connection", args=[made.pk])
    assert made.arm_endpoint == "https://arm.localhost:8443"
    assert made.tenant_id == TENANT
    assert made.subscription_ids == sorted([SUBSCRIPTION, TENANT])
    assert decrypt(made.secret_encrypted) == CANARY
    assert (made.secret_set_by, made.is_testing) == (admin, True)
    assert AuditEvent.objects.filter(action="connection.created").count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("tenant_id", "contoso"),
        ("client_id", "not-an-id"),
        ("client_id", ""),
        ("arm_endpoint", "http://arm.localhost"),
        ("arm_endpoint", "https://arm.localhost/path"),
        ("arm_endpoint", "https://user@arm.localhost"),
        ("arm_endpoint", ""),
        ("authority", "login.localhost"),
        ("authority", "https://login.localhost/tenant"),
        ("ca_file", "/no/such/file.pem"),
        ("subscriptions", "one, two"),
        ("secret", ""),
        ("cloud", "mars"),
        ("api_version", "1999-01-01"),
    ],
)
def test_each_wrong_field_has_its_message_and_what_was_typed_is_kept(
    client_of: ClientOf, admin: User, field: str, value: str
) -> None:
    answer = add(client_of(admin), **{field: value})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert f'id="id_{field}_error"' in page
    assert not Connection.objects.exists()
    if field != "name":
        assert 'value="Production"' in page
    if value and field not in {"cloud", "api_version", "secret"}:
        assert value in page
    assert CANARY not in page


def test_endpoints_are_for_custom_clouds(client_of: ClientOf, admin: User) -> None:
    errors = add(client_of(admin), cloud="public").context["form"].errors
    assert set(errors) == {"arm_endpoint", "authority"}


def test_a_certificate_needs_its_file(client_of: ClientOf, admin: User, tmp_path: Path) -> None:
    answer = add(client_of(admin), sign_in="certificate", secret="")
    assert list(answer.context["form"].errors) == ["certificate_path"]
    file = tmp_path / "certificate.pem"
    file.write_text("content")
    answer = add(client_of(admin), sign_in="certificate", secret="", certificate_path=str(file))
    assert answer.status_code == 302


def test_an_edit_keeps_the_secret_unless_another_is_given(client_of: ClientOf, admin: User) -> None:
    client = client_of(admin)
    add(client)
    made = Connection.objects.get()
    address = reverse("clusters:connection_edit", args=[made.pk])
    client.post(address, {**GIVEN, "secret": "", "name": "Renamed"})
    made.refresh_from_db()
    assert (made.name, decrypt(made.secret_encrypted)) == ("Renamed", CANARY)
    client.post(address, {**GIVEN, "secret": "another-one"})
    made.refresh_from_db()
    assert decrypt(made.secret_encrypted) == "another-one"


def test_a_set_secret_is_never_sent_to_another_address(client_of: ClientOf, admin: User) -> None:
    client = client_of(admin)
    add(client)
    made = Connection.objects.get()
    address = reverse("clusters:connection_edit", args=[made.pk])
    answer = client.post(address, {**GIVEN, "secret": "", "authority": "https://evil.localhost"})
    assert list(answer.context["form"].errors) == ["secret"]
    made.refresh_from_db()
    assert made.authority == "https://login.localhost"


def test_removing_wants_the_name(client_of: ClientOf, admin: User) -> None:
    client = client_of(admin)
    made = ConnectionFactory(name="Production")
    address = reverse("clusters:connection_remove", args=[made.pk])
    client.post(address, {"name": "production"})
    assert Connection.objects.exists()
    client.post(address, {"name": "Production"})
    assert not Connection.objects.exists()
    assert AuditEvent.objects.filter(action="connection.removed").count() == 1


def test_switching_off_and_on(client_of: ClientOf, admin: User) -> None:
    made = ConnectionFactory()
    address = reverse("clusters:connection_switch", args=[made.pk])
    for value, enabled in (("0", False), ("1", True)):
        client_of(admin).post(address, {"enabled": value})
        made.refresh_from_db()
        assert made.enabled is enabled
    assert AuditEvent.objects.filter(action="connection.changed").count() == 2


# --- The test of a connection ---------------------------------------------------------------
def after_its_test(client: Client, connection: Connection) -> str:
    address = reverse("clusters:connection", args=[connection.pk])
    client.post(reverse("clusters:connection_test", args=[connection.pk]))
    assert "waits for a worker" in client.get(address).content.decode()
    late = timezone.now() - testing.UNANSWERED
    Connection.objects.filter(pk=connection.pk).update(test_asked_at=late)
    testing.tests_overdue()
    connection.refresh_from_db()
    assert not connection.is_testing
    return str(client.get(address).content.decode())


def test_a_good_connection_passes_every_check(
    client_of: ClientOf, admin: User, connection: Connection
) -> None:
    page = after_its_test(client_of(admin), connection)
    assert "all is well" in page
    assert {check["name"] for check in connection.checks} == {
        "endpoint",
        "sign_in",
        "subscription",
        "provider",
        "permission",
        "graph",
    }


def test_without_subscriptions_all_that_are_visible_are_tested(
    client_of: ClientOf, admin: User, connection: Connection
) -> None:
    Connection.objects.update(subscription_ids=[])
    assert "all is well" in after_its_test(client_of(admin), connection)
    assert any(check["name"] == "subscription" for check in connection.checks)


def test_a_wrong_secret_is_told_in_azures_words(
    client_of: ClientOf, admin: User, connection: Connection
) -> None:
    Connection.objects.update(secret_encrypted=encrypt(CANARY))
    page = after_its_test(client_of(admin), connection)
    assert "AADSTS" in page
    assert "Enter a new client secret" in page
    assert CANARY not in page


def test_a_missing_provider_leads_to_its_registration(
    client_of: ClientOf, admin: User, connection: Connection, simulator: InProcessSimulator
) -> None:
    simulator.control.set_registration("Microsoft.KubernetesConfiguration")
    client = client_of(admin)
    page = after_its_test(client, connection)
    address = reverse(
        "clusters:connection_register",
        args=[
            connection.pk,
            connection.subscription_ids[0],
            "Microsoft.KubernetesConfiguration",
        ],
    )
    assert address.lower() in page.lower()
    answer = client.post(address, {"reason": "Flux needs it"})
    assert answer["Location"].startswith("/changes/")


def test_a_missing_right_is_named(
    client_of: ClientOf, admin: User, connection: Connection, simulator: InProcessSimulator
) -> None:
    simulator.control.grant(connection.client_id, actions=["*/read"])
    page = after_its_test(client_of(admin), connection)
    assert "Microsoft.KubernetesConfiguration/fluxConfigurations/write" in page


def test_a_secret_of_lost_keys_is_told(
    client_of: ClientOf, admin: User, connection: Connection
) -> None:
    Connection.objects.update(secret_encrypted="gAAAAAB-not-ours")
    assert "FLUXGATE_ENCRYPTION_KEYS" in after_its_test(client_of(admin), connection)


def test_two_workers_do_one_test(connection: Connection) -> None:
    Connection.objects.update(test_asked_at=timezone.now(), test_begun_at=None)
    assert testing.connection_test_run(connection.pk)
    assert not testing.connection_test_run(connection.pk)


# --- Named by the environment ---------------------------------------------------------------
AZURE: dict[str, Any] = {
    "name": "Azure",
    "cloud": "custom",
    "arm_endpoint": "https://arm.localhost",
    "authority": "https://arm.localhost",
    "ca_file": "",
    "tenant_id": TENANT,
    "subscriptions": [SUBSCRIPTION],
    "sign_in": "secret",
    "client_id": TENANT,
    "client_secret": CANARY,
    "certificate_path": "",
    "api_version": "2025-04-01",
    "reads": "graph",
}


def test_the_environment_names_a_connection_once(settings: Any) -> None:
    settings.AZURE = AZURE
    first = ensure_connection_from_settings()
    events = AuditEvent.objects.count()
    assert ensure_connection_from_settings() == first
    assert Connection.objects.count() == 1
    assert AuditEvent.objects.count() == events
    settings.AZURE = AZURE | {"name": "Other", "client_secret": "fresh"}
    changed = ensure_connection_from_settings()
    assert changed is not None
    assert (changed.pk, changed.name) == (first and first.pk, "Other")
    assert decrypt(changed.secret_encrypted) == "fresh"
    assert AuditEvent.objects.filter(action="connection.changed").count() == 1


def test_nothing_is_named(settings: Any) -> None:
    settings.AZURE = AZURE | {"cloud": ""}
    assert ensure_connection_from_settings() is None
    assert not Connection.objects.exists()


def test_the_first_start_makes_environments_once(settings: Any) -> None:
    settings.AZURE = AZURE
    call_command("setup_connection")
    assert set(Environment.objects.values_list("name", flat=True)) == {
        "demo",
        "staging",
        "development",
        "production",
    }
    EnvironmentRule.objects.all().delete()
    call_command("setup_connection")
    assert not EnvironmentRule.objects.exists()


# --- The secret -----------------------------------------------------------------------------
def test_the_secret_shows_nowhere(
    client_of: ClientOf,
    admin: User,
    connection: Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    client = client_of(admin)
    add(client)
    made = Connection.objects.get(name="Production")
    client.post(
        reverse("clusters:connection_edit", args=[made.pk]), {**GIVEN, "tenant_id": "wrong"}
    )
    Connection.objects.filter(pk=connection.pk).update(secret_encrypted=encrypt(CANARY))
    after_its_test(client, connection)
    pages = [
        client.get(reverse("clusters:connections")),
        *(
            client.get(reverse(f"clusters:{name}", args=[pk]))
            for name in ("connection", "connection_edit", "connection_remove")
            for pk in (made.pk, connection.pk)
        ),
        client.get(reverse("audit:list")),
    ]
    assert all(page.status_code == 200 for page in pages)
    seen = "".join(page.content.decode() for page in pages)
    events = json.dumps(list(AuditEvent.objects.values()), default=str)
    rows = json.dumps(list(Connection.objects.values()), default=str)
    for place in (seen, events, rows, caplog.text, repr(account_of(made))):
        assert CANARY not in place
    assert "gAAAA" not in seen + events


def test_secrets_are_kept_under_the_newest_key(settings: Any) -> None:
    from cryptography.fernet import Fernet

    old, new = settings.ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    token = encrypt(CANARY)
    settings.ENCRYPTION_KEYS = [new, old]
    fresh = rotate(token)
    settings.ENCRYPTION_KEYS = [new]
    assert decrypt(fresh) == CANARY
    with pytest.raises(SecretUnreadable):
        decrypt(token)
    assert (encrypt(""), decrypt(""), rotate("")) == ("", "", "")


def test_a_gateway_is_kept_until_the_connection_changes(connection: Connection) -> None:
    from arm import Priority

    first = gateway_for(connection, priority=Priority.POLL)
    again = gateway_for(Connection.objects.get(pk=connection.pk), priority=Priority.POLL)
    assert first is again
    assert gateway_for(connection, priority=Priority.APPLY) is not first
    connection.secret_encrypted = encrypt("another")
    assert gateway_for(connection, priority=Priority.POLL) is not first


def test_the_kubernetes_api_stays_as_an_admin_set_it_unless_the_environment_says(
    settings: Any,
) -> None:
    settings.AZURE, settings.AZURE_KUBERNETES = AZURE, None
    first = ensure_connection_from_settings()
    assert first is not None
    assert not first.kubernetes
    Connection.objects.update(kubernetes=True)
    kept = ensure_connection_from_settings()
    assert kept is not None
    assert kept.kubernetes
    settings.AZURE_KUBERNETES = False
    ended = ensure_connection_from_settings()
    assert ended is not None
    assert not ended.kubernetes
