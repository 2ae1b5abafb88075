"""Deleting: what prune takes, by force, and Flux with all its configurations in one change."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from django.test import Client
from django.urls import reverse

from access.models import Role, User
from changes.apply import operation_retry
from changes.errors import ChangeRefused
from changes.kinds import kind_named
from changes.models import Change, Operation
from clusters.models import Cluster, Connection, Extension
from configurations import services
from configurations.models import Configuration
from configurations.pruning import effect_of
from configurations.removal import configurations_of, flux_removal_propose
from simulator.inprocess import InProcessSimulator, SimulatorAdapter
from tests.clusters.conftest import _sample_identity, azure, connection, simulator, sweep
from tests.clusters.test_sync import configure
from tests.configurations.test_apply import applied, arc, carry_out, read_all
from tests.factories.access import make_user
from tests.factories.changes import approve

__all__ = ["_sample_identity", "applied", "arc", "azure", "connection", "simulator"]

pytestmark = pytest.mark.django_db


def on_cluster(simulator: InProcessSimulator, cluster: Cluster, path: str) -> list[str]:
    """Names of what the cluster's own Kubernetes API shows, "namespace/name"."""
    simulator.run_until_idle()
    resource = simulator.core.store.get(cluster.arm_id)
    assert resource is not None
    door = requests.Session()
    app = simulator.core.agents.simulation(resource).kubernetes_app()
    door.mount("https://", SimulatorAdapter(app))
    items: list[dict[str, Any]] = (
        door.get(f"https://cluster.localhost/{path}", timeout=30).json().get("items") or []
    )
    return [f"{it['metadata'].get('namespace', '')}/{it['metadata']['name']}" for it in items]


def deployments(simulator: InProcessSimulator, cluster: Cluster) -> list[str]:
    return on_cluster(simulator, cluster, "apis/apps/v1/deployments")


def removal(author: User, cluster: Cluster, **more: Any) -> Change:
    found = Extension.objects.select_related("cluster__connection").get(cluster=cluster)
    seen = [it.pk for it in configurations_of(cluster)]
    return flux_removal_propose(
        author=author, extension=found, seen=seen, reason="Moved away", **more
    )


def deletes(simulator: InProcessSimulator) -> list[str]:
    journal = simulator.control.journal()
    return [it["path"].rsplit("/", 1)[1] for it in journal if it["method"] == "DELETE"]


def second_one(
    simulator: InProcessSimulator, connection: Connection, cluster: Cluster
) -> Configuration:
    configure(simulator, cluster.arm_id_display, "a-second")
    simulator.run_until_idle()
    sweep(connection)
    read_all()
    found: Configuration = Configuration.objects.get(name="a-second")
    return found


# --- What goes ------------------------------------------------------------------------------
def test_what_goes_is_told_from_what_azure_reports(applied: Configuration) -> None:
    effect = effect_of([applied])
    assert set(effect.pruned) == {"infra", "apps"}
    assert len(effect.going) == applied.object_count > 3
    assert effect.releases > 0
    assert not effect.staying


def test_what_a_kustomization_without_prune_applied_stays(applied: Configuration) -> None:
    applied.observed["kustomizations"]["apps"]["prune"] = False
    effect = effect_of([applied])
    assert (effect.pruned, effect.kept) == (("infra",), ("apps",))
    assert {it.applied_by for it in effect.staying} == {"cluster-config/cluster-config-apps"}
    # The kustomization itself is the configuration's own, and goes.
    assert "cluster-config-apps" in {it.name for it in effect.going}


def test_the_page_says_how_much_goes_and_what_is_not_counted(
    applied: Configuration, author: User, client: Client
) -> None:
    client.force_login(author)
    page = client.get(reverse("configurations:delete", args=[applied.pk])).content.decode()
    assert f"Azure reports {applied.object_count} objects" in page
    assert "deployments, services and the like go too" in page


def test_a_delete_prunes_what_was_deployed(
    applied: Configuration, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    before = deployments(simulator, applied.cluster)
    assert [it for it in before if not it.startswith("flux-system/")]
    change = services.configuration_propose(
        author=author, configuration=applied, verb=Change.Verb.DELETE, reason="Not needed"
    )
    numbers = {fact.text: fact.value for fact in kind_named(change.kind).facts(change)}
    assert numbers["reported objects go, and all else they deployed"] == str(applied.object_count)
    approve(approver, change)
    carry_out(change, simulator)
    after = deployments(simulator, applied.cluster)
    assert [it for it in after if not it.startswith("flux-system/")] == []
    assert after  # the extension stays


# --- By force -------------------------------------------------------------------------------
def test_force_is_refused_to_whoever_is_no_admin(applied: Configuration, author: User) -> None:
    with pytest.raises(ChangeRefused) as caught:
        services.configuration_propose(
            author=author,
            configuration=applied,
            verb=Change.Verb.DELETE,
            reason="x",
            force=True,
        )
    assert caught.value.code == "no_right"
    assert not Change.objects.filter(verb=Change.Verb.DELETE).exists()


def test_a_posted_force_of_an_author_is_ignored_by_the_form(
    applied: Configuration, author: User, client: Client
) -> None:
    client.force_login(author)
    data = {"typed_name": applied.name, "reason": "x", "force": "on"}
    assert client.post(reverse("configurations:delete", args=[applied.pk]), data).status_code == 302
    [step] = Change.objects.get(verb=Change.Verb.DELETE).content["targets"][0]["steps"]
    assert step["options"] == {}


def test_an_admins_force_is_told_to_the_approver_and_does_not_ask_the_cluster(
    applied: Configuration, approver: User, simulator: InProcessSimulator, client: Client
) -> None:
    admin = make_user(Role.ADMIN)
    client.force_login(admin)
    data = {"typed_name": applied.name, "reason": "It hangs", "force": "on"}
    client.post(reverse("configurations:delete", args=[applied.pk]), data)
    change = Change.objects.get(verb=Change.Verb.DELETE)
    tones = {risk.code: risk.tone for risk in kind_named(change.kind).risks(change)}
    assert tones["delete_force"] == "bad"
    assert "delete_prunes" not in tones
    simulator.control.set_agent_online(applied.cluster.arm_id_display, False)
    approve(approver, change)
    carry_out(change, simulator)
    assert change.state == Change.State.APPLIED
    assert simulator.core.store.get(applied.arm_id) is None
    assert [
        it for it in deployments(simulator, applied.cluster) if not it.startswith("flux-system/")
    ]


# --- All of it ------------------------------------------------------------------------------
def test_configurations_go_first_then_the_extension_and_nothing_stays(
    applied: Configuration,
    connection: Connection,
    author: User,
    approver: User,
    simulator: InProcessSimulator,
) -> None:
    second_one(simulator, connection, applied.cluster)
    change = removal(author, applied.cluster)
    tones = {risk.code: risk.tone for risk in kind_named(change.kind).risks(change)}
    assert (tones["delete_prunes"], tones["delete"]) == ("bad", "bad")
    approve(approver, change)
    carry_out(change, simulator)
    assert change.state == Change.State.APPLIED, list(
        change.operations.values_list("resource_name", "state", "problem_message")
    )
    assert deletes(simulator) == ["a-second", "cluster-config", "flux"]
    assert deployments(simulator, applied.cluster) == []
    assert not Extension.objects.filter(cluster=applied.cluster).exists()
    read_all()
    assert not Configuration.objects.filter(gone_at=None).exists()


def test_one_that_fails_stops_the_rest_and_can_be_tried_again(
    applied: Configuration,
    connection: Connection,
    author: User,
    approver: User,
    simulator: InProcessSimulator,
) -> None:
    second_one(simulator, connection, applied.cluster)
    simulator.control.add_fault(
        kind="fail_operation",
        method="DELETE",
        path=".*fluxConfigurations/cluster-config.*",
        code="HelmUninstallFailed",
        message="release podinfo has a finalizer that does not end",
    )
    change = removal(author, applied.cluster)
    approve(approver, change)
    carry_out(change, simulator)
    assert change.state == Change.State.FAILED
    rows = {it.resource_name: it for it in change.operations.all()}
    assert rows["a-second"].state == "succeeded"
    assert rows["cluster-config"].state == "failed"
    assert "finalizer" in rows["cluster-config"].problem_message
    assert rows["flux"].state == "waiting"
    assert "flux" not in deletes(simulator)
    assert Extension.objects.filter(cluster=applied.cluster).exists()
    simulator.control.clear_faults()
    operation_retry(actor=author, operation=Operation.objects.get(pk=rows["cluster-config"].pk))
    carry_out(change, simulator)
    assert change.state == Change.State.APPLIED
    assert deployments(simulator, applied.cluster) == []


def test_what_the_author_was_not_shown_is_not_deleted(applied: Configuration, author: User) -> None:
    extension = Extension.objects.get(cluster=applied.cluster)
    with pytest.raises(ChangeRefused) as caught:
        flux_removal_propose(author=author, extension=extension, seen=[], reason="x")
    assert caught.value.code == "moved"


def test_the_page_wants_the_name_of_the_cluster(
    applied: Configuration, author: User, client: Client
) -> None:
    client.force_login(author)
    address = reverse("configurations:remove_flux", args=[applied.cluster_id])
    page = client.get(address)
    assert b"cluster-config" in page.content
    data = {"seen": str(applied.pk), "reason": "Moved away", "typed_name": "another"}
    answer = client.post(address, data)
    assert answer.status_code == 200
    assert b"Moved away" in answer.content  # nothing typed is lost
    assert not Change.objects.filter(kind="flux_removal").exists()
    assert client.post(address, data | {"typed_name": applied.cluster.name}).status_code == 302
    page = client.get(reverse("changes:detail", args=[Change.objects.latest("pk").pk]))
    assert b"Flux leaves" in page.content
