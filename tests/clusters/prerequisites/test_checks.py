"""Each prerequisite in both states, as a simulated Azure answers; and what is old is unknown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access.models import User
from changes.errors import ChangeRefused
from clusters.extension_kind import install_propose
from clusters.models import Cluster, Connection, ScopeReading
from clusters.prerequisites import readings
from clusters.prerequisites.checks import State, checks_of, deadline_of, summary_of
from simulator.inprocess import InProcessSimulator
from tests.clusters.conftest import sweep
from tests.clusters.prerequisites.conftest import CONFIGURATION, check, only, read
from tests.simulator_fixtures import Azure

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
INSTALL = {"properties": {"extensionType": "microsoft.flux"}}
FLUX = f"/providers/{CONFIGURATION}/extensions/flux"


def install(azure: Azure, cluster: str) -> tuple[int, str]:
    """What Azure says to an install of Flux: status and code."""
    answer = azure.call("PUT", cluster + FLUX, INSTALL, version="2025-03-01")
    return answer.status_code, answer.json().get("error", {}).get("code", "")


def test_a_healthy_fleet_meets_everything_that_is_known(fleet: Connection) -> None:
    read(fleet)
    for cluster in Cluster.objects.select_related("connection"):
        states = {it.code: it.state for it in checks_of(cluster) if it.code != "flux_v1"}
        assert set(states.values()) <= {State.OK, State.NOT_APPLICABLE}, states
    aks, arc = (check(name, "identity") for name in ("flux-demo-aks", "flux-demo-arc"))
    assert (aks.state, arc.state) == (State.OK, State.NOT_APPLICABLE)
    assert "identity.type = SystemAssigned (by Resource Graph)" in aks.evidence
    assert aks.at is not None


def test_a_service_principal_is_refused_by_us_and_by_azure(
    fleet: Connection, simulator: InProcessSimulator, azure: Azure, admin: User
) -> None:
    simulator.control.set_properties(
        azure.aks, {"servicePrincipalProfile": {"clientId": "5b1f0d2e-0000-4000-8000-000000000001"}}
    )
    sweep(fleet)
    found = check("flux-demo-aks", "identity")
    assert found.state == State.FAILED
    assert found.command.startswith("az aks update -g flux-demo-rg -n flux-demo-aks")
    assert found.command.endswith("--enable-managed-identity")
    cluster = Cluster.objects.get(name="flux-demo-aks")
    with pytest.raises(ChangeRefused, match="service principal") as refused:
        install_propose(author=admin, cluster=cluster, reason="Flux is wanted")
    assert refused.value.code == "service_principal"
    assert install(azure, azure.aks)[0] == 201
    simulator.run_until_idle()
    properties = azure.call("GET", azure.aks + FLUX, version="2025-03-01").json()["properties"]
    assert "Managed Service Identity" in properties["errorInfo"]["message"]


def test_a_stopped_cluster_comes_with_the_command_that_starts_it(
    fleet: Connection, simulator: InProcessSimulator, azure: Azure
) -> None:
    assert check("flux-demo-aks", "running").state == State.OK
    simulator.control.set_properties(azure.aks, {"powerState": {"code": "Stopped"}})
    sweep(fleet)
    found = check("flux-demo-aks", "running")
    assert (found.state, found.command.split()[:3]) == (State.FAILED, ["az", "aks", "start"])


def test_silent_agents_have_a_deadline_after_which_writes_are_lost(
    fleet: Connection, simulator: InProcessSimulator, azure: Azure
) -> None:
    assert check("flux-demo-arc", "connected").state == State.OK
    simulator.control.set_agent_online(azure.arc, False)
    sweep(fleet)
    cluster = Cluster.objects.get(name="flux-demo-arc")
    cluster.last_connectivity_at = timezone.now() - timedelta(hours=46, minutes=29, seconds=30)
    cluster.save()
    found = check("flux-demo-arc", "connected")
    assert found.state == State.FAILED
    assert "1 h 30 min more" in found.remedy
    assert deadline_of(cluster) == cluster.last_connectivity_at + timedelta(hours=48)
    cluster.last_connectivity_at = timezone.now() - timedelta(hours=49)
    cluster.save()
    assert "not taken any more" in check("flux-demo-arc", "connected").remedy


@pytest.mark.parametrize(
    ("days", "state"), [(90, State.OK), (3, State.WARNING), (-1, State.FAILED)]
)
def test_the_certificate_of_the_agents_ends(
    fleet: Connection, simulator: InProcessSimulator, azure: Azure, days: int, state: State
) -> None:
    ends = (timezone.now() + timedelta(days=days)).isoformat()
    simulator.control.set_properties(azure.arc, {"managedIdentityCertificateExpirationTime": ends})
    sweep(fleet)
    assert check("flux-demo-arc", "certificate").state == state
    assert check("flux-demo-aks", "certificate").state == State.NOT_APPLICABLE


def test_an_unregistered_provider_is_named_and_followed_until_it_is_registered(
    fleet: Connection, simulator: InProcessSimulator, azure: Azure
) -> None:
    code = f"provider:{CONFIGURATION}"
    assert check("flux-demo-arc", code).state == State.UNKNOWN
    simulator.control.set_registration(CONFIGURATION)
    assert install(azure, azure.arc) == (409, "MissingSubscriptionRegistration")
    read(fleet)
    found = check("flux-demo-arc", code)
    assert found.state == State.FAILED
    assert found.evidence.endswith("registrationState = NotRegistered")
    assert f"--namespace {CONFIGURATION} --subscription {azure.subscription_id}" in found.command
    assert found.register == (fleet.pk, azure.subscription_id.lower(), CONFIGURATION)
    simulator.control.set_registration(CONFIGURATION, "Registering")
    read(fleet)
    assert check("flux-demo-arc", code).state == State.WARNING
    whole = ScopeReading.objects.get(resource_group="", cluster=None)
    assert whole.next_at is not None
    assert whole.next_at - timezone.now() < timedelta(minutes=1)
    simulator.control.set_registration(CONFIGURATION, "Registered")
    read(fleet)
    assert check("flux-demo-arc", code).state == State.OK


def test_each_kind_of_cluster_needs_its_own_provider(
    fleet: Connection, simulator: InProcessSimulator
) -> None:
    simulator.control.set_registration("Microsoft.ContainerService")
    read(fleet)
    assert check("flux-demo-aks", "provider:Microsoft.ContainerService").state == State.FAILED
    codes = {it.code for it in checks_of(Cluster.objects.get(name="flux-demo-arc"))}
    assert "provider:Microsoft.ContainerService" not in codes


def test_a_missing_right_is_named_with_its_scope_and_a_role_to_copy(
    fleet: Connection, simulator: InProcessSimulator, azure: Azure
) -> None:
    only(simulator, f"{CONFIGURATION}/fluxConfigurations/*")
    assert install(azure, azure.arc) == (403, "AuthorizationFailed")
    read(fleet)
    found = check("flux-demo-arc", "rights")
    assert found.state == State.FAILED
    assert f"{CONFIGURATION}/extensions/write" in found.evidence
    assert "/fluxConfigurations/write" not in found.evidence
    group = f"/subscriptions/{azure.subscription_id}/resourcegroups/flux-demo-rg".lower()
    assert f"--scope {group}" in found.command
    assert f"--assignee {fleet.client_id}" in found.command
    assert f'"/subscriptions/{azure.subscription_id}"'.lower() in found.command.lower()


def test_rights_on_the_group_do_where_the_subscription_gives_none(
    fleet: Connection, simulator: InProcessSimulator, azure: Azure
) -> None:
    only(simulator, "*", scope=azure.group)
    read(fleet)
    found = check("flux-demo-arc", "rights")
    assert found.state == State.OK
    assert "/resourcegroups/flux-demo-rg/" in found.evidence
    whole = ScopeReading.objects.get(resource_group="", cluster=None)
    assert whole.may_write is False


def test_not_actions_take_back_what_a_wildcard_gives(
    fleet: Connection, simulator: InProcessSimulator
) -> None:
    simulator.control.revoke("fluxgate")
    simulator.control.grant("fluxgate", actions=["*"], not_actions=[f"{CONFIGURATION}/*/delete"])
    read(fleet)
    evidence = check("flux-demo-arc", "rights").evidence
    assert "extensions/delete" in evidence
    assert "extensions/write" not in evidence


def test_rights_on_the_cluster_alone_are_a_warning(
    fleet: Connection, simulator: InProcessSimulator
) -> None:
    only(simulator, f"{CONFIGURATION}/*")
    read(fleet)
    found = check("flux-demo-aks", "rights")
    assert found.state == State.WARNING
    assert "Microsoft.ContainerService/managedClusters/write" in found.evidence


def test_a_region_without_flux_is_read_from_azure_and_refused_by_it(
    fleet: Connection, simulator: InProcessSimulator, azure: Azure
) -> None:
    read(fleet)
    assert check("flux-demo-arc", "region").state == State.OK
    simulator.control.set_locations(CONFIGURATION, ["Norway East"])
    read(fleet)
    found = check("flux-demo-arc", "region")
    assert found.state == State.FAILED
    assert "norwayeast" in found.evidence
    assert install(azure, azure.arc) == (400, "LocationNotAvailableForResourceType")


def test_a_refused_question_and_a_lost_sign_in_leave_it_unknown_and_say_why(
    fleet: Connection, simulator: InProcessSimulator
) -> None:
    simulator.control.revoke("fluxgate")
    read(fleet)
    found = check("flux-demo-arc", f"provider:{CONFIGURATION}")
    assert found.state == State.UNKNOWN
    assert "AuthorizationFailed" in found.evidence


def test_what_was_read_long_ago_is_unknown(fleet: Connection) -> None:
    read(fleet)
    long_ago = timezone.now() - timedelta(days=2)
    ScopeReading.objects.update(read_at=long_ago)
    Cluster.objects.update(observed_at=long_ago)
    for code in ("rights", "region", f"provider:{CONFIGURATION}", "connected"):
        assert check("flux-demo-arc", code).state == State.UNKNOWN


def test_worst_comes_first_and_the_summary_counts(
    fleet: Connection, simulator: InProcessSimulator
) -> None:
    simulator.control.set_registration(CONFIGURATION)
    read(fleet)
    found = checks_of(Cluster.objects.get(name="flux-demo-arc"))
    assert found[0].state == State.FAILED
    assert summary_of(found).text.startswith("1 failed")


def test_check_now_reads_the_cluster_itself_too(
    client_of: ClientOf,
    admin: User,
    fleet: Connection,
    simulator: InProcessSimulator,
    azure: Azure,
) -> None:
    cluster = Cluster.objects.get(name="flux-demo-aks")
    page = reverse("clusters:prerequisites", args=[cluster.pk])
    client_of(admin).post(reverse("clusters:prerequisites_check", args=[cluster.pk]))
    assert "Azure is being asked" in client_of(admin).get(page).content.decode()
    simulator.control.set_properties(azure.aks, {"powerState": {"code": "Stopped"}})
    readings.readings_due(send=readings.reading_run)
    after = client_of(admin).get(page).content.decode()
    assert "az aks start -g flux-demo-rg -n flux-demo-aks" in after
    assert "Azure is being asked" not in after


def test_without_a_broker_the_sweep_reads_what_was_asked_for(fleet: Connection) -> None:
    readings.connection_ask(connection=fleet)
    late = timezone.now() - readings.UNANSWERED
    ScopeReading.objects.update(asked_at=late, next_at=None)
    readings.readings_overdue()
    assert ScopeReading.objects.exclude(read_at=None).count() == 1


def test_a_failed_read_keeps_what_was_known(
    fleet: Connection, simulator: InProcessSimulator
) -> None:
    read(fleet)
    simulator.control.add_fault(kind="status", path="/providers", status=503, count=50)
    readings.connection_ask(connection=fleet)
    readings.readings_due(send=readings.reading_run)
    row = ScopeReading.objects.get(resource_group="", cluster=None)
    assert row.problem == "unreachable"
    assert not row.is_running
    assert check("flux-demo-arc", f"provider:{CONFIGURATION}").state == State.OK
