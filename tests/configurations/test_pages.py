"""The list and the page of one configuration: what is shown, to whom, with how many queries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from access.models import User
from clusters.models import Cluster
from configurations.models import Compliance, Configuration, ObjectStatus
from configurations.observe import configuration_observe
from tests.factories.clusters import ClusterFactory
from tests.factories.configurations import (
    ConfigurationFactory,
    failing_statuses,
    healthy_statuses,
    resource,
    status,
)

ClientOf = Callable[[User | None], Client]
LIST = "/configurations/"
TABS = ("detail", "diff", "specification", "changes", "history", "raw")


@pytest.fixture
def client(viewer: User, client_of: ClientOf) -> Client:
    return client_of(viewer)


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return response.content.decode()


# --- Rights ---------------------------------------------------------------------------------
@pytest.mark.parametrize("tab", TABS)
def test_who_sees_the_environment_sees_the_page(
    tab: str, client: Client, configuration: Configuration
) -> None:
    assert configuration.name in page(
        client, reverse(f"configurations:{tab}", args=[configuration.pk])
    )


@pytest.mark.parametrize("tab", [*TABS, "suspend", "resume", "delete"])
def test_others_are_told_that_there_is_nothing(
    tab: str, outsider: User, client_of: ClientOf, configuration: Configuration
) -> None:
    url = reverse(f"configurations:{tab}", args=[configuration.pk])
    assert client_of(outsider).get(url).status_code == 404
    assert client_of(None).get(url).status_code == 302


@pytest.mark.parametrize("act", ["suspend", "resume", "delete"])
def test_only_who_may_propose_gets_the_form(
    act: str,
    viewer: User,
    author: User,
    client_of: ClientOf,
    configuration: Configuration,
) -> None:
    url = reverse(f"configurations:{act}", args=[configuration.pk])
    assert client_of(viewer).get(url).status_code == 403
    assert client_of(author).get(url).status_code == 200


@pytest.mark.parametrize("name", ["watch", "edit"])
def test_posts_are_guarded(
    name: str, viewer: User, outsider: User, client_of: ClientOf, configuration: Configuration
) -> None:
    url = reverse(f"configurations:{name}", args=[configuration.pk])
    assert client_of(outsider).post(url).status_code == 404
    assert client_of(viewer).post(url).status_code == {"watch": 204, "edit": 403}[name]
    assert client_of(viewer).get(url).status_code == 405


def test_the_list_shows_only_what_is_visible(client: Client, configuration: Configuration) -> None:
    hidden = ConfigurationFactory(cluster=ClusterFactory(name="other"), name="hidden-config")
    text = page(client, LIST)
    assert configuration.name in text
    assert hidden.name not in text
    assert hidden.name not in b"".join(client.get("/configurations/export.csv")).decode()


def test_a_draft_is_its_authors_alone(
    author: User, approver: User, cluster: Cluster, client_of: ClientOf
) -> None:
    from configurations.services import draft_create

    draft = draft_create(author=author, cluster=cluster)
    for step in ("basics", "source", "kustomizations", "review"):
        url = reverse(f"configurations:draft_{step}", args=[draft.pk])
        assert client_of(author).get(url).status_code == 200
        assert client_of(approver).get(url).status_code == 404
        assert client_of(approver).post(url, {}).status_code == 404
    discard = reverse("configurations:draft_discard", args=[draft.pk])
    assert client_of(approver).post(discard).status_code == 404


def test_a_viewer_cannot_begin(viewer: User, client_of: ClientOf, cluster: Cluster) -> None:
    url = reverse("configurations:new")
    assert cluster.name not in page(client_of(viewer), url)
    assert client_of(viewer).post(url, {"cluster": cluster.pk}).status_code == 403


# --- The list -------------------------------------------------------------------------------
def queries_of(client: Client, url: str, **headers: str) -> int:
    """How often the database is asked while nothing is cached."""
    cache.clear()
    with CaptureQueriesContext(
        database,
    ) as captured:
        assert client.get(url, headers=headers).status_code == 200
    return len(captured)


def test_the_list_asks_the_database_equally_often_at_any_size(
    client: Client, cluster: Cluster
) -> None:
    ConfigurationFactory(cluster=cluster)
    whole = queries_of(client, LIST)
    part = queries_of(client, LIST, **{"HX-Request": "true", "HX-Target": "configurations"})
    for _number in range(60):
        ConfigurationFactory(cluster=cluster)
    assert queries_of(client, f"{LIST}?sort=name") == whole
    again = queries_of(
        client, f"{LIST}?sort=name", **{"HX-Request": "true", "HX-Target": "configurations"}
    )
    assert again == part
    assert part <= 6


def test_pages_follow_one_another_without_a_gap(client: Client, cluster: Cluster) -> None:
    for number in range(40):
        compliance = "Non-Compliant" if number % 3 else "Compliant"
        ConfigurationFactory(
            cluster=cluster, name=f"c-{number:02}", properties={"complianceState": compliance}
        )
    for sort in ("severity", "name", "cluster", "observed"):
        seen: list[str] = []
        url = f"{LIST}?per=15&sort={sort}"
        while url:
            response = client.get(url)
            found = response.context["page"]
            seen += [row.name for row in found.rows]
            previous, url = found.previous, LIST + found.next if found.next else ""
        assert sorted(seen) == [f"c-{number:02}" for number in range(40)], sort
        back = client.get(LIST + previous).context["page"]
        assert [row.name for row in back.rows] == seen[15:30], sort


def test_a_forged_place_is_the_first_page(client: Client, configuration: Configuration) -> None:
    assert configuration.name in page(client, f"{LIST}?after=forged:x")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("state:non-compliant", {"bad"}),
        ("state:non-compliant state:compliant", {"bad", "good"}),
        ("-state:compliant", {"bad", "old"}),
        ("state:unknown", {"old"}),
        ("state:nonsense", set()),
        ("env:production", {"bad", "good", "old"}),
        ("cluster:flux-*", {"bad", "good", "old"}),
        ("cluster:flux", set()),
        ("ref:main", {"bad", "good", "old"}),
        ("commit:4f1bdad", {"bad", "good", "old"}),
        ("ns:other", {"bad"}),
        ("-ns:other", {"good", "old"}),
        ("name:GOOD", {"good"}),
        ("oo", {"good"}),
        ('"flux-demo" -bad', {"good", "old"}),
        ("unknown:key", set()),
    ],
)
def test_the_grammar_of_the_filter(
    text: str, found: set[str], client: Client, cluster: Cluster
) -> None:
    ConfigurationFactory(cluster=cluster, name="good")
    ConfigurationFactory(
        cluster=cluster,
        name="bad",
        properties={"complianceState": "Non-Compliant", "namespace": "other"},
    )
    ConfigurationFactory(
        cluster=cluster, name="old", observed_at=timezone.now() - timedelta(hours=2)
    )
    rows = client.get(LIST, {"q": text}).context["page"].rows
    assert {row.name for row in rows} == found


def test_the_chips_count_what_the_filter_leaves(client: Client, cluster: Cluster) -> None:
    ConfigurationFactory(cluster=cluster, name="good")
    ConfigurationFactory(
        cluster=cluster, name="old", observed_at=timezone.now() - timedelta(hours=2)
    )
    ConfigurationFactory(
        cluster=cluster, name="bad", properties={"complianceState": "Non-Compliant"}
    )
    chips = client.get(LIST, {"q": "-name:bad state:compliant"}).context["chips"]
    counts = {chip.state: chip.count for chip in chips}
    assert counts == {
        "": 2, "non-compliant": 0, "pending": 0, "suspended": 0, "unknown": 1, "compliant": 1,
        "drifted": 0, "unmanaged": 2,
    }  # fmt: skip
    assert [chip.state for chip in chips if chip.is_current] == ["compliant"]


def test_tokens_are_added_and_dropped_by_the_form_alone(client: Client) -> None:
    response = client.get(LIST, {"q": "env:production", "add": "state:pending"})
    assert response.url == f"{LIST}?q=env%3Aproduction+state%3Apending"
    response = client.get(LIST, {"q": "env:production state:pending", "drop": "env:production"})
    assert response.url == f"{LIST}?q=state%3Apending"


def test_stale_is_never_shown_as_compliant(client: Client, cluster: Cluster) -> None:
    row = ConfigurationFactory(
        cluster=cluster, name="old", observed_at=timezone.now() - timedelta(hours=2)
    )
    text = page(client, LIST)
    assert "fg-state--stale" in text
    text = page(client, reverse("configurations:detail", args=[row.pk]))
    assert "fg-verdict--none" in text
    assert "It was Compliant when it was last heard from." in text


def test_the_csv_is_no_formula(client: Client, cluster: Cluster) -> None:
    ConfigurationFactory(cluster=cluster, name="good", cause="=HYPERLINK(1)")
    text = b"".join(client.get("/configurations/export.csv", {"q": "name:good"})).decode()
    assert text.splitlines()[0].startswith("name,cluster,environment,compliance")
    assert "'=HYPERLINK(1)" in text


# --- One configuration ----------------------------------------------------------------------
def test_the_page_names_the_cause_and_who_waits(
    client: Client, configuration: Configuration
) -> None:
    body = resource(
        configuration.arm_id, statuses=failing_statuses(), complianceState="Non-Compliant"
    )
    configuration_observe(configuration_id=configuration.pk, resource=body)
    text = page(client, reverse("configurations:detail", args=[configuration.pk]))
    assert "The release&#x27;s pods do not become ready in time." in text
    assert "Helm install failed for release nginx/nginx" in text
    assert "Blocked by infra" in text
    assert "1 failed, 1 blocked" in text
    listed = page(client, LIST)
    assert "nginx: Helm install failed" in listed


def test_the_remedy_has_its_command_and_the_way_to_the_change(
    client: Client, author: User, configuration: Configuration
) -> None:
    statuses = [
        status(
            "GitRepository", "cluster-config", "Non-Compliant", reason="AuthenticationFailed",
            message="failed to get secret 'cluster-config/sign-in': secrets \"sign-in\" not found",
        )
    ]  # fmt: skip
    body = resource(configuration.arm_id, statuses=statuses, complianceState="Non-Compliant")
    configuration_observe(configuration_id=configuration.pk, resource=body)
    text = page(client, reverse("configurations:detail", args=[configuration.pk]))
    command = (
        "kubectl create secret generic sign-in --namespace cluster-config "
        "--from-literal=username=USER --from-literal=password=PASSWORD_OR_TOKEN"
    )
    assert f'data-copy="{command}"' in text
    assert 'form="propose"' not in text  # a viewer proposes nothing
    client.force_login(author)
    text = page(client, reverse("configurations:detail", args=[configuration.pk]))
    assert 'form="propose"' in text


def test_without_a_fetched_source_everything_else_waits_for_it(
    client: Client, configuration: Configuration
) -> None:
    statuses = [
        status(
            "GitRepository", "cluster-config", "Non-Compliant", reason="GitOperationFailed",
            message="failed to checkout: couldn't find remote ref \"refs/heads/staging\"",
        ),
        status(
            "Kustomization", "cluster-config-infra", "Non-Compliant", reason="ArtifactFailed",
            message="Source artifact not found, retrying in 30s",
        ),
    ]  # fmt: skip
    body = resource(configuration.arm_id, statuses=statuses, complianceState="Non-Compliant")
    configuration_observe(configuration_id=configuration.pk, resource=body)
    text = page(client, reverse("configurations:detail", args=[configuration.pk]))
    assert "The branch does not exist in the repository." in text
    assert "1 failed, 1 blocked" in text
    assert "Blocked by cluster-config" in text


def test_the_picture_has_words_and_a_list_beside_it(
    client: Client, configuration: Configuration
) -> None:
    body = resource(configuration.arm_id, statuses=healthy_statuses())
    configuration_observe(configuration_id=configuration.pk, resource=body)
    text = page(client, reverse("configurations:detail", args=[configuration.pk]))
    assert 'role="img" aria-labelledby="graph-title graph-text"' in text
    assert text.count("<g><title>") == 6
    assert 'id="graph-list"' in text


def test_the_page_asks_the_database_equally_often_with_many_objects(
    client: Client, configuration: Configuration
) -> None:
    url = reverse("configurations:detail", args=[configuration.pk])
    few = queries_of(client, url)
    statuses = healthy_statuses()
    statuses += [{**statuses[2], "name": f"release-{number}"} for number in range(100)]
    body = resource(configuration.arm_id, statuses=statuses)
    configuration_observe(configuration_id=configuration.pk, resource=body)
    assert queries_of(client, url) == few


def test_an_open_page_asks_for_closer_reads(client: Client, configuration: Configuration) -> None:
    url = reverse("configurations:watch", args=[configuration.pk])
    client.post(url)
    configuration.refresh_from_db()
    assert configuration.watch_until is not None
    assert configuration.next_read_at is not None
    first = configuration.watch_until
    client.post(url)
    configuration.refresh_from_db()
    assert configuration.watch_until == first  # at most one write in 20 s


def test_a_get_writes_nothing(client: Client, configuration: Configuration) -> None:
    before = Configuration.objects.values().get(pk=configuration.pk)
    for tab in TABS:
        page(client, reverse(f"configurations:{tab}", args=[configuration.pk]))
    assert Configuration.objects.values().get(pk=configuration.pk) == before


def test_a_delete_wants_the_name(
    author: User, client_of: ClientOf, configuration: Configuration
) -> None:
    url = reverse("configurations:delete", args=[configuration.pk])
    client = client_of(author)
    text = client.get(url).content.decode()
    assert "Prune is on for infra, apps" in text
    response = client.post(url, {"typed_name": "cluster", "reason": "gone"})
    assert "This is not its name." in response.content.decode()
    response = client.post(url, {"typed_name": "cluster-config", "reason": "gone"})
    assert response.status_code == 302


def test_text_from_a_cluster_never_becomes_markup(
    client: Client, configuration: Configuration
) -> None:
    evil = "<img src=x onerror=alert(1)>"
    statuses = failing_statuses()
    statuses[2]["statusConditions"][0]["message"] = evil
    statuses[2]["name"] = evil
    body = resource(
        configuration.arm_id,
        statuses=statuses,
        complianceState="Non-Compliant",
        errorMessage=evil,
        sourceSyncedCommitId=evil,
    )
    configuration_observe(configuration_id=configuration.pk, resource=body)
    for tab in TABS:
        url = reverse(f"configurations:{tab}", args=[configuration.pk])
        assert evil not in page(client, url)
    assert evil not in page(client, LIST)


def test_what_only_waits_is_said_to_wait(client: Client, configuration: Configuration) -> None:
    configuration.compliance = Compliance.NON_COMPLIANT
    configuration.save()
    ObjectStatus.objects.create(
        configuration=configuration,
        position=1,
        kind="Kustomization",
        namespace="cluster-config",
        name="cluster-config-apps",
        compliance=Compliance.NON_COMPLIANT,
        reason="DependencyNotReady",
        message="dependency 'cluster-config/cluster-config-infra' is not ready",
    )
    text = page(client, reverse("configurations:detail", args=[configuration.pk]))
    assert "Nothing failed by itself" in text
    assert "Nothing is wrong" not in text
