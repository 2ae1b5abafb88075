"""Resource Graph: the query language, Microsoft's dashboards, paging, quota and lateness."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from simulator.inprocess import InProcessSimulator, create_simulator
from tests.shared import SHARED
from tests.simulator_fixtures import Azure, azure_of, git_configuration

FLUX = "/providers/Microsoft.KubernetesConfiguration/fluxConfigurations"
DASHBOARD = SHARED / "azure-data" / "grafana" / "application-deployments.json"
CLUSTERS, CONFIGURATIONS = 40, 2


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcessSimulator]:
    directory = tmp_path_factory.mktemp("fleet")
    with create_simulator(directory, seed=f"fleet:{CLUSTERS}x{CONFIGURATIONS}") as started:
        yield started


@pytest.fixture(scope="module")
def graph(fleet: InProcessSimulator) -> Any:
    return azure_of(fleet).client(ResourceGraphClient, with_subscription=False)


def ask(graph: Any, query: str, **options: Any) -> Any:
    return graph.resources(QueryRequest(query=query, options=QueryRequestOptions(**options)))


def one(graph: Any, expression: str) -> Any:
    """Evaluate an expression on one row."""
    query = f"resources | where name endswith '-00000' | project value = {expression}"
    answer = ask(graph, query)
    return answer.data[0]["value"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3 - 1", 8),
        ("10 / 4", 2.5),
        ("'Ab' =~ 'aB' and 'a' != 'b'", True),
        ("'a' == 'A' or false", False),
        ("'flux-system ns' has 'SYSTEM'", True),
        ("'flux-systems' has 'system'", False),
        ("'flux-systems' contains 'SYSTEM'", True),
        ("'abc' startswith 'AB' and 'abc' endswith 'BC' and 'abc' !startswith 'b'", True),
        ("'b' in ('a', 'b') and 'B' !in ('a', 'b') and 'B' in~ ('a', 'b')", True),
        ("'a b c' has_any ('x', 'c')", True),
        ("5 between (1 .. 5)", True),
        ("iff(isempty(''), 'yes', 'no')", "yes"),
        ("iff(isnull(properties.nothing), 'Pending', 'x')", "Pending"),
        ("case(1 > 2, 'a', 2 > 1, 'b', 'c')", "b"),
        ("coalesce('', tostring(properties.nothing), 'last')", "last"),
        ("strcat(toupper('a'), '-', 1)", "A-1"),
        ("split('a/b/c', '/')[1]", "b"),
        ("array_length(dynamic(['x', 'y']))", 2),
        ("parse_json('{\"a\": [1, 2]}').a[1]", 2),
        ("substring('abcdef', 2, 3)", "cde"),
        ("replace_string('a-b', '-', '+')", "a+b"),
        ("extract('([0-9]+)', 1, 'abc123')", "123"),
        ("'abc123' matches regex '[0-9]+$'", True),
        ("todatetime('2026-01-01T00:00:00Z') < ago(1h)", True),
        ("ago(1d) > now()", False),
        ("toint('12') + 1", 13),
        ("tostring(tags.team)", "payments"),
        ("tags['environment']", "production"),
        ("not(1 == 1)", False),
        ("-3 + 1", -2),
        ("@'C:\\x'", "C:\\x"),
    ],
)
def test_expressions(graph: Any, expression: str, value: Any) -> None:
    assert one(graph, expression) == value


def test_operators(graph: Any) -> None:
    counted = ask(graph, "resources | summarize n = count(), dcount(location) by type | count")
    assert counted.data == [{"Count": 2}]
    kinds = ask(
        graph,
        """
        resources // what there is
        | where type in~ ('Microsoft.Kubernetes/ConnectedClusters',
                          'microsoft.containerservice/managedclusters')
        | extend team = tostring(tags.team), environment = tostring(tags.environment)
        | summarize clusters = count(), teams = make_set(team) by environment
        | order by clusters desc, environment asc
        """,
    ).data
    assert [(row["environment"], row["clusters"]) for row in kinds] == [
        ("production", 20),
        ("development", 10),
        ("staging", 10),
    ]
    assert sum(row["clusters"] for row in kinds) == CLUSTERS
    top = ask(graph, "resources | top 3 by name asc | project-away properties, tags").data
    assert len(top) == 3
    assert "properties" not in top[0]
    expanded = ask(
        graph,
        "kubernetesconfigurationresources | mv-expand status = properties.statuses"
        " | where status.kind == 'Kustomization' | count",
    )
    assert expanded.data == [{"Count": CLUSTERS * CONFIGURATIONS * 2}]
    joined = ask(
        graph,
        "resources | where type contains 'clusters' | project subscriptionId, cluster = name"
        " | join kind=leftouter (resourcecontainers"
        " | where type == 'microsoft.resources/subscriptions'"
        " | project subscriptionId, subscription = name) on subscriptionId"
        " | distinct subscription",
    )
    assert joined.data == [{"subscription": "Fleet 01"}]


def test_unnamed_columns(graph: Any) -> None:
    row = ask(
        graph,
        "kubernetesconfigurationresources | where type endswith 'fluxconfigurations'"
        " | summarize count() by tostring(properties.sourceKind)",
    ).data[0]
    assert row == {"properties_sourceKind": "GitRepository", "count_": CLUSTERS * CONFIGURATIONS}


@pytest.mark.parametrize(
    "query",
    [
        "resources | where nothing == 1",
        "resources | frobnicate",
        "nosuchtable | count",
        "resources | where name ==",
        "resources | where frob(name)",
        "resources | project Name",
        "resources | where name == 'unfinished",
        "resources extra",
    ],
)
def test_broken_queries_are_refused(graph: Any, query: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        ask(graph, query)
    assert caught.value.status_code == 400
    assert "InvalidQuery" in str(caught.value)


def test_the_spelling_of_extensions(graph: Any) -> None:
    query = (
        "kubernetesconfigurationresources | where type == '{}' | take 1 | project id, properties"
    )
    extension = ask(graph, query.format("microsoft.kubernetesconfiguration/extensions")).data[0]
    assert extension["properties"]["ExtensionType"] == "microsoft.flux"
    assert extension["properties"]["ProvisioningState"] == "Succeeded"
    assert "/ConnectedClusters/" in extension["id"]
    configuration = ask(
        graph, query.format("microsoft.kubernetesconfiguration/fluxconfigurations")
    ).data[0]
    assert configuration["properties"]["sourceKind"] == "GitRepository"


def test_pages_hold_together(fleet: InProcessSimulator, graph: Any) -> None:
    query = (
        "kubernetesconfigurationresources"
        " | where type == 'microsoft.kubernetesconfiguration/fluxconfigurations'"
        " | project id, state = tostring(properties.complianceState) | order by id asc"
    )
    seen: list[str] = []
    token = None
    while True:
        page = ask(graph, query, top=30, skip_token=token)
        assert page.total_records == CLUSTERS * CONFIGURATIONS
        seen += [row["id"] for row in page.data]
        fleet.control.churn(5)  # What changes meanwhile neither repeats nor hides a row.
        token = page.skip_token
        if token is None:
            break
    assert len(seen) == len(set(seen)) == CLUSTERS * CONFIGURATIONS
    assert seen == sorted(seen)


def test_without_an_id_the_rest_is_cut_off(graph: Any) -> None:
    page = ask(graph, "resources | project name", top=5)
    assert (page.count, page.result_truncated, page.skip_token) == (5, "true", None)


def test_tables_as_columns_and_rows(graph: Any) -> None:
    page = ask(graph, "resources | take 2 | project name, n = 1", result_format="table")
    assert page.data["columns"] == [
        {"name": "name", "type": "string"},
        {"name": "n", "type": "integer"},
    ]
    assert len(page.data["rows"]) == 2


def test_only_the_subscriptions_asked_for(graph: Any) -> None:
    request = QueryRequest(query="resources | count", subscriptions=["00000000-0000"])
    assert graph.resources(request).data == [{"Count": 0}]


@pytest.mark.skipif(not DASHBOARD.exists(), reason="the public dashboards are not here")
def test_the_public_dashboards(graph: Any) -> None:
    queries: list[str] = []

    def collect(part: Any) -> None:
        if isinstance(part, dict):
            for key, value in part.items():
                if key == "query" and isinstance(value, str) and "|" in value:
                    queries.append(value)
                collect(value)
        elif isinstance(part, list):
            for item in part:
                collect(item)

    collect(json.loads(DASHBOARD.read_text()))
    groups = ",".join(
        f"'{row['resourceGroup']}'"
        for row in ask(graph, "kubernetesconfigurationresources | distinct resourceGroup").data
    )
    counts = [ask(graph, query.replace("$ResourceGroups", groups)).data for query in queries]
    assert len(counts) == 5
    named = [rows for rows in counts if "ClusterName" in rows[0]]
    assert [len(rows) for rows in named] == [CLUSTERS, CLUSTERS * CONFIGURATIONS]
    assert all(row["ClusterName"] for rows in named for row in rows)


def test_fifteen_queries_in_five_seconds(simulator: InProcessSimulator, azure: Azure) -> None:
    simulator.control.set_throttle(True)
    path = "/providers/Microsoft.ResourceGraph/resources"

    def query() -> Any:
        return azure.call("POST", path, {"query": "resources | count"}, version="2021-03-01")

    answers = [query() for _ in range(16)]
    assert [a.status_code for a in answers] == [200] * 15 + [429]
    assert answers[0].headers["x-ms-user-quota-remaining"] == "14"
    assert answers[15].headers["Retry-After"] == "5"
    assert answers[15].headers["x-ms-user-quota-resets-after"] == "00:00:05"
    simulator.control.advance(5)
    assert query().status_code == 200


def test_it_can_lag_behind(simulator: InProcessSimulator, azure: Azure) -> None:
    simulator.control.options(graph_lag_seconds=20)
    graph = azure.client(ResourceGraphClient, with_subscription=False)
    azure.call("PUT", f"{azure.arc}{FLUX}/demo", git_configuration())
    query = "kubernetesconfigurationresources | where name == 'demo' | project name"
    assert ask(graph, query).data == []
    simulator.clock.advance(timedelta(seconds=21))
    assert ask(graph, query).data == [{"name": "demo"}]
