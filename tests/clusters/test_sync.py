"""The inventory against the simulator: what is found, what is gone, and what is not believed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from access.models import Environment
from audit.models import AuditEvent
from clusters import sync as syncing
from clusters.environments import setup_default_rules
from clusters.models import Cluster, Connection, Extension, Shard
from simulator.inprocess import InProcessSimulator
from tests.clusters.conftest import sweep, sync
from tests.factories.clusters import ClusterFactory, ConnectionFactory
from tests.simulator_fixtures import Azure, git_configuration

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["graph", "list"])
def either_way(request: pytest.FixtureRequest, connection: Connection) -> Connection:
    """The same fleet through Resource Graph, and cluster by cluster."""
    connection.reads = request.param
    connection.save()
    return connection


class Reader:
    """A fleet reader that keeps what it hears."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, connection: Connection, rows: Sequence[Any], **said: Any) -> None:
        self.calls.append({"names": [row["name"] for row in rows], **said})


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    found = Reader()
    monkeypatch.setattr(syncing, "_readers", [found])
    return found


def install(simulator: InProcessSimulator, cluster_id: str, name: str = "flux") -> None:
    path = f"{cluster_id}/providers/Microsoft.KubernetesConfiguration/extensions/{name}"
    body = {"properties": {"extensionType": "microsoft.flux", "autoUpgradeMinorVersion": True}}
    status, answer = simulator.control.edit(path, method="PUT", body=body)
    assert status < 300, answer
    simulator.run_until_idle()


def configure(simulator: InProcessSimulator, cluster_id: str, name: str) -> str:
    path = f"{cluster_id}/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/{name}"
    body = git_configuration(suspend=True)
    status, answer = simulator.control.edit(path, method="PUT", body=body)
    assert status < 300, answer
    return path


def test_the_first_sweep_finds_clusters_with_their_environment(
    either_way: Connection, azure: Azure
) -> None:
    setup_default_rules()
    sweep(either_way)
    aks, arc = Cluster.objects.order_by("name")
    assert arc.arm_id == azure.arc.lower()
    assert (arc.kind, arc.connectivity, str(arc.environment)) == (
        "connectedClusters",
        "Connected",
        "demo",
    )
    assert (aks.kind, aks.power_state, str(aks.environment)) == (
        "managedClusters",
        "Running",
        "staging",
    )
    assert either_way.sweep_at is not None
    assert either_way.problem == ""
    assert set(AuditEvent.objects.filter(action="cluster.seen").values_list("object_name")) == {
        ("flux-demo-arc",),
        ("flux-demo-aks",),
    }


def test_an_extension_is_found_by_its_type(
    either_way: Connection, azure: Azure, simulator: InProcessSimulator
) -> None:
    install(simulator, azure.arc, name="my-own-name")
    sweep(either_way)
    extension = Extension.objects.get()
    assert (extension.cluster.name, extension.name) == ("flux-demo-arc", "my-own-name")
    assert extension.provisioning_state == "Succeeded"
    assert extension.version


def test_readers_hear_every_row_and_at_the_end_that_it_was_all(
    either_way: Connection, azure: Azure, simulator: InProcessSimulator, reader: Reader
) -> None:
    install(simulator, azure.arc)
    configure(simulator, azure.arc, "one")
    configure(simulator, azure.arc, "two")
    sweep(either_way)
    via = either_way.reads
    assert reader.calls == [
        {"names": ["one", "two"], "via": via, "sweep_id": 1, "complete": False},
        {"names": [], "via": via, "sweep_id": 1, "complete": True},
    ]


def test_a_delta_brings_what_changed(
    connection: Connection, azure: Azure, simulator: InProcessSimulator, reader: Reader
) -> None:
    install(simulator, azure.arc)
    sweep(connection)
    path = configure(simulator, azure.arc, "fresh")
    simulator.run_until_idle()
    simulator.control.set_properties(path, {"statusUpdatedAt": timezone.now().isoformat()})
    reader.calls.clear()
    Shard.objects.update(next_at=timezone.now())
    sync(connection)
    assert [(it["names"], it["sweep_id"]) for it in reader.calls] == [(["fresh"], None)]
    assert connection.sweep_id == 1


def test_a_second_read_writes_nothing_new(connection: Connection) -> None:
    sweep(connection)
    events = AuditEvent.objects.count()
    sweep(connection)
    assert AuditEvent.objects.count() == events
    assert set(Cluster.objects.values_list("sweep_id", flat=True)) == {2}


def test_a_large_loss_wants_a_second_sweep(
    connection: Connection, azure: Azure, simulator: InProcessSimulator, reader: Reader
) -> None:
    sweep(connection)
    simulator.control.delete_cluster(azure.aks)
    reader.calls.clear()
    sweep(connection)
    assert Cluster.objects.filter(gone_at=None).count() == 2
    assert not any(call["complete"] for call in reader.calls)
    sweep(connection)
    assert Cluster.objects.get(name="flux-demo-aks").gone_at is not None
    assert [call["sweep_id"] for call in reader.calls if call["complete"]] == [3]
    assert AuditEvent.objects.filter(action="cluster.gone").count() == 1
    assert not connection.drop_suspected


def test_a_fifth_is_the_limit(connection: Connection) -> None:
    """One of 8 unseen is believed at once, 3 of 10 are not."""
    sweep(connection)
    for known, believed in ((8, True), (10, False)):
        Cluster.objects.exclude(name__startswith="flux-demo").delete()
        seen = [ClusterFactory(connection=connection) for _ in range(known - 2)]
        Connection.objects.filter(pk=connection.pk).update(sweep_id=50)
        Cluster.objects.filter(connection=connection).update(sweep_id=50)
        unseen = seen[:1] if believed else seen[:3]
        Cluster.objects.filter(pk__in=[it.pk for it in unseen]).update(sweep_id=49)
        Shard.objects.update(sweep_id=50)
        assert syncing.sweep_end(connection.pk, 50) is believed
        gone = Cluster.objects.filter(pk__in=[it.pk for it in unseen], gone_at__isnull=False)
        assert gone.count() == (len(unseen) if believed else 0)


def test_a_truncated_sweep_ends_nothing(
    connection: Connection, azure: Azure, simulator: InProcessSimulator, monkeypatch: Any
) -> None:
    sweep(connection)
    simulator.control.delete_cluster(azure.aks)
    from arm.graph import GraphOperations

    read = GraphOperations._graph_page

    def cut(*args: Any, **kwargs: Any) -> Any:
        from dataclasses import replace

        return replace(read(*args, **kwargs), truncated=True)

    monkeypatch.setattr(GraphOperations, "_graph_page", cut)
    for _ in range(3):
        sweep(connection)
    assert Cluster.objects.filter(gone_at=None).count() == 2
    assert not connection.drop_suspected
    monkeypatch.undo()
    sweep(connection)
    sweep(connection)
    assert Cluster.objects.get(name="flux-demo-aks").gone_at is not None


def test_a_sweep_ends_when_its_last_shard_was_read(connection: Connection) -> None:
    sweep(connection)
    ClusterFactory(connection=connection)
    Shard.objects.create(
        connection=connection, position=1, subscription_ids=["x"], next_at=timezone.now()
    )
    Connection.objects.filter(pk=connection.pk).update(sweep_id=7, drop_suspected=True)
    first = Shard.objects.get(position=0)
    assert syncing.shard_read(first.pk)
    assert Cluster.objects.filter(gone_at__isnull=False).count() == 0
    Shard.objects.filter(position=1).update(sweep_id=7)
    assert syncing.sweep_end(connection.pk, 7)
    assert Cluster.objects.filter(gone_at__isnull=False).count() == 1


def test_two_beats_claim_a_read_once(connection: Connection) -> None:
    syncing.sweep_begin(connection.pk)
    Connection.objects.update(sweep_due_at=None)
    first, second = syncing.claim_due(), syncing.claim_due()
    assert first == ([connection.pk], [Shard.objects.get().pk])
    assert second == ([], [])


def test_without_a_broker_the_read_stays_due_and_the_sweep_process_does_it(
    connection: Connection,
) -> None:
    def no_broker(pk: int) -> None:
        raise ConnectionRefusedError

    syncing.sync_due(send_sweep=no_broker, send_read=no_broker)
    late = timezone.now() - syncing.OVERDUE
    Connection.objects.update(sweep_due_at=late)
    syncing.sync_overdue()
    assert Cluster.objects.count() == 2


def test_a_disabled_connection_is_left_alone(connection: Connection) -> None:
    Connection.objects.update(enabled=False)
    sweep(connection)
    assert Cluster.objects.count() == 0


def test_a_lost_sign_in_is_told_once_and_its_end_too(
    connection: Connection, simulator: InProcessSimulator
) -> None:
    sweep(connection)
    right = connection.secret_encrypted
    from clusters.secrets import encrypt

    Connection.objects.update(secret_encrypted=encrypt("canary-wrong-secret"))
    for _ in range(3):
        sweep(connection)
    assert connection.problem == "sign_in_lost"
    assert "AADSTS" in connection.problem_message
    assert "canary" not in connection.problem_message
    assert connection.problem_since is not None
    assert Cluster.objects.filter(gone_at=None).count() == 2
    assert AuditEvent.objects.filter(action="connection.problem").count() == 1
    Connection.objects.update(secret_encrypted=right)
    sweep(connection)
    assert connection.problem == ""
    assert AuditEvent.objects.filter(action="connection.recovered").count() == 1
    assert "canary" not in str(list(AuditEvent.objects.values_list("detail", flat=True)))


def test_throttled_by_azure_waits_as_long_as_azure_says(
    connection: Connection, simulator: InProcessSimulator
) -> None:
    sweep(connection)
    simulator.control.add_fault(kind="status", method="POST", status=429, retry_after="77")
    before = timezone.now()
    sweep(connection)
    assert connection.problem == "throttled"
    assert Shard.objects.get().next_at >= before + timedelta(seconds=77)


def test_graph_refused_falls_back_to_lists(
    connection: Connection, simulator: InProcessSimulator
) -> None:
    simulator.control.add_fault(kind="status", path=".*ResourceGraph.*", status=403, code="Denied")
    sweep(connection)
    assert set(Cluster.objects.values_list("observed_via", flat=True)) == {"list"}


def test_another_environment_by_tag_is_told(
    connection: Connection, azure: Azure, simulator: InProcessSimulator
) -> None:
    setup_default_rules()
    sweep(connection)
    document = dict(simulator.control.resource(azure.arc))
    simulator.control.put_resource(document | {"tags": {"Environment": "PRODUCTION"}})
    sweep(connection)
    assert str(Cluster.objects.get(name="flux-demo-arc").environment) == "production"
    event = AuditEvent.objects.get(action="cluster.environment_changed")
    assert (event.detail["before"], event.detail["after"]) == ("demo", "production")


def test_by_hand_wins_over_tags(connection: Connection, azure: Azure) -> None:
    setup_default_rules()
    sweep(connection)
    production = Environment.objects.get(name="production")
    Cluster.objects.update(environment=production, environment_by_hand=True)
    sweep(connection)
    assert set(Cluster.objects.values_list("environment__name", flat=True)) == {"production"}


def test_a_cluster_of_another_connection_stays_there(connection: Connection, azure: Azure) -> None:
    other = ConnectionFactory()
    ClusterFactory(
        connection=other, arm_id=azure.arc.lower(), arm_id_display=azure.arc, region="elsewhere"
    )
    sweep(connection)
    assert Cluster.objects.get(arm_id=azure.arc.lower()).region == "elsewhere"
    Connection.objects.filter(pk=other.pk).update(enabled=False)
    sweep(connection)
    assert Cluster.objects.get(arm_id=azure.arc.lower()).connection == connection


def test_without_a_list_of_subscriptions_the_known_ones_are_read(
    connection: Connection, simulator: InProcessSimulator
) -> None:
    Connection.objects.update(subscription_ids=[])
    sweep(connection)
    assert Cluster.objects.count() == 2
    for _ in range(2):
        simulator.control.add_fault(
            kind="status", method="GET", path="/subscriptions$", status=403, code="Denied"
        )
        sweep(connection)
    assert (connection.problem, connection.sweep_id) == ("", 3)
    assert not AuditEvent.objects.filter(action="connection.problem").exists()


def test_a_first_list_that_fails_is_told(
    connection: Connection, simulator: InProcessSimulator
) -> None:
    Connection.objects.update(subscription_ids=[])
    simulator.control.add_fault(
        kind="status", method="GET", path="/subscriptions$", status=403, code="Denied"
    )
    sweep(connection)
    assert (connection.problem, connection.problem_code) == ("forbidden", "Denied")
    assert connection.sweep_due_at is not None
    sweep(connection)
    assert connection.problem == ""
