"""Updating and deleting the extension: asked, approved, sent and seen, at the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import requests

from access.models import Environment, Role, User
from audit.models import AuditEvent
from changes.errors import ChangeRefused
from changes.kinds import kind_named
from changes.models import Change, Operation, Problem
from changes.services import change_review_again
from clusters.environments import cluster_assign
from clusters.extension_changes import (
    SettingsRefused,
    Update,
    extension_delete_propose,
    extension_update_propose,
    seen_digest,
)
from clusters.models import Cluster, Connection, Extension
from simulator.inprocess import InProcessSimulator, SimulatorAdapter
from tests.clusters.conftest import sweep
from tests.clusters.test_extension_kind import approve, work
from tests.clusters.test_sync import configure, install
from tests.factories.access import make_user
from tests.simulator_fixtures import Azure

pytestmark = pytest.mark.django_db


@pytest.fixture
def extension(
    connection: Connection,
    admin: User,
    environment: Environment,
    azure: Azure,
    simulator: InProcessSimulator,
) -> Extension:
    """Flux on the tutorial's Arc cluster, as a sweep sees it."""
    install(simulator, azure.arc)
    sweep(connection)
    for cluster in Cluster.objects.all():
        cluster_assign(by=admin, cluster=cluster, environment=environment, by_hand=True)
    return Extension.objects.select_related("cluster__connection").get()


def asked(
    author: User,
    extension: Extension,
    settings: Mapping[str, str | None] | None = None,
    **more: Any,
) -> Change:
    extension.refresh_from_db()
    return extension_update_propose(
        author=author,
        extension=extension,
        update=Update(settings=settings or {}, **more),
        seen=seen_digest(extension),
        reason="It is needed",
    )


def done(change: Change, approver: User, simulator: InProcessSimulator) -> Operation:
    approve(change, approver)
    return work(simulator, Operation.objects.get(change=change))


def deployments(simulator: InProcessSimulator, arc: str) -> dict[str, Any]:
    """The controllers that run, and the specification of their pods."""
    simulator.run_until_idle()
    cluster = simulator.core.store.get(arc)
    assert cluster is not None
    door = requests.Session()
    app = simulator.core.agents.simulation(cluster).kubernetes_app()
    door.mount("https://", SimulatorAdapter(app))
    address = "https://cluster.localhost/apis/apps/v1/namespaces/flux-system/deployments"
    answer = door.get(address, timeout=30).json()
    return {it["metadata"]["name"]: it["spec"]["template"]["spec"] for it in answer["items"]}


def edit(simulator: InProcessSimulator, extension: Extension, settings: dict[str, str]) -> None:
    """Somebody else alters the extension, past the portal."""
    body = {"properties": {"configurationSettings": settings}}
    status, answer = simulator.control.edit(extension.arm_id, method="PATCH", body=body)
    assert status < 300, answer
    simulator.run_until_idle()


def risks(change: Change) -> dict[str, str]:
    return {risk.code: risk.tone for risk in kind_named(change.kind).risks(change)}


def test_only_the_setting_that_differs_is_sent(
    extension: Extension, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    change = asked(author, extension, {"source-controller.log-level": "error"})
    operation = done(change, approver, simulator)
    assert operation.state == "succeeded", operation.problem_message
    (write,) = [it for it in simulator.control.journal() if it["method"] == "PATCH"]
    assert write["body"] == {
        "properties": {"configurationSettings": {"source-controller.log-level": "error"}}
    }
    assert write["client_request_id"] == operation.client_request_id
    extension.refresh_from_db()
    assert extension.settings == {"source-controller.log-level": "error"}
    assert extension.provisioning_state == "Succeeded"
    simulator.run_until_idle()
    sweep(extension.cluster.connection)
    extension.refresh_from_db()
    assert (extension.settings, extension.observed_via) == (
        {"source-controller.log-level": "error"},
        "graph",
    )


def test_disabling_a_controller_takes_it_from_the_cluster(
    extension: Extension, author: User, approver: User, azure: Azure, simulator: InProcessSimulator
) -> None:
    assert "notification-controller" in deployments(simulator, azure.arc)
    change = asked(
        author,
        extension,
        {"notification-controller.enabled": "false", "image-reflector-controller.enabled": "true"},
    )
    assert risks(change)["controller_off"] == "warn"
    assert done(change, approver, simulator).state == "succeeded"
    running = deployments(simulator, azure.arc)
    assert "notification-controller" not in running
    assert "image-reflector-controller" in running


def test_limits_reach_the_pods(
    extension: Extension, author: User, approver: User, azure: Azure, simulator: InProcessSimulator
) -> None:
    key = "source-controller.resources.limits.memory"
    assert done(asked(author, extension, {key: "2Gi"}), approver, simulator).state == "succeeded"
    (container,) = deployments(simulator, azure.arc)["source-controller"]["containers"]
    assert container["resources"]["limits"]["memory"] == "2Gi"


def test_a_setting_that_is_taken_away_is_gone(
    extension: Extension, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    done(asked(author, extension, {"of.tomorrow": "1", "stays": "2"}), approver, simulator)
    operation = done(asked(author, extension, {"of.tomorrow": None}), approver, simulator)
    assert operation.state == "succeeded", operation.problem_message
    extension.refresh_from_db()
    assert extension.settings == {"stays": "2"}


def test_a_version_is_held_and_let_go(
    extension: Extension, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    change = asked(author, extension, auto_upgrade=False, version="1.24.0")
    assert risks(change)["downgrade"] == "bad"
    assert done(change, approver, simulator).state == "succeeded"
    sweep(extension.cluster.connection)
    extension.refresh_from_db()
    assert (extension.version, extension.auto_upgrade) == ("1.24.0", False)
    change = asked(author, extension, auto_upgrade=True)
    assert done(change, approver, simulator).state == "succeeded"
    sweep(extension.cluster.connection)
    extension.refresh_from_db()
    assert (extension.version, extension.auto_upgrade) == ("1.24.1", True)


def test_what_moved_after_the_approval_is_not_overwritten(
    extension: Extension, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    change = asked(author, extension, {"source-controller.log-level": "error"})
    edit(simulator, extension, {"helm-controller.detectDrift": "true"})
    operation = done(change, approver, simulator)
    assert (operation.state, operation.problem) == ("failed", Problem.BASE_MOVED)
    change.refresh_from_db()
    change = change_review_again(actor=author, change=change)
    approve(change, approver)
    operation = work(simulator, Operation.objects.get(change=change, digest=change.digest))
    assert operation.state == "succeeded", operation.problem_message
    sweep(extension.cluster.connection)
    extension.refresh_from_db()
    assert extension.settings == {
        "helm-controller.detectDrift": "true",
        "source-controller.log-level": "error",
    }


def test_what_is_so_already_is_not_sent(
    extension: Extension, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    change = asked(author, extension, {"source-controller.log-level": "error"})
    edit(simulator, extension, {"source-controller.log-level": "error"})
    before = len(simulator.control.journal())
    operation = done(change, approver, simulator)
    assert (operation.state, operation.note) == ("succeeded", "already_so")
    assert len(simulator.control.journal()) == before


def test_a_lost_answer_to_a_patch_is_looked_up(
    extension: Extension, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    simulator.control.add_fault(kind="reset_after", method="PATCH", path=".*extensions.*")
    operation = done(
        asked(author, extension, {"multiTenancy.enforce": "false"}), approver, simulator
    )
    assert operation.state == "succeeded", operation.problem_message
    assert len([it for it in simulator.control.journal() if it["method"] == "PATCH"]) == 1


def test_an_update_that_fails_says_why(
    extension: Extension, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    simulator.control.add_fault(
        kind="fail_operation",
        method="PATCH",
        path=".*extensions.*",
        code="ExtensionOperationFailed",
        message="Helm upgrade failed.",
    )
    operation = done(asked(author, extension, {"a": "b"}), approver, simulator)
    assert operation.problem == Problem.OPERATION_FAILED
    extension.refresh_from_db()
    assert extension.provisioning_state == "Failed"
    assert "Helm upgrade failed" in extension.error_message


# --- Delete ---------------------------------------------------------------------------------
def test_a_delete_takes_flux_from_the_cluster(
    extension: Extension, author: User, approver: User, azure: Azure, simulator: InProcessSimulator
) -> None:
    change = extension_delete_propose(author=author, extension=extension, reason="Moved away")
    assert risks(change)["delete"] == "bad"
    operation = done(change, approver, simulator)
    assert operation.state == "succeeded", operation.problem_message
    assert not Extension.objects.exists()
    assert AuditEvent.objects.filter(action="extension.gone", change_id=change.pk).count() == 1
    assert not deployments(simulator, azure.arc)
    sweep(extension.cluster.connection)
    assert not Extension.objects.exists()


def test_a_delete_that_runs_shows_as_deleting(
    extension: Extension, author: User, approver: User, simulator: InProcessSimulator
) -> None:
    simulator.control.add_fault(kind="stuck", method="DELETE", path=".*extensions.*")
    change = extension_delete_propose(author=author, extension=extension, reason="x")
    approve(change, approver)
    operation = work(simulator, Operation.objects.get(change=change), rounds=2)
    assert operation.state == "polling"
    extension.refresh_from_db()
    assert extension.provisioning_state == "Deleting"


def test_a_delete_by_force_does_not_wait_for_the_cluster(
    extension: Extension, author: User, approver: User, azure: Azure, simulator: InProcessSimulator
) -> None:
    with pytest.raises(ChangeRefused, match="Only an admin"):
        extension_delete_propose(author=author, extension=extension, reason="x", force=True)
    simulator.control.set_agent_online(azure.arc, False)
    admin = make_user(Role.ADMIN)
    change = extension_delete_propose(author=admin, extension=extension, reason="x", force=True)
    assert risks(change)["force"] == "bad"
    assert done(change, approver, simulator).state == "succeeded"
    assert simulator.core.store.get(extension.arm_id) is None
    assert not Extension.objects.exists()


def test_a_delete_without_force_waits_for_the_cluster(
    extension: Extension, author: User, approver: User, azure: Azure, simulator: InProcessSimulator
) -> None:
    simulator.control.set_agent_online(azure.arc, False)
    change = extension_delete_propose(author=author, extension=extension, reason="x")
    assert done(change, approver, simulator).state == "polling"
    assert Extension.objects.exists()


def test_no_delete_is_asked_for_while_configurations_are_there(
    extension: Extension, author: User, azure: Azure, simulator: InProcessSimulator
) -> None:
    configure(simulator, azure.arc, "cluster-config")
    sweep(extension.cluster.connection)
    with pytest.raises(ChangeRefused, match="cluster-config") as caught:
        extension_delete_propose(author=author, extension=extension, reason="x")
    assert caught.value.code == "configurations_exist"
    assert not Change.objects.exists()


def test_one_made_after_the_approval_stops_the_delete(
    extension: Extension, author: User, approver: User, azure: Azure, simulator: InProcessSimulator
) -> None:
    change = extension_delete_propose(author=author, extension=extension, reason="x")
    configure(simulator, azure.arc, "made-later")
    operation = done(change, approver, simulator)
    assert (operation.state, operation.problem_code) == ("failed", "ConfigurationsExist")
    assert "made-later" in operation.problem_message
    assert not [it for it in simulator.control.journal() if it["method"] == "DELETE"]
    assert Extension.objects.exists()


# --- What is refused ------------------------------------------------------------------------
def test_what_differs_in_nothing_is_no_change(extension: Extension, author: User) -> None:
    with pytest.raises(ChangeRefused) as caught:
        asked(author, extension, auto_upgrade=True, release_train="stable")
    assert caught.value.code == "nothing_changed"


def test_what_was_altered_since_the_page_was_loaded_is_not_overwritten(
    extension: Extension, author: User, simulator: InProcessSimulator
) -> None:
    seen = seen_digest(extension)
    edit(simulator, extension, {"helm-controller.detectDrift": "true"})
    sweep(extension.cluster.connection)
    with pytest.raises(ChangeRefused) as caught:
        extension_update_propose(
            author=author, extension=extension, update=Update(), seen=seen, reason="x"
        )
    assert caught.value.code == "moved"


@pytest.mark.parametrize(
    ("installed", "asked_for", "refused"),
    [
        ("1.24.1", {"version": "1.24.0"}, "version"),  # Azure upgrades it: nothing to hold
        ("1.24.1", {"auto_upgrade": False}, "version"),  # held to which?
        ("1.24.1", {"auto_upgrade": False, "version": "newest"}, "version"),
        ("1.20.4", {"auto_upgrade": False, "version": "1.23.0"}, "version"),
        ("1.20.4", {"auto_upgrade": False, "version": "1.22.2"}, ""),
        ("1.21.0", {"auto_upgrade": False, "version": "1.24.1"}, ""),
        ("1.24.1", {"release_train": "no train"}, "release_train"),
    ],
)
def test_versions_go_their_way(
    extension: Extension, author: User, installed: str, asked_for: dict[str, Any], refused: str
) -> None:
    Extension.objects.update(version=installed)
    if not refused:
        assert asked(author, extension, **asked_for).state == "in_review"
        return
    with pytest.raises(SettingsRefused) as caught:
        asked(author, extension, **asked_for)
    assert set(caught.value.problems) == {refused}


def test_an_old_one_is_not_given_back_to_automatic_upgrades(
    extension: Extension, author: User
) -> None:
    Extension.objects.update(version="1.19.0", auto_upgrade=False, observed={})
    with pytest.raises(SettingsRefused) as caught:
        asked(author, extension, auto_upgrade=True)
    assert set(caught.value.problems) == {"version"}


# --- What is told to reviewers --------------------------------------------------------------
def test_controllers_that_configurations_need_are_a_bad_risk(
    extension: Extension, author: User, azure: Azure, simulator: InProcessSimulator
) -> None:
    configure(simulator, azure.arc, "cluster-config")
    sweep(extension.cluster.connection)
    change = asked(
        author,
        extension,
        {"kustomize-controller.enabled": "false", "multiTenancy.enforce": "false"},
    )
    found = {risk.code: risk for risk in kind_named(change.kind).risks(change)}
    assert found["controller_off"].tone == "bad"
    assert "cluster-config" in found["controller_off"].text
    assert found["controller_off"].anchor.endswith("kustomize-controller.enabled")
    assert (found["tenancy_off"].tone, found["restart"].tone) == ("bad", "warn")
    facts = {str(fact.text): fact.value for fact in kind_named(change.kind).facts(change)}
    assert facts["configuration there"] == "1"


def test_the_step_over_1_23_is_told(extension: Extension, author: User) -> None:
    Extension.objects.update(
        version="1.22.3",
        observed={**extension.observed, "properties": {"currentVersion": "1.22.3"}},
    )
    change = asked(author, extension, auto_upgrade=False, version="1.23.2")
    assert {"beta_apis", "pinned", "restart"} <= set(risks(change))
    assert "downgrade" not in risks(change)


# --- Step by step ---------------------------------------------------------------------------
def test_an_old_version_goes_up_in_steps(
    extension: Extension, author: User, approver: User, azure: Azure, simulator: InProcessSimulator
) -> None:
    first = asked(author, extension, auto_upgrade=False, version="1.20.4")
    assert risks(first)["downgrade"] == "bad"
    assert done(first, approver, simulator).state == "succeeded"
    simulator.run_until_idle()
    sweep(extension.cluster.connection)
    with pytest.raises(SettingsRefused, match=r"1\.22\.2"):
        asked(author, extension, version="1.24.1")
    with pytest.raises(SettingsRefused, match=r"1\.22\.2"):
        asked(author, extension, auto_upgrade=True)
    for version in ("1.22.2", "1.24.1"):
        change = asked(author, extension, version=version)
        assert done(change, approver, simulator).state == "succeeded"
        simulator.run_until_idle()
        sweep(extension.cluster.connection)
    assert risks(change)["beta_apis"] == "warn"
    extension.refresh_from_db()
    assert extension.version == "1.24.1"
