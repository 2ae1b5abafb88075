"""The table for a firewall team, and the Job that tries it: its script is really run."""

from __future__ import annotations

import csv
import io
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusters.models import Connection
from clusters.prerequisites.endpoints import (
    JOB,
    Endpoint,
    as_csv,
    endpoints_of,
    job_of,
    of_connection,
    script_of,
    unknown_of,
)
from tests.factories.clusters import ClusterFactory, ConnectionFactory

pytestmark = pytest.mark.django_db

# What busybox's nc does with -z -w, for a machine that has none.
NC = """#!{python}
import socket, sys
assert sys.argv[1:4] == ["-z", "-w", "5"], sys.argv
try:
    socket.create_connection((sys.argv[4], int(sys.argv[5])), timeout=5).close()
except OSError:
    sys.exit(1)
"""


def hosts(connection: Connection, *sources: str) -> set[tuple[str, int]]:
    return {(it.host, it.port) for it in endpoints_of(connection, ["westeurope"], sources)}


@pytest.mark.parametrize(
    ("cloud", "expected"),
    [
        (
            "public",
            {
                "management.azure.com",
                "login.microsoftonline.com",
                "westeurope.dp.kubernetesconfiguration.azure.com",
                "mcr.microsoft.com",
            },
        ),
        (
            "china",
            {
                "management.chinacloudapi.cn",
                "login.chinacloudapi.cn",
                "westeurope.dp.kubernetesconfiguration.azure.cn",
                "mcr.microsoft.com",
                "mcr.azk8s.cn",
            },
        ),
        (
            "us-government",
            {
                "management.usgovcloudapi.net",
                "login.microsoftonline.us",
                "westeurope.dp.kubernetesconfiguration.azure.us",
                "mcr.microsoft.com",
            },
        ),
    ],
)
def test_each_cloud_has_its_own_endpoints(cloud: str, expected: set[str]) -> None:
    connection = ConnectionFactory(cloud=cloud, arm_endpoint="", authority="")
    found = hosts(connection)
    assert {(host, 443) for host in expected} <= found
    assert all(port == 443 for _host, port in found)
    assert unknown_of(connection) == ""


def test_a_custom_cloud_says_what_only_its_operator_knows() -> None:
    connection = ConnectionFactory(arm_endpoint="https://arm.localhost:8443")
    assert ("arm.localhost", 8443) in hosts(connection)
    assert "operator" in unknown_of(connection)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://github.com/you/fleet", "github.com", 443),
        ("https://git.example:8443/fleet", "git.example", 8443),
        ("http://git.example/fleet", "git.example", 80),
        ("ssh://git@git.example/fleet", "git.example", 22),
        ("ssh://git@git.example:2222/fleet", "git.example", 2222),
        ("git@ssh.dev.azure.com:v3/org/project/fleet", "ssh.dev.azure.com", 22),
        ("oci://ghcr.io/you/fleet", "ghcr.io", 443),
    ],
)
def test_sources_bring_their_host_and_port(url: str, host: str, port: int) -> None:
    assert (host, port) in hosts(ConnectionFactory(cloud="public", arm_endpoint=""), url)


@pytest.mark.parametrize("url", ["", "nonsense", "https://", "https://[::1", "https://a;rm -rf/"])
def test_what_is_no_address_brings_nothing(url: str) -> None:
    connection = ConnectionFactory(cloud="public", arm_endpoint="")
    assert hosts(connection, url) == hosts(connection)


def test_the_csv_has_one_row_a_target() -> None:
    found = endpoints_of(ConnectionFactory(cloud="public", arm_endpoint=""), ["eastus"], [])
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert [(row["host"], int(row["port"])) for row in rows] == [(it.host, it.port) for it in found]
    assert {row["protocol"] for row in rows} == {"TCP"}


def test_the_queries_of_a_connection_do_not_grow_with_its_clusters(
    django_assert_num_queries: Any,
) -> None:
    connection = ConnectionFactory()
    for count in (3, 30):
        ClusterFactory.create_batch(count, connection=connection)
        with django_assert_num_queries(2):
            of_connection(connection)


def test_the_job_is_restricted_and_holds_no_secret() -> None:
    connection = ConnectionFactory(cloud="china", arm_endpoint="", secret="canary-secret-77")
    text = job_of(connection, endpoints_of(connection, ["chinaeast2"], []), namespace="flux-system")
    job = yaml.safe_load(text)
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert job["metadata"] == {"name": JOB, "namespace": "flux-system"}
    pod = job["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["restartPolicy"] == "Never"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    [container] = pod["containers"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["image"] == "dockerhub.azk8s.cn/library/busybox:1.36"
    assert "chinaeast2.dp.kubernetesconfiguration.azure.cn 443" in container["args"][0]
    assert "*" not in container["args"][0]
    assert "canary" not in text


def test_kubectl_reads_the_job(tmp_path: Path) -> None:
    connection = ConnectionFactory(cloud="public", arm_endpoint="")
    (tmp_path / "job.yaml").write_text(job_of(connection, endpoints_of(connection, ["eastus"], [])))
    (tmp_path / "kustomization.yaml").write_text("resources: [job.yaml]\n")
    done = subprocess.run(
        ["kubectl", "kustomize", str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert yaml.safe_load(done.stdout)["kind"] == "Job"


def test_the_script_prints_one_line_a_target_and_fails_when_one_does(tmp_path: Path) -> None:
    nc = tmp_path / "nc"
    nc.write_text(NC.format(python=sys.executable))
    nc.chmod(nc.stat().st_mode | stat.S_IXUSR)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: refused
        targets = [
            Endpoint("127.0.0.1", server.getsockname()[1], "open"),
            Endpoint("127.0.0.1", closed.getsockname()[1], "closed"),
            Endpoint("*.example.com", 443, "not tried"),
        ]
        both = run(targets, tmp_path)
        well = run(targets[:1], tmp_path)
    assert both.stdout.splitlines() == [
        f"ok     127.0.0.1:{targets[0].port}",
        f"FAILED 127.0.0.1:{targets[1].port}",
    ]
    assert (both.returncode, well.returncode) == (1, 0)


def run(targets: list[Endpoint], tools: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", script_of(targets)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{tools}:/usr/bin:/bin"},
    )
