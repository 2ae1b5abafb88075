"""ARM's JSON in and out: nothing lost, equal things equal."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configurations.specification import Specification
from configurations.specification.models import SOURCE_BODIES
from configurations.specification.wire import (
    READ_ONLY,
    desired_part,
    differing_fields,
    equal_to_desired,
    live_digest,
    merge_patch,
    merged,
    normalised,
)
from tests.factories.configurations import TUTORIAL, resource

texts = st.text(max_size=12)
leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
json = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)  # fmt: skip
seconds = st.none() | st.integers(1, 10**6)
unknown = st.dictionaries(st.text(min_size=1, max_size=8).map(lambda it: f"x-{it}"), json,
                          max_size=2)  # fmt: skip


def part(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these fields, set or not, and fields that we do not know."""
    known = st.fixed_dictionaries({}, optional=fields)
    return st.builds(lambda a, b: {**b, **a}, known, unknown)


git = part(
    url=texts | st.none(),
    timeoutInSeconds=seconds,
    syncIntervalInSeconds=seconds,
    httpsCACert=texts | st.none(),
    repositoryRef=st.none() | part(branch=texts, tag=st.none() | texts),
)
oid_identity = part(issuer=texts, subject=texts)
bucket = part(
    url=texts,
    bucketName=texts,
    insecure=st.none() | st.booleans(),
    accessKey=st.none() | texts,
    localAuthRef=st.none() | texts,
)
blob = part(
    url=texts,
    containerName=texts,
    localAuthRef=st.none() | texts,
    managedIdentity=st.none() | part(clientId=texts),
    servicePrincipal=st.none()
    | part(clientId=texts, tenantId=texts, clientCertificateSendChain=st.none() | st.booleans()),
)
oci = part(
    url=texts,
    syncIntervalInSeconds=seconds,
    repositoryRef=st.none() | part(tag=texts, semver=texts, digest=texts),
    layerSelector=st.none() | part(mediaType=texts, operation=st.none() | texts),
    verify=st.none()
    | part(
        provider=texts,
        verificationConfig=st.none() | st.dictionaries(texts, texts, max_size=2),
        matchOidcIdentity=st.none() | st.lists(oid_identity, max_size=2),
    ),
    insecure=st.none() | st.booleans(),
    useWorkloadIdentity=st.none() | st.booleans(),
    serviceAccountName=st.none() | texts,
)
kustomization = part(
    path=st.none() | texts,
    dependsOn=st.none() | st.lists(texts, max_size=3),
    prune=st.none() | st.booleans(),
    wait=st.none() | st.booleans(),
    retryIntervalInSeconds=seconds,
    postBuild=st.none() | part(substitute=st.dictionaries(texts, texts, max_size=2)),
)
specifications = part(
    scope=st.sampled_from(["cluster", "namespace"]),
    namespace=texts,
    suspend=st.none() | st.booleans(),
    sourceKind=st.none() | st.sampled_from(list(SOURCE_BODIES)),
    gitRepository=st.none() | git,
    bucket=st.none() | bucket,
    azureBlob=st.none() | blob,
    ociRepository=st.none() | oci,
    kustomizations=st.none() | st.dictionaries(texts, st.none() | kustomization, max_size=3),
)


@given(specifications)
def test_reading_and_writing_loses_nothing(wire: dict[str, Any]) -> None:
    assert Specification.from_wire(wire).to_wire() == wire


@given(specifications)
def test_the_normal_form_is_its_own(wire: dict[str, Any]) -> None:
    assert normalised(normalised(wire)) == normalised(wire)


@given(specifications, specifications)
def test_a_merge_patch_leads_from_one_to_the_other(
    base: dict[str, Any], wanted: dict[str, Any]
) -> None:
    found = merged(base, merge_patch(base, wanted))
    assert live_digest(found) == live_digest(wanted)


@given(specifications, specifications)
def test_equal_digests_and_no_differing_field_are_one(
    left: dict[str, Any], right: dict[str, Any]
) -> None:
    same = live_digest(left) == live_digest(right)
    assert same == (differing_fields(normalised(left), normalised(right)) == [])


def test_what_azure_fills_in_changes_nothing() -> None:
    body = {
        "scope": "cluster",
        "namespace": "cluster-config",
        "gitRepository": {
            "url": TUTORIAL["gitRepository"]["url"], "repositoryRef": {"branch": "main"},
        },
        "kustomizations": {
            "apps": {"path": "./apps/staging", "dependsOn": ["infra"], "prune": True},
            "infra": {"path": "./infrastructure", "prune": True},
        },
    }  # fmt: skip
    live = resource("/x", waitForReconciliation=False, bucket=None)["properties"]
    assert equal_to_desired(body, live)


@pytest.mark.parametrize(
    "change",
    [
        {"suspend": True},
        {"gitRepository": {"url": "https://example.org/other"}},
        {"gitRepository": {"repositoryRef": {"branch": None, "tag": "main"}}},
        {"kustomizations": {"infra": {"prune": False}}},
        {"kustomizations": {"infra": {"wait": False}}},
        {"kustomizations": {"apps": None}},
        {"kustomizations": {"apps": {"dependsOn": []}}},
        {"somethingNew": "of the future"},
    ],
)
def test_what_somebody_alters_is_noticed(change: dict[str, Any]) -> None:
    live = merged(deepcopy(TUTORIAL), change)
    assert not equal_to_desired(TUTORIAL, live)
    assert differing_fields(normalised(TUTORIAL), normalised(live))


@pytest.mark.parametrize("field", sorted(READ_ONLY))
def test_what_only_azure_writes_is_no_part_of_it(field: str) -> None:
    live = {**TUTORIAL, field: "anything"}
    assert live_digest(live) == live_digest(TUTORIAL)
    assert field not in desired_part(live)


@pytest.mark.parametrize(
    "secret",
    [
        {"configurationProtectedSettings": {"httpsKey": "eA=="}},
        {"azureBlob": {"accountKey": "k", "sasToken": "s"}},
        {"azureBlob": {"servicePrincipal": {"clientSecret": "s", "clientCertificate": "c"}}},
        {"ociRepository": {"tlsConfig": {"privateKey": "p"}}},
    ],
)
def test_secrets_are_no_part_of_the_digest(secret: dict[str, Any]) -> None:
    assert live_digest({**TUTORIAL, **secret}) == live_digest(TUTORIAL)


def test_a_resource_that_is_not_there_has_no_digest() -> None:
    assert live_digest(None) == ""
    assert not equal_to_desired(TUTORIAL, None)
