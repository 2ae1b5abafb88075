"""The whole way against the simulator: approve, write, watch, edit, suspend, delete."""

from __future__ import annotations

from typing import Any

import pytest

from access.models import Environment, User
from audit.models import AuditEvent
from changes.models import Change, Operation
from changes.sweeping import advance_due
from clusters.models import Cluster, Connection
from configurations import observe, services
from configurations.models import Compliance, Configuration
from configurations.wizard import compose
from simulator.inprocess import InProcessSimulator
from tests.clusters.conftest import _sample_identity, azure, connection, simulator, sweep
from tests.configurations.test_compose import tutorial_data
from tests.factories.changes import approve, make_due
from tests.simulator_fixtures import Azure

__all__ = ["_sample_identity", "azure", "connection", "simulator"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def arc(connection: Connection, environment: Environment) -> Cluster:
    """The simulator's Arc cluster in `environment`, found by the sync itself."""
    sweep(connection)
    found: Cluster = Cluster.objects.get(name="flux-demo-arc")
    found.environment = environment
    found.environment_by_hand = True
    found.save()
    return found


def carry_out(change: Change, simulator: InProcessSimulator) -> None:
    """Work until the change has ended, as workers do; the simulated cluster keeps up."""
    for _turn in range(40):
        make_due(change)
        advance_due()
        simulator.run_until_idle()
        change.refresh_from_db()
        if change.state in {Change.State.APPLIED, Change.State.FAILED}:
            return


def read_all() -> None:
    from django.utils import timezone

    Configuration.objects.filter(gone_at=None).update(next_read_at=timezone.now())
    observe.observe_due()


@pytest.fixture
def applied(
    arc: Cluster, author: User, approver: User, simulator: InProcessSimulator
) -> Configuration:
    """The tutorial, proposed, approved and applied."""
    draft = services.draft_create(author=author, cluster=arc)
    draft.data = tutorial_data()
    draft.save()
    change = services.draft_submit(draft=draft, reason="The tutorial")
    approve(approver, change)
    carry_out(change, simulator)
    assert change.state == Change.State.APPLIED, list(
        Operation.objects.values_list("state", "problem", "problem_code", "problem_message")
    )
    read_all()
    found: Configuration = Configuration.objects.get(name="cluster-config")
    return found


def test_the_tutorial_becomes_compliant(applied: Configuration) -> None:
    assert applied.compliance == Compliance.COMPLIANT
    assert applied.provisioning_state == "Succeeded"
    assert not applied.adopted
    assert not applied.drifted, applied.drift_fields
    assert applied.desired_change_id == Change.objects.get().pk
    assert applied.kustomization_count == 2
    names = set(applied.statuses.values_list("kind", "name"))
    assert ("Kustomization", "cluster-config-infra") in names
    assert ("GitRepository", "cluster-config") in names
    assert applied.object_count == len(names)
    assert applied.cluster.extension.provisioning_state == "Succeeded"  # installed first


def test_an_edit_is_put_with_the_whole_body(
    applied: Configuration,
    author: User,
    approver: User,
    simulator: InProcessSimulator,
    azure: Azure,
) -> None:
    draft = services.draft_edit(author=author, configuration=applied)
    draft.data["kustomizations"]["rows"][1]["path"] = "./apps/production"
    draft.save()
    change = services.draft_submit(draft=draft, reason="Production")
    assert change.content["targets"][0]["steps"][0]["method"] == "PUT"
    approve(approver, change)
    carry_out(change, simulator)
    assert change.state == Change.State.APPLIED
    live = azure.call("GET", applied.arm_id).json()["properties"]
    assert live["kustomizations"]["apps"]["path"] == "./apps/production"
    assert live["kustomizations"]["infra"]["prune"] is True


def test_suspend_and_resume(
    applied: Configuration, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    for verb, suspended in ((Change.Verb.SUSPEND, True), (Change.Verb.RESUME, False)):
        applied.refresh_from_db()
        change = services.configuration_propose(
            author=author, configuration=applied, verb=verb, reason="Maintenance"
        )
        approve(approver, change)
        carry_out(change, simulator)
        read_all()
        applied.refresh_from_db()
        assert applied.suspended is suspended
    assert applied.compliance == Compliance.COMPLIANT


def test_a_delete_makes_it_gone(
    applied: Configuration, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    change = services.configuration_propose(
        author=author, configuration=applied, verb=Change.Verb.DELETE, reason="Not needed"
    )
    approve(approver, change)
    carry_out(change, simulator)
    assert change.state == Change.State.APPLIED
    read_all()
    applied.refresh_from_db()
    assert applied.gone_at is not None
    assert AuditEvent.objects.filter(action="configuration.gone").count() == 1


def edit_outside(simulator: InProcessSimulator, arm_id: str, body: dict[str, Any]) -> None:
    status, answer = simulator.control.edit(arm_id, method="PATCH", body=body)
    assert status < 300, answer
    simulator.run_until_idle()


def test_a_write_past_the_portal_is_drift(
    applied: Configuration, simulator: InProcessSimulator
) -> None:
    body = {"properties": {"kustomizations": {"infra": {"prune": False}}}}
    edit_outside(simulator, applied.arm_id_display, body)
    read_all()
    applied.refresh_from_db()
    assert applied.drifted
    assert applied.drift_fields == ["kustomizations.infra.prune"]
    [event] = AuditEvent.objects.filter(action="configuration.drifted")
    assert event.detail["fields"] == ["kustomizations.infra.prune"]
    read_all()
    assert AuditEvent.objects.filter(action="configuration.drifted").count() == 1


def test_a_base_that_moved_stops_the_write(
    applied: Configuration, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    change = services.configuration_propose(
        author=author, configuration=applied, verb=Change.Verb.SUSPEND, reason="Maintenance"
    )
    body = {"properties": {"gitRepository": {"repositoryRef": {"branch": "other"}}}}
    edit_outside(simulator, applied.arm_id_display, body)
    approve(approver, change)
    make_due(change)
    advance_due()
    operation = Operation.objects.get(change=change)
    assert operation.problem == "base_moved"


def test_what_others_made_is_patched_and_keeps_its_secrets(
    arc: Cluster,
    connection: Connection,
    author: User,
    approver: User,
    simulator: InProcessSimulator,
) -> None:
    from configurations.reading import kustomizations_of
    from tests.simulator_fixtures import git_configuration

    path = f"{arc.arm_id_display}/providers/Microsoft.KubernetesConfiguration"
    extension = {"properties": {"extensionType": "microsoft.flux"}}
    simulator.control.edit(f"{path}/extensions/flux", method="PUT", body=extension)
    simulator.run_until_idle()
    body = git_configuration()
    status, answer = simulator.control.edit(
        f"{path}/fluxConfigurations/cluster-config", method="PUT", body=body
    )
    assert status < 300, answer
    simulator.run_until_idle()
    sweep(connection)
    configuration = Configuration.objects.get(name="cluster-config")
    assert configuration.adopted
    read_all()
    configuration.refresh_from_db()
    draft = services.draft_edit(author=author, configuration=configuration)
    rows = draft.data["kustomizations"]["rows"]
    draft.data["kustomizations"]["rows"] = [it for it in rows if it["name"] == "infra"]
    draft.save()
    change = services.draft_submit(draft=draft, reason="Only infra")
    [step] = change.content["targets"][0]["steps"]
    assert step["method"] == "PATCH"
    assert step["body"] == {"properties": {"kustomizations": {"apps": None}}}
    approve(approver, change)
    carry_out(change, simulator)
    assert change.state == Change.State.APPLIED
    read_all()
    configuration.refresh_from_db()
    assert list(kustomizations_of(configuration.observed)) == ["infra"]
    assert configuration.adopted


def test_a_revision_goes_into_the_same_change(
    arc: Cluster, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    draft = services.draft_create(author=author, cluster=arc)
    draft.data = tutorial_data()
    draft.save()
    change = services.draft_submit(draft=draft, reason="The tutorial")
    again = services.draft_revise(author=author, change=change)
    assert compose.properties_of(again.data, None) == compose.properties_of(draft.data, None)
    again.data["kustomizations"]["rows"][0]["prune"] = False
    again.save()
    revised = services.draft_submit(draft=again, reason="Without prune")
    assert revised.pk == change.pk
    assert revised.revision == 2
    assert revised.digest != change.digest
