"""Between the wizard's texts and ARM's JSON."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from configurations.specification.wire import normalised
from configurations.wizard import compose
from tests.factories.configurations import TUTORIAL, TUTORIAL_URL


def tutorial_data() -> dict[str, Any]:
    """The draft of the tutorial."""
    data = deepcopy(compose.EMPTY)
    data["saved"] = ["basics", "source", "kustomizations"]
    data["basics"] = {"name": "cluster-config", "namespace": "cluster-config", "scope": "cluster"}
    data["source"]["url"] = TUTORIAL_URL
    data["kustomizations"]["rows"] = [
        {**compose.EMPTY_ROW, "key": "k1", "name": "infra", "path": "./infrastructure",
         "prune": True},
        {**compose.EMPTY_ROW, "key": "k2", "name": "apps", "path": "./apps/staging", "prune": True,
         "depends_on": ["infra"]},
    ]  # fmt: skip
    return data


def test_the_tutorial() -> None:
    assert normalised(compose.properties_of(tutorial_data(), None)) == normalised(TUTORIAL)


def test_an_edit_that_changes_nothing_gives_back_what_was_there() -> None:
    base = deepcopy(TUTORIAL)
    base["kustomizations"]["infra"]["postBuild"] = {"substitute": {"cluster": "weu"}}
    base["kustomizations"]["infra"]["wait"] = False
    base["gitRepository"]["provider"] = "Azure"
    base["gitRepository"]["syncIntervalInSeconds"] = 100
    base["somethingNew"] = {"of": ["the", "future"]}
    data = compose.data_from("cluster-config", base)
    wire = compose.properties_of(data, base)
    assert normalised(wire) == normalised(base)
    assert wire["gitRepository"] == base["gitRepository"]
    assert wire["somethingNew"] == base["somethingNew"]


def test_an_edit_alters_only_what_was_typed() -> None:
    base = deepcopy(TUTORIAL)
    base["kustomizations"]["apps"]["postBuild"] = {"substitute": {"cluster": "weu"}}
    data = compose.data_from("cluster-config", base)
    data["source"] |= {"reference_type": "tag", "tag": "v1.2.0"}
    data["kustomizations"]["rows"][1] |= {"name": "workloads", "retry_interval": "1m30s"}
    wire = compose.properties_of(data, base)
    assert wire["gitRepository"]["repositoryRef"] == {
        "tag": "v1.2.0", "semver": None, "commit": None,
    }  # fmt: skip
    assert list(wire["kustomizations"]) == ["infra", "workloads"]
    assert wire["kustomizations"]["workloads"]["postBuild"] == {"substitute": {"cluster": "weu"}}
    assert wire["kustomizations"]["workloads"]["retryIntervalInSeconds"] == 90


def test_a_local_reference_is_taken_out_when_the_repository_is_public() -> None:
    base = deepcopy(TUTORIAL)
    base["gitRepository"]["localAuthRef"] = "git-auth"
    data = compose.data_from("cluster-config", base)
    assert data["source"]["repository_type"] == "private"
    data["source"]["repository_type"] = "public"
    assert "localAuthRef" not in compose.properties_of(data, base)["gitRepository"]


def test_a_source_of_another_kind_stays_as_it_is() -> None:
    bucket = {"url": "https://s3.example.org", "bucketName": "manifests", "insecure": True}
    base = {**deepcopy(TUTORIAL), "sourceKind": "Bucket", "bucket": bucket, "gitRepository": None}
    data = compose.data_from("cluster-config", base)
    wire = compose.properties_of(data, base)
    assert wire["bucket"] == bucket
    assert wire["sourceKind"] == "Bucket"
    assert wire["gitRepository"] is None
