"""Every rule of a specification: what keeps it, what breaks it, and what is suggested."""

from __future__ import annotations

import base64
from copy import deepcopy
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from configurations.specification import Specification, texts, violations_of
from configurations.specification.graph import cycles, layers
from configurations.specification.wire import merged
from tests.factories import pem
from tests.factories.configurations import TUTORIAL

LONG = "a" * 63


@pytest.mark.parametrize("value", ["a", "cluster-config", "a.b", "1-2", LONG])
def test_good_names(value: str) -> None:
    assert texts.name(value) is None


@pytest.mark.parametrize(
    ("value", "code", "suggestion"),
    [
        ("", "required", None),
        ("Monitoring_Stack", "characters", "monitoring-stack"),
        ("ÄÖ", "characters", "ao"),
        ("名", "characters", None),
        ("-a", "ends", "a"),
        ("a.", "ends", "a"),
        (LONG + "b", "too_long", LONG),
        ("a b\n", "characters", "a-b"),
    ],
)
def test_bad_names(value: str, code: str, suggestion: str | None) -> None:
    found = texts.name(value)
    assert found is not None
    assert (found.code, found.suggestion) == (code, suggestion)


@pytest.mark.parametrize(
    ("value", "code"),
    [("", "required"), ("a.b", "characters"), ("a" * 64, "too_long"), ("a-", "ends")],
)
def test_bad_namespaces(value: str, code: str) -> None:
    found = texts.namespace(value)
    assert found is not None
    assert found.code == code


@pytest.mark.parametrize(
    "value",
    [
        "https://github.com/Azure/gitops-flux2-kustomize-helm-mt",
        "http://git.example.org:3000/a/b.git",
        "ssh://git@ssh.dev.azure.com/v3/org/project/repo",
        "git@github.com:Azure/repo.git",
        "https://[2001:db8::1]/a",
    ],
)
def test_good_git_urls(value: str) -> None:
    assert texts.url(value) is None


@pytest.mark.parametrize(
    ("value", "code", "suggestion"),
    [
        ("", "required", None),
        ("github.com/a/b", "scheme", "https://github.com/a/b"),
        ("HTTPS://github.com/a", "scheme", "https://github.com/a"),
        ("file:///etc/passwd", "scheme", None),
        ("oci://ghcr.io/a/b", "scheme", None),
        ("https://user:secret@github.com/a/b", "userinfo", "https://github.com/a/b"),
        ("https://token@github.com/a/b", "userinfo", "https://github.com/a/b"),
        ("ssh://git:secret@host/a", "userinfo", "ssh://host/a"),
        (" https://github.com/a/b ", "characters", "https://github.com/a/b"),
        ("https://github.com/a b", "characters", None),
        ("https://github.com/\u202ea", "characters", None),
        ("https:///a", "host", None),
        ("https://-evil/a", "host", None),
        ("https://host:notaport/a", "url", None),
        ("git@host", "url", None),
        ("https://github.com/a?x=1", "url", "https://github.com/a"),
    ],
)
def test_bad_git_urls(value: str, code: str, suggestion: str | None) -> None:
    found = texts.url(value)
    assert found is not None
    assert (found.code, found.suggestion) == (code, suggestion)


@pytest.mark.parametrize("value", ["", ".", "./apps/staging", "apps", "a..b/c", "./-x"])
def test_good_paths(value: str) -> None:
    assert texts.path(value) is None


@pytest.mark.parametrize(
    ("value", "code", "suggestion"),
    [
        ("../x", "parent", None),
        ("a/../../b", "parent", None),
        ("/etc", "absolute", "./etc"),
        ("-rf", "hyphen", "./-rf"),
        ("a\x00b", "characters", None),
        ("a\nb", "characters", None),
        ("a\\b", "backslash", "a/b"),
        (" a", "spaces", "a"),
    ],
)
def test_bad_paths(value: str, code: str, suggestion: str | None) -> None:
    found = texts.path(value)
    assert found is not None
    assert (found.code, found.suggestion) == (code, suggestion)


@pytest.mark.parametrize(
    ("kind", "value", "good"),
    [
        ("branch", "main", True),
        ("branch", "feature/x-1", True),
        ("branch", "-main", False),
        ("branch", "a..b", False),
        ("branch", "a b", False),
        ("branch", "a.lock", False),
        ("branch", "refs/heads/main", False),
        ("branch", "a~1", False),
        ("tag", "v1.2.0", True),
        ("tag", "@", False),
        ("semver", ">=1.0.0 <2.0.0", True),
        ("semver", "> 1.0", True),
        ("semver", "1.x", True),
        ("semver", "~1.2 || ^3", True),
        ("semver", "main", False),
        ("semver", "", False),
        ("commit", "4f1bdad4d0a54b939a5e3d52c51464f67e474fcf", True),
        ("commit", "4f1bdad", False),
        ("commit", "Z" * 40, False),
    ],
)
def test_references(kind: str, value: str, good: bool) -> None:
    assert (texts.reference(kind, value) is None) is good


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10", 600), ("1.5", 90), ("1,5", 90), ("1h2m5s", 3725), ("100s", 100), ("0", 0),
        ("", None), ("ten", None), ("-1", None), ("1d", None), ("1" * 40, None),
    ],
)  # fmt: skip
def test_minutes(text: str, seconds: int | None) -> None:
    assert texts.parse_minutes(text) == seconds


@pytest.mark.parametrize("seconds", [1, 59, 60, 61, 90, 600, 3600, 3725])
def test_seconds_survive_being_typed(seconds: int) -> None:
    assert texts.parse_minutes(texts.minutes_text(seconds)) == seconds


@pytest.mark.parametrize(("value", "good"), [("PT5M", True), ("P1D", True), ("5m", False),
                                             ("P", False), ("PT", False)])  # fmt: skip
def test_iso_durations(value: str, good: bool) -> None:
    assert (texts.iso_duration(value) is None) is good


# --- The whole ------------------------------------------------------------------------------
def broken(patch: dict[str, Any], *, name: str = "cluster-config", **options: Any) -> set[str]:
    """ "path: code" of every rule that the tutorial breaks once it is patched."""
    properties = merged(deepcopy(TUTORIAL), patch)
    found = violations_of(Specification.from_wire(properties), name=name, **options)
    return {f"{it.path}: {it.code}" for it in found}


def git(**changes: Any) -> dict[str, Any]:
    return {"gitRepository": changes}


def key() -> str:
    raw = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
    )
    return base64.b64encode(raw).decode()


def known_hosts() -> str:
    public = Ed25519PrivateKey.generate().public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return base64.b64encode(f"# comment\ngithub.com {line}\n".encode()).decode()


def certificate() -> str:
    return base64.b64encode(pem.certificate().encode()).decode()


def bucket(**changes: Any) -> dict[str, Any]:
    body = {"url": "https://s3.example", "bucketName": "fleet", "localAuthRef": "keys"}
    return {**BUCKET, "bucket": {**body, **changes}}


def blob(**changes: Any) -> dict[str, Any]:
    return {**BLOB, "azureBlob": {**BLOB_URL, **changes}}


def oci(**changes: Any) -> dict[str, Any]:
    return {**OCI, "ociRepository": {"url": "oci://ghcr.io/a/b", **changes}}


SSH = {"url": "git@github.com:a/b"}
GUID = "0b0b0b0b-0000-4000-8000-00000000000b"
DIGEST = "sha256:" + "0" * 64
BLOB = {"sourceKind": "AzureBlob", "gitRepository": None}
BUCKET = {"sourceKind": "Bucket", "gitRepository": None}
OCI = {"sourceKind": "OCIRepository", "gitRepository": None}
BLOB_URL = {"url": "https://a.blob.core.windows.net", "containerName": "fleet"}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({}, set()),
        ({"namespace": "Bad"}, {"namespace: characters"}),
        ({"scope": "universe"}, {"scope: choice"}),
        ({"sourceKind": "Ftp"}, {"sourceKind: choice"}),
        ({"sourceKind": "Bucket"}, {"bucket: required"}),
        ({"bucket": {"url": "https://x"}}, {"bucket: other_kind"}),
        ({"reconciliationWaitDuration": "5m"}, {"reconciliationWaitDuration: duration"}),
        (git(repositoryRef={"branch": None}), {"gitRepository.repositoryRef: required"}),
        (git(repositoryRef={"tag": "v1"}), {"gitRepository.repositoryRef: one_only"}),
        (git(syncIntervalInSeconds=0), {"gitRepository.syncIntervalInSeconds: too_short"}),
        (git(localAuthRef="Bad_Name"), {"gitRepository.localAuthRef: characters"}),
        (git(provider="azure"), {"gitRepository.provider: choice"}),
        (git(provider="GitHub"), set()),
        # signing in to Git
        (git(httpsUser="me"), {"configurationProtectedSettings.httpsKey: lacking"}),
        ({"configurationProtectedSettings": {"httpsKey": "eA=="}},
         {"gitRepository.httpsUser: pair"}),
        ({**git(httpsUser="me"), "configurationProtectedSettings": {"httpsKey": "eA=="}}, set()),
        ({"configurationProtectedSettings": {"sshPrivateKey": key()}},
         {"configurationProtectedSettings.sshPrivateKey: ssh_with_http"}),
        ({**git(**SSH), "configurationProtectedSettings": {"sshPrivateKey": key()}}, set()),
        ({**git(**SSH), "configurationProtectedSettings": {"sshPrivateKey": "eA=="}},
         {"configurationProtectedSettings.sshPrivateKey: private_key"}),
        ({**git(**SSH), "configurationProtectedSettings": {"sshPrivateKey": {"$secret": "7"}}},
         set()),
        ({"configurationProtectedSettings": {"httpsKey": "not base64!"}},
         {"configurationProtectedSettings.httpsKey: base64", "gitRepository.httpsUser: pair"}),
        (git(**SSH, httpsUser="me"), {"gitRepository.httpsUser: http_with_ssh"}),
        (git(sshKnownHosts=known_hosts()), {"gitRepository.sshKnownHosts: ssh_with_http"}),
        (git(**SSH, sshKnownHosts=known_hosts()), set()),
        (git(**SSH, sshKnownHosts="eA=="), {"gitRepository.sshKnownHosts: known_hosts"}),
        (git(httpsCACert="***"), {"gitRepository.httpsCACert: base64"}),
        ({"configurationProtectedSettings": {"bucketSecretKey": "eA=="}},
         {"configurationProtectedSettings.bucketSecretKey: other_kind"}),
        # the other kinds
        ({**BUCKET, "bucket": {"url": "https://s3", "bucketName": "b", "localAuthRef": "x"}},
         set()),
        ({**BUCKET, "bucket": {"url": "git@x:y"}},
         {"bucket.url: scheme", "bucket.bucketName: required", "bucket.accessKey: sign_in"}),
        ({**BUCKET, "bucket": {"url": "https://s3", "bucketName": "b", "accessKey": "x"}},
         {"configurationProtectedSettings.bucketSecretKey: lacking"}),
        ({**BLOB, "azureBlob": BLOB_URL}, {"azureBlob.accountKey: lacking"}),
        ({**BLOB, "azureBlob": {**BLOB_URL, "managedIdentity": {"clientId": GUID}}}, set()),
        ({**BLOB, "azureBlob": {"url": "https://a", "localAuthRef": "x"}},
         {"azureBlob.containerName: required"}),
        ({**BLOB, "azureBlob": {**BLOB_URL, "accountKey": "k", "sasToken": "s"}},
         {"azureBlob: one_only"}),
        ({**BLOB, "azureBlob": {**BLOB_URL, "servicePrincipal": {"clientId": "c"}}},
         {"azureBlob.servicePrincipal.clientId: guid",
             "azureBlob.servicePrincipal.tenantId: incomplete",
             "azureBlob.servicePrincipal.clientSecret: lacking"}),
        ({**BLOB, "azureBlob": {**BLOB_URL, "servicePrincipal": {
            "clientId": GUID, "tenantId": GUID, "clientSecret": "s", "clientCertificate": "x"}}},
         {"azureBlob.servicePrincipal: one_only"}),
        ({**BLOB, "azureBlob": {**BLOB_URL, "servicePrincipal": {
            "clientId": GUID, "tenantId": GUID, "clientSecret": "s",
            "clientCertificatePassword": "x"}}},
         {"azureBlob.servicePrincipal.clientCertificatePassword: pair"}),
        ({**OCI, "ociRepository": {"url": "oci://ghcr.io/a/b"}}, set()),
        ({**OCI, "ociRepository": {"url": "https://ghcr.io/a/b"}}, {"ociRepository.url: scheme"}),
        ({**OCI, "ociRepository": {"url": "oci://g.io/a", "repositoryRef": {
            "tag": "1", "digest": DIGEST}}}, {"ociRepository.repositoryRef: one_only"}),
        ({**OCI, "ociRepository": {"url": "oci://g.io/a", "repositoryRef": {"digest": "sha256:0"}}},
         {"ociRepository.repositoryRef.digest: digest"}),
        ({**OCI, "ociRepository": {"url": "oci://g.io/a", "repositoryRef": {"tag": "-x"}}},
         {"ociRepository.repositoryRef.tag: tag"}),
        ({**OCI, "ociRepository": {"url": "oci://g.io/a", "repositoryRef": {"semver": "new"}}},
         {"ociRepository.repositoryRef.semver: semver"}),
        ({**OCI, "ociRepository": {"url": "oci://g.io"}}, {"ociRepository.url: url"}),
        ({**OCI, "ociRepository": {
            "url": "oci://g.io/a", "tlsConfig": {"clientCertificate": certificate()}}},
         {"ociRepository.tlsConfig.privateKey: pair"}),
        ({**OCI, "ociRepository": {"url": "oci://g.io/a", "verify": {"provider": "pgp"}}},
         {"ociRepository.verify.provider: choice"}),
        ({**OCI, "ociRepository": {"url": "oci://g.io/a", "verify": {
            "provider": "cosign", "matchOidcIdentity": [{"issuer": "^https://x$"}]}}},
         {"ociRepository.verify.matchOidcIdentity: pair"}),
        ({**OCI, "ociRepository": {"url": "oci://g.io/a", "layerSelector": {
            "operation": "burn"}}}, {"ociRepository.layerSelector.operation: choice"}),
        # one way to sign in, and what goes with the URL
        (git(httpsCACert=certificate()), set()),
        (git(httpsCACert="eA=="), {"gitRepository.httpsCACert: certificate"}),
        (git(**SSH, httpsCACert=certificate()), {"gitRepository.httpsCACert: http_with_ssh"}),
        ({**git(httpsUser="me", localAuthRef="auth"),
          "configurationProtectedSettings": {"httpsKey": "eA=="}},
         {"gitRepository.localAuthRef: one_only"}),
        (git(**SSH, provider="Azure"), {"gitRepository.provider: http_only"}),
        (git(**SSH, provider="Generic"), set()),
        (git(provider="Azure", localAuthRef="auth"), {"gitRepository.provider: one_only"}),
        (git(provider="GitHub", localAuthRef="app"), set()),
        (bucket(), set()),
        (bucket(bucketName="s3://fleet"), {"bucket.bucketName: characters"}),
        (bucket(accessKey="x"), {"bucket.localAuthRef: one_only"}),
        (bucket(url="http://s3.example", insecure=True), set()),
        (bucket(url="http://s3.example", insecure=False), {"bucket.insecure: scheme"}),
        (blob(localAuthRef="x", containerName="$web"), set()),
        (blob(localAuthRef="x", containerName="my--fleet"),
         {"azureBlob.containerName: characters"}),
        (blob(managedIdentity={"clientId": "me"}), {"azureBlob.managedIdentity.clientId: guid"}),
        (blob(servicePrincipal={"clientId": GUID, "tenantId": GUID, "clientSecret": "s",
                                "clientCertificateSendChain": True}),
         {"azureBlob.servicePrincipal.clientCertificateSendChain: pair"}),
        (oci(url="oci://ghcr.io:5000/a/b__c.d-e"), set()),
        (oci(url="oci://ghcr.io/a/b:1.0"), {"ociRepository.url: tag_in_url"}),
        (oci(url=f"oci://ghcr.io/a/b@{DIGEST}"), {"ociRepository.url: tag_in_url"}),
        (oci(url="oci://ghcr.io/Team/Fleet"), {"ociRepository.url: url"}),
        (oci(serviceAccountName="Puller"), {"ociRepository.serviceAccountName: characters"}),
        (oci(useWorkloadIdentity=True, localAuthRef="x"),
         {"ociRepository.useWorkloadIdentity: one_only"}),
        (oci(layerSelector={"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip"}),
         set()),
        (oci(layerSelector={"mediaType": "tar"}),
         {"ociRepository.layerSelector.mediaType: media_type"}),
        (oci(tlsConfig={"caCertificate": certificate()}), set()),
        (oci(tlsConfig={"caCertificate": {"$secret": "7"}}), set()),
        (oci(tlsConfig={"caCertificate": "eA=="}), {"ociRepository.tlsConfig.caCertificate: pem"}),
        (oci(insecure=True, tlsConfig={"caCertificate": certificate()}),
         {"ociRepository.insecure: pair"}),
        (oci(verify={"provider": "cosign", "verificationConfig": {"cosign.pub": "a key"}}), set()),
        (oci(verify={"provider": "cosign", "verificationConfig": {"cosign.pub": ""}}),
         {"ociRepository.verify.verificationConfig: pair"}),
        (oci(verify={"provider": "notation"}),
         {"ociRepository.verify.verificationConfig: incomplete"}),
        # kustomizations
        ({"kustomizations": {"infra": None, "apps": None}}, {"kustomizations: required"}),
        ({"kustomizations": {"infra": {"path": "../x"}}}, {"kustomizations.infra.path: parent"}),
        ({"kustomizations": {"infra": {"retryIntervalInSeconds": -5}}},
         {"kustomizations.infra.retryIntervalInSeconds: too_short"}),
        ({"kustomizations": {"Bad_One": {}}}, {"kustomizations.Bad_One.name: characters"}),
        ({"kustomizations": {"infra": {"dependsOn": ["apps"]}}},
         {"kustomizations.infra.dependsOn: loop"}),
        ({"kustomizations": {"infra": {"dependsOn": ["infra"]}}},
         {"kustomizations.infra.dependsOn: itself"}),
        ({"kustomizations": {"infra": {"dependsOn": ["ghost"]}}},
         {"kustomizations.infra.dependsOn: unknown"}),
        ({"kustomizations": {"apps": {"dependsOn": ["infra", "infra"]}}},
         {"kustomizations.apps.dependsOn: twice"}),
        ({"kustomizations": {"infra": {"postBuild": {"substituteFrom": [
            {"kind": "Pod", "name": "x"}]}}}},
         {"kustomizations.infra.postBuild.substituteFrom.0.kind: choice"}),
    ],
)  # fmt: skip
def test_the_whole(patch: dict[str, Any], expected: set[str]) -> None:
    assert broken(patch) == expected


@pytest.mark.parametrize(
    ("patch", "suggestion"),
    [
        (bucket(bucketName="s3://fleet/"), "fleet"),
        (blob(localAuthRef="x", containerName="Fleet"), "fleet"),
        (blob(managedIdentity={"clientId": f"{{{GUID}}}"}), GUID),
        (oci(url="oci://ghcr.io/Team/Fleet"), "oci://ghcr.io/team/fleet"),
        (oci(url="oci://ghcr.io/Team/fleet:1.0"), "oci://ghcr.io/team/fleet"),
        (oci(serviceAccountName="Puller"), "puller"),
    ],
)
def test_what_is_suggested_for_other_kinds_keeps_the_rules(
    patch: dict[str, Any], suggestion: str
) -> None:
    properties = merged(deepcopy(TUTORIAL), patch)
    [found] = violations_of(Specification.from_wire(properties), name="c")
    assert found.suggestion == suggestion
    part = properties
    for key in found.field[:-1]:
        part = part[key]
    part[found.field[-1]] = suggestion
    assert violations_of(Specification.from_wire(properties), name="c") == []


def test_names_that_are_too_long_together() -> None:
    found = broken({}, name="c" * 58)
    assert found == {"kustomizations.infra.name: combined"}
    assert broken({}, name="c" * 57) == set()


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        (git(provider="Azure"), {"gitRepository.provider: not_in_version"}),
        (
            {**OCI, "ociRepository": {"url": "oci://ghcr.io/a/b"}},
            {"ociRepository: not_in_version", "sourceKind: not_in_version"},
        ),
        ({"kustomizations": {"infra": {"postBuild": {"substitute": {"a": "b"}}}}}, set()),
    ],
)
def test_the_older_api_version_refuses_what_it_lacks(
    patch: dict[str, Any], expected: set[str]
) -> None:
    assert broken(patch, api_version="2023-05-01") == expected


def test_a_loop_is_named_in_full() -> None:
    patch = {"kustomizations": {"infra": {"dependsOn": ["x"]}, "x": {"dependsOn": ["apps"]}}}
    specification = Specification.from_wire(merged(deepcopy(TUTORIAL), patch))
    [loop] = violations_of(specification, name="c")
    assert "infra → x → apps → infra" in loop.message


def test_long_chains_are_no_trouble() -> None:
    chain = {str(n): [str(n + 1)] for n in range(5000)} | {"5000": []}
    assert cycles(chain) == []
    assert layers({"c": ["b"], "a": [], "b": ["a", "ghost"]}) == [["a"], ["b"], ["c"]]
    assert layers({"a": ["b"], "b": ["a"], "c": []}) == [["c"], ["a", "b"]]
