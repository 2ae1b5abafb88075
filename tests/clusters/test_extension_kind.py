"""Installing Flux and registering a provider: asked, approved, sent and seen, at the simulator."""

from __future__ import annotations

import pytest
from django.utils import timezone

from access.models import Environment, User
from audit.models import AuditEvent
from changes.engine import advance
from changes.errors import ChangeRefused
from changes.models import Change, Operation, Problem
from changes.services import review_add
from clusters.environments import cluster_assign
from clusters.extension_kind import install_propose, install_step
from clusters.models import Cluster, Connection, Extension
from clusters.provider_kind import register_propose
from simulator.inprocess import InProcessSimulator
from tests.clusters.conftest import sweep
from tests.clusters.test_sync import install
from tests.factories.access import make_user
from tests.factories.clusters import ClusterFactory, ExtensionFactory
from tests.simulator_fixtures import Azure

pytestmark = pytest.mark.django_db


@pytest.fixture
def arc(connection: Connection, admin: User, environment: Environment) -> Cluster:
    """The tutorial's Arc cluster, in the environment of the cast."""
    sweep(connection)
    for cluster in Cluster.objects.all():
        cluster_assign(by=admin, cluster=cluster, environment=environment, by_hand=True)
    return Cluster.objects.select_related("connection").get(name="flux-demo-arc")


def approve(change: Change, reviewer: User) -> None:
    review_add(
        reviewer=reviewer, change=change, verdict="approve", comment="", digest=change.digest
    )


def work(simulator: InProcessSimulator, operation: Operation, rounds: int = 12) -> Operation:
    """What workers do until the operation ends."""
    for _ in range(rounds):
        Operation.objects.filter(pk=operation.pk).update(next_at=timezone.now())
        advance(operation.pk)
        operation.refresh_from_db()
        if operation.state in {"succeeded", "failed"}:
            return operation
        simulator.control.advance(60)
        simulator.step()
    return operation


def proposed(author: User, approver: User, cluster: Cluster) -> Operation:
    change = install_propose(author=author, cluster=cluster, reason="Flux is wanted here")
    approve(change, approver)
    found: Operation = Operation.objects.get(change=change)
    return found


def test_from_the_request_to_the_installed_extension(
    arc: Cluster, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    operation = work(simulator, proposed(author, approver, arc))
    assert operation.state == "succeeded", operation.problem_message
    (write,) = [it for it in simulator.control.journal() if "extensions" in it["path"]]
    assert (write["method"], write["api_version"]) == ("PUT", "2025-03-01")
    assert write["client_request_id"] == operation.client_request_id
    assert write["body"]["identity"] == {"type": "SystemAssigned"}
    assert write["body"]["properties"] == {
        "extensionType": "microsoft.flux",
        "autoUpgradeMinorVersion": True,
        "releaseTrain": "Stable",
        "scope": {"cluster": {"releaseNamespace": "flux-system"}},
    }
    assert Extension.objects.get(cluster=arc).provisioning_state == "Succeeded"
    assert AuditEvent.objects.filter(action="extension.seen", change_id=operation.change_id)
    simulator.run_until_idle()
    sweep(arc.connection)
    extension = Extension.objects.get(cluster=arc)
    assert (extension.provisioning_state, extension.observed_via) == ("Succeeded", "graph")
    assert extension.version
    change = Change.objects.get()
    assert change.state == "applied"


def test_aks_gets_no_identity(arc: Cluster) -> None:
    aks = Cluster.objects.select_related("connection").get(name="flux-demo-aks")
    step = install_step(aks)
    assert step is not None
    assert step.body is not None
    assert "identity" not in step.body


def test_there_is_no_step_where_an_instance_is(arc: Cluster) -> None:
    ExtensionFactory(cluster=arc, name="of-another-name", provisioning_state="Failed")
    assert install_step(arc) is None


def test_it_shows_as_creating_as_soon_as_azure_took_it(
    arc: Cluster, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    simulator.control.add_fault(kind="stuck", method="PUT", path=".*extensions.*")
    operation = work(simulator, proposed(author, approver, arc), rounds=2)
    assert operation.state == "polling"
    assert Extension.objects.get(cluster=arc).provisioning_state == "Creating"
    assert install_step(arc) is None


def test_an_extension_that_fails_says_why(
    arc: Cluster, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    simulator.control.add_fault(
        kind="fail_operation",
        method="PUT",
        path=".*extensions.*",
        code="ExtensionCreationFailed",
        message="The policy deny-flux-system forbids it.",
    )
    operation = work(simulator, proposed(author, approver, arc))
    assert (operation.state, operation.problem) == ("failed", Problem.OPERATION_FAILED)
    extension = Extension.objects.get(cluster=arc)
    assert extension.provisioning_state == "Failed"
    assert "deny-flux-system" in extension.error_message


def test_one_that_azure_installed_meanwhile_is_as_good(
    arc: Cluster, author: User, approver: User, azure: Azure, simulator: InProcessSimulator
) -> None:
    operation = proposed(author, approver, arc)
    install(simulator, azure.arc, name="azure-made-this")
    before = len(simulator.control.journal())
    operation = work(simulator, operation)
    assert (operation.state, operation.note) == ("succeeded", "already_so")
    assert len(simulator.control.journal()) == before


def test_a_lost_answer_is_looked_up_and_not_sent_twice(
    arc: Cluster, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    simulator.control.add_fault(kind="reset_after", method="PUT", path=".*extensions.*")
    operation = work(simulator, proposed(author, approver, arc))
    assert operation.state == "succeeded", operation.problem_message
    writes = [it for it in simulator.control.journal() if "extensions" in it["path"]]
    assert len(writes) == 1


def test_a_cluster_that_was_forgotten_ends_the_operation(
    arc: Cluster, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    operation = proposed(author, approver, arc)
    Cluster.objects.filter(pk=arc.pk).delete()
    operation = work(simulator, operation, rounds=1)
    assert (operation.state, operation.problem) == ("failed", Problem.CLUSTER_GONE)


def test_a_cluster_that_azure_deleted_ends_the_operation(
    arc: Cluster, author: User, approver: User, azure: Azure, simulator: InProcessSimulator
) -> None:
    operation = proposed(author, approver, arc)
    simulator.control.delete_cluster(azure.arc)
    operation = work(simulator, operation, rounds=1)
    assert (operation.state, operation.problem) == ("failed", Problem.CLUSTER_GONE)


def test_a_sweep_that_is_behind_keeps_the_row_of_a_running_install(
    arc: Cluster, author: User, approver: User
) -> None:
    ExtensionFactory(cluster=arc, provisioning_state="Creating", observed_via="write")
    sweep(arc.connection)
    assert Extension.objects.filter(cluster=arc).exists()
    Extension.objects.update(observed_via="graph")
    sweep(arc.connection)
    assert not Extension.objects.filter(cluster=arc).exists()
    assert AuditEvent.objects.filter(action="extension.gone").count() == 1


def test_reviewers_are_warned_of_what_stands_in_the_way(author: User, environment: object) -> None:
    cluster = ClusterFactory(environment=environment, connectivity="Offline")
    change = install_propose(author=author, cluster=cluster, reason="x")
    Cluster.objects.update(identity_kind="ServicePrincipal")  # seen after it was proposed
    from changes.kinds import kind_named

    risks = kind_named(change.kind).risks(change)
    assert next(risk.code for risk in risks) == "service_principal"
    assert {"offline", "controllers", "auto_upgrade"} <= {risk.code for risk in risks}
    (fact,) = kind_named(change.kind).facts(change)
    assert fact.value == "1"
    assert kind_named(change.kind).target_url(change, 0) == f"/clusters/{cluster.pk}/"


# --- Providers ------------------------------------------------------------------------------
NAMESPACE = "Microsoft.KubernetesConfiguration"


def test_a_provider_is_registered_and_waited_for(
    connection: Connection, admin: User, simulator: InProcessSimulator
) -> None:
    simulator.control.set_registration(NAMESPACE)
    change = register_propose(
        author=admin,
        connection=connection,
        subscription_id=connection.subscription_ids[0],
        namespace=NAMESPACE,
        reason="Flux needs it",
    )
    approve(change, make_user("approver", None))
    operation = work(simulator, Operation.objects.get(), rounds=30)
    assert operation.state == "succeeded", operation.problem_message
    assert Operation.objects.get().accepted_at is not None
    change.refresh_from_db()
    assert change.state == "applied"


def test_a_registered_provider_is_left_alone(
    connection: Connection, admin: User, simulator: InProcessSimulator
) -> None:
    change = register_propose(
        author=admin,
        connection=connection,
        subscription_id=connection.subscription_ids[0],
        namespace=NAMESPACE,
        reason="Flux needs it",
    )
    approve(change, make_user("approver", None))
    operation = work(simulator, Operation.objects.get())
    assert (operation.state, operation.note) == ("succeeded", "already_so")


def test_a_provider_is_for_roles_held_everywhere(connection: Connection, author: User) -> None:
    with pytest.raises(ChangeRefused) as caught:
        register_propose(
            author=author,
            connection=connection,
            subscription_id=connection.subscription_ids[0],
            namespace=NAMESPACE,
            reason="x",
        )
    assert caught.value.code == "no_right"


def test_only_providers_that_the_portal_needs(connection: Connection, admin: User) -> None:
    with pytest.raises(ValueError, match="not a provider"):
        register_propose(
            author=admin,
            connection=connection,
            subscription_id=connection.subscription_ids[0],
            namespace="Microsoft.Compute",
            reason="x",
        )
