"""Whatever is sent, the answer is a refusal in ARM's words, never a breakdown."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.inprocess import InProcessSimulator, create_simulator
from tests.simulator_fixtures import Azure, SimulatorProcess, azure_of, git_configuration

PROVIDER = "/providers/Microsoft.KubernetesConfiguration"
VERSIONS = {"fluxConfigurations": "2025-04-01", "extensions": "2025-03-01"}
MEMBERS = st.sampled_from(
    [
        "properties",
        "sourceKind",
        "gitRepository",
        "repositoryRef",
        "kustomizations",
        "configurationProtectedSettings",
        "extensionType",
        "scope",
        "suspend",
        "surprise",
    ]
)
WORDS = (
    "resources",
    "|",
    "where",
    "project",
    "extend",
    "summarize",
    "by",
    "order",
    "top",
    "count",
    "join",
    "on",
    "name",
    "type",
    "properties",
    ".",
    "==",
    "(",
    ")",
    ",",
    "'x'",
    "1",
    "1d",
    "tostring",
    "count()",
    "asc",
    "take",
    "distinct",
    "*",
    "[",
    "]",
    "=",
    "and",
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcessSimulator]:
    with create_simulator(tmp_path_factory.mktemp("robust")) as started:
        yield started


@pytest.fixture(scope="module")
def azure(shared: InProcessSimulator) -> Azure:
    return azure_of(shared)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from(sorted(VERSIONS)),
    method=st.sampled_from(["PUT", "PATCH"]),
    properties=JSON,
    wrapped=st.booleans(),
)
def test_any_body_is_taken_or_refused(
    azure: Azure, kind: str, method: str, properties: Any, wrapped: bool
) -> None:
    body = {"properties": properties} if wrapped else properties
    answer = azure.call(method, f"{azure.arc}{PROVIDER}/{kind}/any", body, version=VERSIONS[kind])
    if answer.status_code >= 300:
        assert answer.status_code in (400, 404, 409)
        assert set(answer.json()["error"]) >= {"code", "message"}


@settings(max_examples=150, deadline=None)
@given(
    query=st.lists(
        st.sampled_from(WORDS),
        max_size=12,
    ).map(" ".join)
)
def test_any_query_runs_or_is_refused(azure: Azure, query: str) -> None:
    path = "/providers/Microsoft.ResourceGraph/resources"
    answer = azure.call("POST", path, {"query": query}, version="2021-03-01")
    assert answer.status_code in (200, 400)


def test_many_callers_at_once(simulator_process: SimulatorProcess) -> None:
    azure = simulator_process.azure
    azure.token()
    body = {"query": "kubernetesconfigurationresources | project id, name"}

    def work(number: int) -> list[int]:
        path = f"{azure.aks}{PROVIDER}/fluxConfigurations/many-{number}"
        written = azure.call("PUT", path, git_configuration(f"many-{number}"))
        seen = [
            azure.call("GET", path),
            azure.call(
                "POST", "/providers/Microsoft.ResourceGraph/resources", body, version="2021-03-01"
            ),
            azure.call("DELETE", f"{path}?forceDelete=true"),
        ]
        return [answer.status_code for answer in (written, *seen)]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(24)))
    assert results == [[201, 200, 200, 200]] * 24
