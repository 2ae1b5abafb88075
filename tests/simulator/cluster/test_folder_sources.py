"""Buckets, Azure Blob containers and OCI repositories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import Bench, config_map

APP = {"app": {"path": "app", "prune": True}}
SOURCES: list[tuple[str, dict[str, Any], str]] = [
    (
        "Bucket",
        {
            "bucket": {"url": "https://s3.example.com", "bucketName": "fleet", "accessKey": "id"},
            "configurationProtectedSettings": {"bucketSecretKey": "a2V5"},
        },
        "https://s3.example.com/fleet",
    ),
    (
        "AzureBlob",
        {"azureBlob": {"url": "https://store.blob.core.windows.net", "containerName": "fleet"}},
        "https://store.blob.core.windows.net/fleet",
    ),
    (
        "OCIRepository",
        {"ociRepository": {"url": "oci://reg.example.com/team/fleet"}},
        "oci://reg.example.com/team/fleet",
    ),
]


def put(bench: Bench, kind: str, body: dict[str, Any]) -> None:
    properties = {"scope": "cluster", "namespace": "team", "sourceKind": kind}
    properties |= {"kustomizations": APP} | body
    bench.simulation.put_configuration(name="config", properties=properties)
    bench.settle()


@pytest.mark.parametrize(("kind", "body", "address"), SOURCES)
def test_a_folder_stands_for_the_source(
    bench: Bench, tmp_path: Path, kind: str, body: dict[str, Any], address: str
) -> None:
    folder = tmp_path / "content"
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "a.yaml").write_text(config_map("a"), encoding="utf-8")
    bench.sources.paths[address] = folder
    put(bench, kind, body)
    assert bench.compliance() == "Compliant", bench.ready("config")
    first = bench.simulation.report("config").source_synced_commit_id
    assert first is not None
    assert "sha256:" in first
    (folder / "app" / "a.yaml").write_text(config_map("a", colour="green"), encoding="utf-8")
    bench.later(minutes=11)
    assert bench.simulation.report("config").source_synced_commit_id != first
    assert bench.object("ConfigMap", "a")["data"] == {"colour": "green"}


@pytest.mark.parametrize(
    ("kind", "body", "reason", "message"),
    [
        (
            *SOURCES[0][:2],
            "BucketOperationFailed",
            (
                "failed to confirm existence of 'fleet' bucket: Get "
                '"https://s3.example.com/fleet/?location=": dial tcp: lookup s3.example.com on '
                "10.0.0.10:53: no such host"
            ),
        ),
        (
            *SOURCES[2][:2],
            "OCIArtifactPullFailed",
            (
                'failed to determine artifact digest: Get "https://reg.example.com/v2/": dial tcp: '
                "lookup reg.example.com on 10.0.0.10:53: no such host"
            ),
        ),
        (
            "OCIRepository",
            {"ociRepository": {"url": "https://reg.example.com/team/fleet"}},
            "URLInvalid",
            (
                "URL validation failed for 'https://reg.example.com/team/fleet': URL must be in "
                "format 'oci://<domain>/<org>/<repo>'"
            ),
        ),
    ],
)
def test_a_source_that_is_not_there(
    bench: Bench, kind: str, body: dict[str, Any], reason: str, message: str
) -> None:
    put(bench, kind, body)
    assert bench.ready("config") == ("False", reason, message)
    assert bench.compliance() == "Non-Compliant"


def test_an_absent_bucket_and_tag(bench: Bench, tmp_path: Path) -> None:
    bench.sources.paths[SOURCES[0][2]] = tmp_path / "absent"
    put(bench, *SOURCES[0][:2])
    assert bench.ready("config")[2] == "bucket 'fleet' not found"
    bench.sources.paths[SOURCES[2][2]] = tmp_path / "absent"
    put(bench, *SOURCES[2][:2])
    assert bench.ready("config")[2] == (
        "failed to determine artifact digest: GET "
        "https://reg.example.com/v2/team/fleet/manifests/latest: MANIFEST_UNKNOWN: manifest unknown"
    )


def test_changing_the_kind_of_source_removes_the_old_one(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "content"
    (folder / "app").mkdir(parents=True)
    for _, _, address in SOURCES:
        bench.sources.paths[address] = folder
    put(bench, *SOURCES[0][:2])
    put(bench, *SOURCES[2][:2])
    assert bench.object("Bucket", "config", group="source.toolkit.fluxcd.io") is None
    kinds = [item["kind"] for item in bench.simulation.report("config").statuses]
    assert kinds == ["OCIRepository", "Kustomization"]
