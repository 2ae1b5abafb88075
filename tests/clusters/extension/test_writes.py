"""Updating and deleting the extension: asked, approved, sent and seen, at the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from access.models import Environment, User
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
from simulator.inprocess import InProcessSimulator
from tests.clusters.conftest import sweep
from tests.clusters.test_extension_kind import approve, work
from tests.clusters.test_sync import install
from tests.simulator_fixtures import Azure, git_configuration

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
    author: User, extension: Extension, settings: Mapping[str, str | None] | None = None, **more: Any
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


def pods(simulator: InProcessSimulator, arc: str) -> str:
    simulator.run_until_idle()
    return simulator.kubectl(arc, "get", "pods", "-n", "flux-system", "-o", "name")


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
