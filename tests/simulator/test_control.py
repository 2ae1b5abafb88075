"""The control door: faults, the journal, and what others do."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
import requests

from simulator.inprocess import InProcessSimulator
from tests.simulator_fixtures import (
    Azure,
    SimulatorProcess,
    git_configuration,
    start_process,
    stop_process,
)

FLUX = "/providers/Microsoft.KubernetesConfiguration/fluxConfigurations"


def put(azure: Azure, **headers: str) -> requests.Response:
    return azure.call("PUT", f"{azure.arc}{FLUX}/demo", git_configuration(), **headers)


@pytest.mark.parametrize("retry_after", ["7", "Wed, 25 Nov 2026 00:00:00 GMT"])
def test_a_status_for_so_many_requests(
    simulator: InProcessSimulator, azure: Azure, retry_after: str
) -> None:
    simulator.control.add_fault(
        kind="status", status=429, count=2, method="PUT", path=FLUX, retry_after=retry_after
    )
    assert azure.call("GET", azure.arc + FLUX).status_code == 200
    answers = [put(azure) for _ in range(3)]
    assert [a.status_code for a in answers] == [429, 429, 201]
    assert answers[0].headers["Retry-After"] == retry_after


def test_reset_before_and_after_the_commit(simulator: InProcessSimulator, azure: Azure) -> None:
    simulator.control.add_fault(kind="reset_before", method="PUT")
    with pytest.raises(requests.ConnectionError):
        put(azure)
    assert simulator.control.journal() == []
    simulator.control.add_fault(kind="reset_after", method="PUT")
    with pytest.raises(requests.ConnectionError):
        put(azure)
    assert [entry["method"] for entry in simulator.control.journal()] == ["PUT"]


def test_a_hang_meets_the_timeout(simulator: InProcessSimulator, azure: Azure) -> None:
    azure.token()
    simulator.control.add_fault(kind="hang", path=FLUX, seconds=30)
    with pytest.raises(requests.ReadTimeout):
        azure.session.get(
            f"{azure.endpoint}{azure.arc}{FLUX}?api-version=2025-04-01",
            headers={"Authorization": f"Bearer {azure.token()}"},
            timeout=(1, 0.2),
        )


def test_a_stuck_operation_until_it_is_released(
    simulator: InProcessSimulator, azure: Azure
) -> None:
    simulator.control.add_fault(kind="stuck", path=FLUX)
    operation = put(azure).headers["Azure-AsyncOperation"]
    simulator.control.advance(1800)
    assert azure.call("GET", operation).json()["status"] == "Creating"
    simulator.control.release(f"{azure.arc}{FLUX}/demo")
    assert azure.call("GET", operation).json()["status"] == "Succeeded"


def test_an_expired_token_once(simulator: InProcessSimulator, azure: Azure) -> None:
    azure.token()
    simulator.control.add_fault(kind="expired_token", path=FLUX)
    answers = [azure.call("GET", azure.arc + FLUX) for _ in range(2)]
    assert [a.status_code for a in answers] == [401, 200]
    assert "WWW-Authenticate" in answers[0].headers


def test_the_journal_tells_each_accepted_write(simulator: InProcessSimulator, azure: Azure) -> None:
    put(azure, **{"x-ms-client-request-id": "abc"})
    azure.call("PUT", f"{azure.arc}{FLUX}/demo", {"properties": {"nonsense": 1}})
    simulator.control.edit(f"{azure.arc}{FLUX}/demo", {"suspend": True}, principal="grace")
    first, second = simulator.control.journal()
    text = json.dumps(
        git_configuration(), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert first["body_digest"] == hashlib.sha256(text.encode()).hexdigest()
    assert first["client_request_id"] == "abc"
    assert first["principal"] == azure.settings["client_id"]
    assert (first["api_version"], first["status"], first["out_of_band"]) == (
        "2025-04-01",
        201,
        False,
    )
    assert (second["method"], second["principal"]) == ("PATCH", "grace@fluxgate.example")
    assert second["out_of_band"] is True
    assert simulator.control.journal(since=first["sequence"]) == [second]
    simulator.control.clear_journal()
    assert simulator.control.journal() == []


def test_a_deleted_cluster_takes_everything_along(
    simulator: InProcessSimulator, azure: Azure
) -> None:
    put(azure)
    simulator.control.delete_cluster(azure.arc)
    assert azure.call("GET", azure.arc, version="2026-05-01").status_code == 404
    assert azure.call("GET", azure.arc + FLUX).status_code == 404
    assert simulator.control.resources("microsoft.kubernetesconfiguration/extensions") == []
    simulator.run_until_idle()


def test_the_door_over_http(simulator: InProcessSimulator, azure: Azure) -> None:
    door = azure.settings["control_endpoint"]
    assert "add_fault" in azure.session.get(f"{door}/").json()
    before = azure.session.get(f"{door}/time").json()["result"]
    after = azure.session.post(f"{door}/advance", json={"seconds": 60}).json()["result"]
    assert after > before
    assert azure.session.post(f"{door}/add_fault", json={"kind": "flood"}).status_code == 400
    assert azure.session.get(f"{door}/advance").status_code == 405
    assert azure.session.post(f"{door}/nothing").status_code == 404
    missing = azure.session.post(f"{door}/delete_cluster", json={"resource_id": "/x"})
    assert missing.status_code == 404


def test_a_real_connection_is_really_cut(simulator_process: SimulatorProcess) -> None:
    azure = simulator_process.azure
    azure.token()
    for kind, accepted in (("reset_before", False), ("reset_after", True)):
        simulator_process.control("clear_journal")
        simulator_process.control("add_fault", kind=kind, method="PUT", path=FLUX)
        with pytest.raises(requests.ConnectionError):
            put(azure)
        door = simulator_process.settings["control_endpoint"]
        journal = azure.session.get(f"{door}/journal").json()["result"]
        assert bool(journal) is accepted
    azure.call("DELETE", f"{azure.arc}{FLUX}/demo?forceDelete=true")


def test_a_second_start_goes_on(tmp_path: Any) -> None:
    data = tmp_path / "azure"
    data.mkdir()
    first = start_process(data, "--pace", "0")
    put(first.azure)
    assert stop_process(first) == 0
    second = start_process(data, "--pace", "0")
    try:
        for name in ("tenant_id", "client_secret", "subscription_ids"):
            assert first.settings[name] == second.settings[name]
        found = second.azure.call("GET", f"{second.azure.arc}{FLUX}/demo")
        assert found.json()["name"] == "demo"
        door = second.settings["control_endpoint"]
        journal = second.azure.session.get(f"{door}/journal").json()["result"]
        assert [entry["sequence"] for entry in journal] == [1]
    finally:
        stop_process(second)


def test_a_provider_can_be_offered_in_other_regions_only(
    simulator: InProcessSimulator, azure: Azure
) -> None:
    namespace = "Microsoft.KubernetesConfiguration"
    provider = f"/subscriptions/{azure.subscription_id}/providers/{namespace}"
    extension = f"{azure.arc}/providers/{namespace}/extensions/flux"
    body = {"properties": {"extensionType": "microsoft.flux"}}
    simulator.control.set_locations(namespace, ["Norway East"])
    shown = azure.call("GET", provider, version="2021-04-01").json()["resourceTypes"]
    assert {place for it in shown for place in it["locations"]} == {"Norway East"}
    refused = azure.call("PUT", extension, body, version="2025-03-01")
    assert refused.json()["error"]["code"] == "LocationNotAvailableForResourceType"
    simulator.control.set_locations(namespace)
    assert azure.call("PUT", extension, body, version="2025-03-01").status_code == 201
