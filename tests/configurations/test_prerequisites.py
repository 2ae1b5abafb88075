"""What Azure would refuse is said before anybody submits, and again to who reviews."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from access.models import User
from changes.models import Change
from clusters.models import Cluster
from configurations.risks import risks_of
from tests.clusters.prerequisites.test_fleet import reading
from tests.configurations.test_wizard import Wizard

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


@pytest.fixture
def wizard(author: User, bare_cluster: Cluster, client_of: ClientOf) -> Wizard:
    return Wizard(client_of(author), bare_cluster)


def test_an_unregistered_provider_is_named_on_the_first_and_last_step_and_on_the_change(
    wizard: Wizard, approver: User, client_of: ClientOf
) -> None:
    cluster = wizard.cluster
    reading(cluster.connection, cluster.subscription_id, state="NotRegistered")
    draft = wizard.begin()
    wizard.fill(draft)
    for step in ("basics", "review"):
        page = wizard.client.get(wizard.url(draft, step)).content.decode()
        assert "Microsoft.KubernetesConfiguration is registered: failed" in page
        assert reverse("clusters:prerequisites", args=[cluster.pk]) in page
    # It is no block: the provider may be registered before the approval.
    wizard.post(draft, "review", reason="Flux is wanted", go="submit")
    change = Change.objects.get()
    assert "prerequisite_provider" in {it.code for it in risks_of(change)}
    page = client_of(approver).get(reverse("changes:detail", args=[change.pk])).content.decode()
    assert "Microsoft.KubernetesConfiguration is not registered for bare-arc" in page
    assert reverse("clusters:prerequisites", args=[cluster.pk]) in page


def test_nothing_is_said_where_nothing_fails(wizard: Wizard) -> None:
    reading(wizard.cluster.connection, wizard.cluster.subscription_id)
    page = wizard.client.get(wizard.url(wizard.begin(), "basics")).content.decode()
    assert "not met" not in page


def test_a_first_configuration_on_a_service_principal_cluster_is_refused_with_the_command(
    wizard: Wizard,
) -> None:
    Cluster.objects.update(kind="managedClusters", identity_kind="ServicePrincipal")
    draft = wizard.begin()
    wizard.fill(draft)
    page = wizard.post(draft, "review", reason="Flux is wanted", go="submit").content.decode()
    assert "Azure refuses extensions there" in page
    assert "--enable-managed-identity" in page
    assert "Flux is wanted" in page  # what was typed is kept
    assert not Change.objects.exists()
