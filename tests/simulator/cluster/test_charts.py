"""Helm charts in folders: repositories with an index, bare charts, registries, charts in Git."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from simulator.sources import access

from .conftest import Bench, Repository
from .test_helm import again, helm_repository, release, run

URL = "https://charts.example.com/stable"
CHART = "apiVersion: v2\nname: web\nversion: 1.2.0\nappVersion: '7'\n"
SCHEMA = """{"type": "object", "required": ["tier"],
 "properties": {"replicaCount": {"type": "integer"}, "tier": {"enum": ["gold", "silver"]}}}"""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def web(extra: str = "", version: str = "1.x") -> str:
    return release(extra, chart="web", version=version)


@pytest.fixture
def charts(tmp_path: Path, bench: Bench) -> Path:
    folder = tmp_path / "charts"
    write(folder, {"web/Chart.yaml": CHART})
    bench.sources.add(URL, folder)
    return folder


@pytest.mark.usefixtures("charts")
def test_a_folder_of_charts_stands_for_a_repository(bench: Bench, repository: Repository) -> None:
    run(bench, repository, helm_repository(URL), web())
    assert bench.ready("web")[1:] == (
        "InstallSucceeded",
        "Helm install succeeded for release team/web.v1 with chart web@1.2.0",
    )
    again(bench, repository, helm_repository(URL), web(version="2.x"))
    # The generated chart fails and stalls, so that the release says it.
    assert "no 'web' chart with version matching '2.x' found" in bench.ready("web")[2]


def test_a_new_version_is_taken_up(bench: Bench, repository: Repository, charts: Path) -> None:
    run(bench, repository, helm_repository(URL), web())
    write(charts, {"web/Chart.yaml": CHART.replace("1.2.0", "1.3.0")})
    bench.later(minutes=11)
    bench.later(minutes=11)
    assert bench.ready("web")[2].endswith("team/web.v2 with chart web@1.3.0")


def test_values_are_held_against_the_schema(
    bench: Bench, repository: Repository, charts: Path
) -> None:
    write(charts, {"web/values.schema.json": SCHEMA})
    run(bench, repository, helm_repository(URL), web("  values: {replicaCount: many}"))
    assert bench.ready("web")[2] == (
        "Helm install failed for release team/web with chart web@1.2.0: values don't meet the "
        "specifications of the schema(s) in the following chart(s):\nweb:\n"
        "- at '/': missing property 'tier'\n- at '/replicaCount': got string, want integer"
    )
    again(bench, repository, helm_repository(URL), web("  values: {replicaCount: 2, tier: gold}"))
    assert bench.ready("web")[0] == "True", bench.ready("web")


def test_an_index_names_archives(bench: Bench, repository: Repository, charts: Path) -> None:
    index = "apiVersion: v1\nentries: {web: [{version: 1.2.0, urls: [web-1.2.0.tgz]}]}\n"
    write(charts, {"index.yaml": index})
    run(bench, repository, helm_repository(URL), web())
    assert bench.ready("web")[2].endswith(
        f"failed to download chart for remote reference: failed to fetch {URL}/web-1.2.0.tgz : "
        "404 Not Found"
    )
    with tarfile.open(charts / "web-1.2.0.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("web/Chart.yaml")
        member.size = len(CHART)
        archive.addfile(member, io.BytesIO(CHART.encode()))
    bench.later(minutes=16)
    bench.later(minutes=16)
    assert bench.ready("web")[0] == "True", bench.ready("web")


@pytest.mark.usefixtures("charts")
def test_a_repository_that_asks_for_a_sign_in(bench: Bench, repository: Repository) -> None:
    bench.sources.expect(URL, access("https", "flux:key"))
    signed = helm_repository(URL).replace("url:", "secretRef: {name: charts}, url:")
    run(bench, repository, signed, web())
    assert bench.ready("charts")[1] == "AuthenticationFailed"
    wrong = {"username": "flux", "password": "no"}
    bench.simulation.put_secret(namespace="team", name="charts", data=wrong)
    bench.settle()
    assert bench.ready("charts")[2].endswith(f"failed to fetch {URL}/index.yaml : 401 Unauthorized")
    bench.simulation.put_secret(namespace="team", name="charts", data=wrong | {"password": "key"})
    bench.settle()
    assert bench.ready("charts")[0] == "True"


def test_a_registry_of_charts(bench: Bench, repository: Repository, tmp_path: Path) -> None:
    write(tmp_path / "one", {"Chart.yaml": CHART})
    oci = helm_repository("oci://reg.example.com/charts").replace("url:", "type: oci, url:")
    bench.sources.add("oci://reg.example.com/charts/web:1.2.0", tmp_path / "one")
    run(bench, repository, oci, web())
    assert bench.ready("web")[0] == "True", bench.ready("web")
    assert bench.ready("charts") == ("", "", "")  # it is never reconciled
    again(bench, repository, oci, release(chart="other", version="1.x"))
    assert 'could not get tags for "other"' in bench.ready("web")[2]


def test_a_registry_with_workload_identity(
    bench: Bench, repository: Repository, tmp_path: Path
) -> None:
    write(tmp_path / "one", {"Chart.yaml": CHART})
    bench.sources.add("oci://reg.example.com/charts/web:1.2.0", tmp_path / "one")
    bench.sources.expect("oci://reg.example.com/charts", access("azure", "client-1"))
    oci = helm_repository("oci://reg.example.com/charts")
    oci = oci.replace("url:", "type: oci, provider: azure, url:")
    run(bench, repository, oci, web())
    assert "failed to get credential from azure" in bench.ready("web")[2]
    settings = {"workloadIdentity.enable": "true", "workloadIdentity.azureClientId": "client-1"}
    bench.simulation.update_extension(version="1.24.1", settings=settings)
    bench.later(minutes=16)
    assert bench.ready("web")[0] == "True", bench.ready("web")


def test_a_release_takes_the_chart_that_an_oci_artifact_is(
    bench: Bench, repository: Repository, tmp_path: Path
) -> None:
    write(tmp_path / "one", {"Chart.yaml": CHART})
    bench.sources.add("oci://reg.example.com/web", tmp_path / "one")
    source = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: web, namespace: team}
spec: {interval: 10m, url: "oci://reg.example.com/web"}
"""
    text = """
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: site, namespace: team}
spec: {interval: 10m, chartRef: {kind: OCIRepository, name: web}}
"""
    run(bench, repository, source, text)
    assert "with chart web@1.2.0+" in bench.ready("site")[2]
    assert bench.ready("site")[1] == "InstallSucceeded"


@pytest.mark.parametrize(
    ("needs", "files", "told"),
    [
        ("{name: db, version: 1.0.0, repository: 'file://../db'}", {},
         "failed to add local dependency 'db': no chart found at 'db'"),
        ("{name: db, version: 1.0.0, repository: 'file://../db'}", {"charts/db/Chart.yaml": CHART},
         ""),
        ("{name: podinfo, version: 6.x, repository: 'https://stefanprodan.github.io/podinfo'}", {},
         ""),
        ("{name: podinfo, version: 99.x, repository: 'https://stefanprodan.github.io/podinfo'}", {},
         "failed to add remote dependency 'podinfo'"),
    ],
)  # fmt: skip
def test_a_chart_in_git_builds_its_dependencies(
    bench: Bench, repository: Repository, needs: str, files: dict[str, str], told: str
) -> None:
    chart = {"charts/web/Chart.yaml": f"{CHART}dependencies:\n- {needs}\n"}
    text = release(chart="./charts/web", version="*")
    text = text.replace("kind: HelmRepository, name: charts", "kind: GitRepository, name: config")
    repository.commit({**chart, **files})
    run(bench, repository, text)
    assert told in bench.ready("web")[2]
    assert (bench.ready("web")[0] == "True") is not bool(told), bench.ready("web")
