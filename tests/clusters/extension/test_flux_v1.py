"""Flux v1 on a cluster: seen by a worker, explained, refused before submit and before sending."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from access.models import Environment, User
from changes.errors import ChangeRefused
from changes.models import Change
from clusters.environments import cluster_assign
from clusters.extension_kind import install_propose
from clusters.flux_v1 import flux_v1_look
from clusters.models import Cluster, Connection
from configurations import services
from simulator.inprocess import InProcessSimulator
from tests.clusters.conftest import sweep
from tests.clusters.test_extension_kind import approve, work
from tests.configurations.test_compose import tutorial_data
from tests.factories.access import client_of
from tests.simulator_fixtures import Azure

pytestmark = pytest.mark.django_db


@pytest.fixture
def arc(connection: Connection, admin: User, environment: Environment) -> Cluster:
    sweep(connection)
    for cluster in Cluster.objects.all():
        cluster_assign(by=admin, cluster=cluster, environment=environment, by_hand=True)
    return again("flux-demo-arc")


def again(name: str) -> Cluster:
    found: Cluster = Cluster.objects.select_related("connection").get(name=name)
    return found


def plant(simulator: InProcessSimulator, azure: Azure) -> None:
    kind = "Microsoft.KubernetesConfiguration/sourceControlConfigurations"
    document = {
        "id": f"{azure.arc}/providers/{kind}/legacy",
        "name": "legacy",
        "type": kind,
        "properties": {"repositoryUrl": "https://github.com/contoso/old"},
    }
    simulator.control.put_resource(document)


def later() -> None:
    """A day goes by."""
    Cluster.objects.update(flux_v1_due_at=timezone.now() - timedelta(hours=1))


def test_each_cluster_is_looked_at_once_a_day(
    arc: Cluster, simulator: InProcessSimulator, azure: Azure
) -> None:
    assert flux_v1_look() == 2
    assert flux_v1_look() == 0
    assert again("flux-demo-arc").flux_v1 == []
    plant(simulator, azure)
    later()
    assert flux_v1_look() == 2
    assert again("flux-demo-arc").flux_v1 == ["legacy"]
    assert again("flux-demo-aks").flux_v1 == []
    sweep(arc.connection)
    assert again("flux-demo-arc").flux_v1 == ["legacy"]  # a sweep does not forget it


def test_a_look_that_fails_comes_again_soon(
    arc: Cluster, simulator: InProcessSimulator, azure: Azure
) -> None:
    simulator.control.add_fault(
        kind="status", status=503, path=".*sourceControlConfigurations.*", count=20
    )
    flux_v1_look()
    found = again("flux-demo-arc")
    assert found.flux_v1_at is None  # nothing was seen, so nothing is said
    assert timezone.now() < found.flux_v1_due_at < timezone.now() + timedelta(hours=1)


def test_it_is_explained_and_nothing_can_be_proposed(
    arc: Cluster, author: User, simulator: InProcessSimulator, azure: Azure
) -> None:
    plant(simulator, azure)
    flux_v1_look()
    arc = again("flux-demo-arc")
    page = client_of(author)
    text = page.get(reverse("clusters:detail", args=[arc.pk])).content.decode()
    assert "Flux v1 is on this cluster" in text
    assert "az k8s-configuration delete" in text
    assert reverse("clusters:install", args=[arc.pk]) not in text
    there = reverse("clusters:install", args=[arc.pk])
    assert "Delete these" in page.post(there, {"reason": "x"}).content.decode()
    draft = services.draft_create(author=author, cluster=arc)
    draft.data = tutorial_data()
    draft.save()
    review = reverse("configurations:draft_review", args=[draft.pk])
    assert "Flux v1 is on this cluster" in page.get(review).content.decode()
    answer = page.post(review, {"reason": "First", "go": "submit"})
    assert "legacy" in answer.content.decode()
    with pytest.raises(ChangeRefused) as caught:
        services.draft_submit(draft=draft, reason="First")
    assert caught.value.code == "flux_v1"
    assert not Change.objects.exists()


def test_one_that_appears_after_the_approval_stops_the_install(
    arc: Cluster, author: User, approver: User, simulator: InProcessSimulator, azure: Azure
) -> None:
    change = install_propose(author=author, cluster=arc, reason="Flux is wanted")
    approve(change, approver)
    plant(simulator, azure)
    operation = work(simulator, change.operations.get())
    assert (operation.state, operation.problem_code) == ("failed", "FluxV1Exists")
    assert "legacy" in operation.problem_message
    assert not [it for it in simulator.control.journal() if it["method"] == "PUT"]
