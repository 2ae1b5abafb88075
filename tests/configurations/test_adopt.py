"""Adopt: what was made elsewhere gets an approved state, and Azure is not touched."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from access.models import User
from audit.models import AuditEvent
from changes.errors import ChangeRefused
from changes.models import Change, Operation
from clusters.models import Cluster
from configurations import adopting, services
from configurations.adopting import configurations_adopt
from configurations.models import Configuration
from configurations.observe import configuration_observe
from tests.factories.clusters import ClusterFactory
from tests.factories.configurations import TUTORIAL, ConfigurationFactory

pytestmark = pytest.mark.django_db
URL = "/configurations/adopt"
REASON = {"reason": "We take it over"}


@pytest.fixture
def client(client_of: Any, author: User) -> Client:
    made: Client = client_of(author)
    return made


def fresh(configuration: Configuration) -> Configuration:
    return Configuration.objects.get(pk=configuration.pk)


def resource(configuration: Configuration, **properties: Any) -> dict[str, Any]:
    return {
        "id": configuration.arm_id,
        "name": configuration.name,
        "properties": {**TUTORIAL, "statuses": [], **properties},
    }


# --- The act --------------------------------------------------------------------------------
def test_what_is_live_becomes_approved_and_nothing_is_sent(
    author: User, configuration: Configuration
) -> None:
    assert not configuration.managed
    assert configurations_adopt(author=author, pks=[configuration.pk], reason="Ours now") == 1
    row = fresh(configuration)
    assert row.managed
    assert row.desired == adopting.approved_from(row.observed)
    assert (row.drifted, row.adopted, row.desired_change_id) == (False, True, None)
    assert not Change.objects.exists()
    assert not Operation.objects.exists()
    event = AuditEvent.objects.get(action="configuration.adopted")
    assert (event.actor_name, event.reason) == (str(author), "Ours now")
    assert event.configuration_id == configuration.pk


def test_drift_is_judged_from_then_on(author: User, configuration: Configuration) -> None:
    altered = resource(configuration, suspend=True)
    configuration_observe(configuration_id=configuration.pk, resource=altered)
    assert not fresh(configuration).drifted
    configuration_observe(configuration_id=configuration.pk, resource=resource(configuration))
    configurations_adopt(author=author, pks=[configuration.pk])
    configuration_observe(configuration_id=configuration.pk, resource=resource(configuration))
    assert not fresh(configuration).drifted
    configuration_observe(configuration_id=configuration.pk, resource=altered)
    assert fresh(configuration).drift_fields == ["suspend"]


def test_an_edit_of_it_is_a_patch(author: User, configuration: Configuration) -> None:
    configurations_adopt(author=author, pks=[configuration.pk])
    change = services.configuration_propose(
        author=author, configuration=fresh(configuration), verb="suspend", reason="x"
    )
    step = change.content["targets"][0]["steps"][0]
    assert (step["method"], step["body"]) == ("PATCH", {"properties": {"suspend": True}})


@pytest.mark.parametrize(
    "values",
    [
        {"desired": {"suspend": False}},
        {"observed": {}},
        {"provisioning_state": "Updating"},
        {"gone_at": "2026-11-01T00:00:00Z"},
    ],
)
def test_what_is_managed_gone_unseen_or_being_written_is_left_as_it_is(
    author: User, configuration: Configuration, values: dict[str, Any]
) -> None:
    Configuration.objects.filter(pk=configuration.pk).update(**values)
    before = fresh(configuration).desired
    with pytest.raises(ChangeRefused) as refused:
        configurations_adopt(author=author, pks=[configuration.pk])
    assert refused.value.code == "nothing_adopted"
    assert fresh(configuration).desired == before
    assert not AuditEvent.objects.filter(action="configuration.adopted").exists()


def test_only_those_are_adopted_on_which_one_may_propose(
    author: User, viewer: User, configuration: Configuration
) -> None:
    hidden: Configuration = ConfigurationFactory(cluster=ClusterFactory(), name="hidden")
    with pytest.raises(ChangeRefused):
        configurations_adopt(author=viewer, pks=[configuration.pk])
    assert configurations_adopt(author=author, pks=[configuration.pk, hidden.pk]) == 1
    assert not fresh(hidden).managed


# --- Pages ----------------------------------------------------------------------------------
def test_the_page_of_one_says_that_it_is_not_managed_and_leads_there(
    client: Client, configuration: Configuration
) -> None:
    detail = reverse("configurations:detail", args=[configuration.pk])
    page = client.get(detail).content.decode()
    assert "Not managed by Fluxgate yet" in page
    assert f"{URL}?pick={configuration.pk}" in page
    answer = client.post(URL, {"pick": configuration.pk, **REASON})
    assert answer["Location"] == detail
    page = client.get(detail).content.decode()
    assert "Not managed by Fluxgate yet" not in page
    assert "adopted as it was" in page
    history = client.get(reverse("configurations:history", args=[configuration.pk]))
    assert "We take it over" in history.content.decode()


def test_many_are_adopted_at_once_and_the_others_named(client: Client, cluster: Cluster) -> None:
    for name in ("one", "two", "busy"):
        ConfigurationFactory(cluster=cluster, name=name)
    Configuration.objects.filter(name="busy").update(provisioning_state="Updating")
    picked = [str(pk) for pk in Configuration.objects.values_list("pk", flat=True)]
    page = client.get(URL, {"pick": picked}).content.decode()
    assert page.count('type="hidden" name="pick"') == 2
    assert "A write of it is under way." in page
    assert client.post(URL, {"pick": picked, **REASON}).status_code == 302
    assert sorted(Configuration.objects.filter(managed=True).values_list("name", flat=True)) == [
        "one", "two"
    ]  # fmt: skip


def test_without_a_choice_it_is_all_of_the_filter_that_is_not_managed(
    client: Client, configuration: Configuration
) -> None:
    ConfigurationFactory(cluster=configuration.cluster, name="other")
    page = client.get(URL, {"q": "name:other"}).content.decode()
    assert page.count('type="hidden" name="pick"') == 1
    assert client.get(URL).content.decode().count('type="hidden" name="pick"') == 2


def test_the_reason_is_asked_for_and_the_choice_stays(
    client: Client, configuration: Configuration
) -> None:
    page = client.post(URL, {"pick": configuration.pk, "reason": ""}).content.decode()
    assert 'aria-invalid="true"' in page
    assert f'name="pick" value="{configuration.pk}"' in page
    assert not fresh(configuration).managed


def test_what_changed_since_the_page_was_opened_is_to_be_looked_at_again(
    client: Client, configuration: Configuration
) -> None:
    shown = client.get(URL, {"pick": configuration.pk}).content.decode()
    seen = f"{configuration.pk}:{configuration.observed_digest}"
    assert f'value="{seen}"' in shown
    configuration_observe(
        configuration_id=configuration.pk, resource=resource(configuration, suspend=True)
    )
    data = {"pick": configuration.pk, "seen": seen, **REASON}
    page = client.post(URL, data).content.decode()
    assert "has changed in Azure since you opened the page" in page
    assert not fresh(configuration).managed


@pytest.mark.parametrize("pick", ["x", "-1", "99999999999999999999", "0"])
def test_a_choice_of_nothing_is_not_found(client: Client, pick: str) -> None:
    assert client.get(URL, {"pick": pick}).status_code == 404
    assert client.post(URL, {"pick": pick, **REASON}).status_code == 404


def test_the_list_finds_and_counts_them_and_the_overview_leads_there(
    client: Client, author: User, configuration: Configuration
) -> None:
    ConfigurationFactory(cluster=configuration.cluster, name="adopted-one")
    configurations_adopt(author=author, pks=[Configuration.objects.get(name="adopted-one").pk])
    page = client.get("/configurations/?q=managed:no").content.decode()
    assert "cluster-config" in page
    assert "adopted-one" not in page
    assert f'href="{URL}?q=managed%3Ano"' in page  # all of them at once
    assert "adopted-one" in client.get("/configurations/?q=managed:yes").content.decode()
    assert client.get("/configurations/?q=managed:perhaps").status_code == 200
    listed = client.get("/configurations/").content.decode()
    assert "Not managed yet" in listed
    assert 'href="?q=managed%3Ano"' in listed
    assert "1 configuration is not managed yet" in client.get("/").content.decode()
