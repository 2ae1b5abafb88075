"""Rows of Resource Graph in ARM's own shape."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from arm import queries
from tests.arm.wire import AKS, CONFIGURATION, EXTENSION


@pytest.mark.parametrize(
    "query",
    [
        queries.configurations(),
        queries.configurations_changed_since(datetime.now(UTC)),
        queries.extensions(),
        queries.clusters(),
    ],
)
def test_every_query_can_be_paged(query: str) -> None:
    assert "| project id, " in query
    assert query.endswith("| order by id asc")


def test_the_moment_of_a_delta_is_in_utc() -> None:
    east = timezone(timedelta(hours=8))
    query = queries.configurations_changed_since(datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=east))
    assert "datetime(2026-01-01T19:04:05.000600Z)" in query


def test_statuses_are_left_out_of_a_sweep() -> None:
    assert "statuses" not in queries.configurations()
    assert "properties.complianceState" in queries.configurations()


def test_a_configuration_gets_its_properties_back() -> None:
    row = {
        "id": CONFIGURATION,
        "name": "podinfo",
        "type": "microsoft.kubernetesconfiguration/fluxconfigurations",
        "complianceState": "Compliant",
        "suspend": False,
        "gitRepository": {"url": "https://example.com", "timeoutInSeconds": 600},
        "bucket": None,
        "errorMessage": "",
    }
    assert queries.normalise_configuration(row) == {
        "id": CONFIGURATION,
        "name": "podinfo",
        "type": "microsoft.kubernetesconfiguration/fluxconfigurations",
        "properties": {
            "complianceState": "Compliant",
            "suspend": False,
            "gitRepository": {"url": "https://example.com", "timeoutInSeconds": 600},
        },
    }


PASCAL: dict[str, Any] = {
    "ExtensionType": "microsoft.flux",
    "AutoUpgradeMinorVersion": True,
    "ProvisioningState": "Failed",
    "ConfigurationSettings": {"Some.Key": "Value", "multiTenancy.enforce": "true"},
    "Scope": {"Cluster": {"ReleaseNamespace": "flux-system"}, "Namespace": None},
    "Statuses": [{"Code": "InstallationFailed", "Message": "It broke", "DisplayStatus": "Bad"}],
    "ErrorInfo": {"Code": "ExtensionOperationFailed", "Message": "It broke"},
    "AksAssignedIdentity": {"Type": "SystemAssigned"},
    "PackageUri": None,
}
CAMEL: dict[str, Any] = {
    "extensionType": "microsoft.flux",
    "autoUpgradeMinorVersion": True,
    "provisioningState": "Failed",
    "configurationSettings": {"Some.Key": "Value", "multiTenancy.enforce": "true"},
    "scope": {"cluster": {"releaseNamespace": "flux-system"}, "namespace": None},
    "statuses": [{"code": "InstallationFailed", "message": "It broke", "displayStatus": "Bad"}],
    "errorInfo": {"code": "ExtensionOperationFailed", "message": "It broke"},
    "aksAssignedIdentity": {"type": "SystemAssigned"},
    "packageUri": None,
}


@pytest.mark.parametrize("properties", [PASCAL, CAMEL])
def test_an_extension_is_spelled_as_arm_does(properties: dict[str, Any]) -> None:
    row = {"id": EXTENSION, "name": "flux", "type": "t", "properties": properties}
    assert queries.normalise_extension(row) == {**row, "properties": CAMEL}


def test_an_extension_without_properties() -> None:
    assert queries.normalise_extension({"id": EXTENSION, "properties": None})["properties"] == {}


def test_rows_by_id_whatever_their_case() -> None:
    assert set(queries.by_id([{"id": AKS.upper()}])) == {AKS.lower()}
