"""Sources that ask for a sign-in: the right one is let in, any other fails as in Flux."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from simulator.sources import access, parse_access

from .conftest import URL, Bench, MakeBench, Repository, config_map

APP = {"app": {"path": "app", "prune": True}}
SSH = "ssh://git@git.example.com/team/fleet"
BLOB = "https://store.blob.core.windows.net"
OCI = "oci://reg.example.com/team/fleet"
LIST = "failed to checkout and determine revision: unable to clone"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def key_pair() -> tuple[str, str]:
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return private.decode(), public.decode()


@pytest.fixture
def content(repository: Repository, tmp_path: Path, bench: Bench) -> Path:
    """One folder behind every address of this module."""
    repository.commit({"app/a.yaml": config_map("a")})
    folder = tmp_path / "content"
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "a.yaml").write_text(config_map("a"), encoding="utf-8")
    for address in (f"{BLOB}/fleet", "https://s3.example.com/fleet", OCI):
        bench.sources.add(address, folder)
    bench.sources.add(SSH, repository.path)
    return folder


def git(bench: Bench, url: str = URL, secrets: dict[str, str] | None = None, **body: Any) -> None:
    bench.put(APP, git={"url": url} | body, configurationProtectedSettings=secrets or {})
    bench.settle()


def other(bench: Bench, kind: str, body: dict[str, Any], secrets: Any = None) -> None:
    field = {"Bucket": "bucket", "AzureBlob": "azureBlob", "OCIRepository": "ociRepository"}[kind]
    properties = {"scope": "cluster", "namespace": "team", "sourceKind": kind, field: body}
    properties |= {"kustomizations": APP, "configurationProtectedSettings": secrets or {}}
    bench.simulation.put_configuration(name="config", properties=properties)
    bench.settle()


# --- Git over HTTPS -----------------------------------------------------------------------------
@pytest.mark.usefixtures("content")
def test_a_key_that_is_wrong_fails_and_recovers(bench: Bench) -> None:
    bench.sources.expect(URL, access("https", "flux:right"))
    git(bench)
    refused = f"{LIST} '{URL}': authentication required: Unauthorized"
    assert bench.ready("config") == ("False", "GitOperationFailed", refused)
    git(bench, httpsUser="flux", secrets={"httpsKey": encoded("wrong")})
    assert bench.ready("config")[2] == refused
    git(bench, httpsUser="flux", secrets={"httpsKey": encoded("right")})
    assert bench.compliance() == "Compliant"
    git(bench)  # A PUT without the key wipes it, and the remote is listed first now.
    assert "unable to list remote for" in bench.ready("config")[2]


@pytest.mark.usefixtures("content")
def test_github_does_not_tell_absent_from_private(bench: Bench, repository: Repository) -> None:
    url = "https://github.com/team/fleet"
    bench.sources.add(url, repository.path)
    bench.sources.expect(url, access("https", "flux:right"))
    git(bench, url)
    assert bench.ready("config")[2].endswith("authentication required: Repository not found.")
    git(bench, url, httpsUser="flux", secrets={"httpsKey": encoded("wrong")})
    assert "Invalid username or token." in bench.ready("config")[2]


@pytest.mark.usefixtures("content")
def test_a_private_authority_must_be_given(bench: Bench) -> None:
    bench.sources.expect(URL, access("ca", "-----BEGIN CERTIFICATE-----\nx\n"))
    git(bench)
    assert "x509: certificate signed by unknown authority" in bench.ready("config")[2]
    git(bench, httpsCACert=encoded("-----BEGIN CERTIFICATE-----\nx"))
    assert bench.compliance() == "Compliant"


@pytest.mark.usefixtures("content")
def test_a_local_secret_is_read_from_the_namespace(bench: Bench) -> None:
    bench.sources.expect(URL, access("https", "flux:right"))
    git(bench, localAuthRef="sign-in")
    missing = "failed to get secret 'team/sign-in': secrets \"sign-in\" not found"
    assert bench.ready("config") == ("False", "AuthenticationFailed", missing)
    right = {"username": "flux", "password": "right"}
    bench.simulation.put_secret(namespace="team", name="sign-in", data={"password": "right"})
    bench.settle()
    assert "'password' requires 'username' to be set" in bench.ready("config")[2]
    bench.simulation.put_secret(namespace="team", name="sign-in", data=right)
    bench.settle()
    assert bench.compliance() == "Compliant"


# --- Git over SSH -------------------------------------------------------------------------------
@pytest.mark.usefixtures("content")
def test_the_generated_key_is_let_in_once_it_is_a_deploy_key(bench: Bench) -> None:
    bench.sources.expect(SSH, access("ssh"))
    git(bench, SSH)
    assert bench.ready("config")[2] == (
        f"{LIST} '{SSH}': ssh: handshake failed: ssh: unable to authenticate, attempted methods "
        "[none publickey], no supported methods remain"
    )
    public = bench.simulation.report("config").repository_public_key
    assert public.startswith("ssh-rsa ")
    bench.sources.expect(SSH, access("ssh", public))
    bench.later(minutes=11)
    assert bench.compliance() == "Compliant"


@pytest.mark.usefixtures("content")
def test_a_given_key_is_compared_by_its_public_part(bench: Bench, tmp_path: Path) -> None:
    private, public = key_pair()
    (tmp_path / "key.pub").write_text(f"{public} ada@laptop\n")
    bench.sources.expect(SSH, access("ssh", str(tmp_path / "key.pub")))
    git(bench, SSH, secrets={"sshPrivateKey": encoded(key_pair()[0])})
    assert "unable to authenticate" in bench.ready("config")[2]
    git(bench, SSH, secrets={"sshPrivateKey": encoded(private)})
    assert bench.compliance() == "Compliant"
    assert bench.simulation.report("config").repository_public_key == ""


@pytest.mark.parametrize(
    ("known", "fault"),
    [
        ("", "knownhosts: key is unknown"),
        ("git.example.com ssh-ed25519 AAAAother", "knownhosts: key mismatch"),
        ("git.example.com ssh-ed25519 AAAAright", ""),
    ],
)
@pytest.mark.usefixtures("content")
def test_known_hosts(bench: Bench, known: str, fault: str) -> None:
    bench.sources.expect(SSH, access("hostkey", "ssh-ed25519 AAAAright"))
    git(bench, SSH, sshKnownHosts=encoded(known))
    assert bench.ready("config")[2].endswith(fault or bench.ready("config")[2])
    assert (bench.compliance() == "Compliant") is not bool(fault)


@pytest.mark.usefixtures("content")
def test_a_host_that_refuses_ssh_rsa(bench: Bench) -> None:
    bench.sources.expect(SSH, access("algorithms", "rsa-sha2-512,rsa-sha2-256"))
    git(bench, SSH)
    assert "You’re using ssh-rsa that is about to be deprecated" in bench.ready("config")[2]
    given = {"source-controller.ssh-host-key-args": "--ssh-hostkey-algos=rsa-sha2-512,rsa-sha2-256"}
    bench.simulation.update_extension(version="1.24.1", settings=given)
    bench.settle()
    assert bench.compliance() == "Compliant"


# --- Microsoft Entra ID, GitHub App -------------------------------------------------------------
@pytest.mark.usefixtures("content")
def test_workload_identity_needs_setting_trust_and_the_right_identity(bench: Bench) -> None:
    bench.sources.expect(URL, access("azure", "client-1"))
    git(bench, provider="Azure")
    assert bench.ready("config")[1] == "AuthenticationFailed"
    assert "no client ID specified" in bench.ready("config")[2]
    trusted: list[str] = []
    bench.simulation.state.federation = lambda client_id, subject: client_id in trusted
    settings = {"workloadIdentity.enable": "true", "workloadIdentity.azureClientId": "client-1"}
    bench.simulation.update_extension(version="1.24.1", settings=settings)
    bench.settle()
    assert "system:serviceaccount:flux-system:source-controller" in bench.ready("config")[2]
    trusted.append("client-1")
    bench.later(minutes=11)
    assert bench.compliance() == "Compliant"


@pytest.mark.usefixtures("content")
def test_the_kubelet_identity_signs_in_where_the_setting_says_so(bench: Bench) -> None:
    bench.sources.expect(URL, access("azure", "kubelet-1"))
    bench.simulation.state.kubelet_identity = "kubelet-1"  # as AKS has one
    git(bench, provider="Azure")
    assert bench.ready("config")[1] == "AuthenticationFailed"
    settings = {"useKubeletIdentity": "true"}
    bench.simulation.update_extension(version="1.24.1", settings=settings)
    bench.settle()
    bench.later(minutes=11)
    assert bench.compliance() == "Compliant"


@pytest.mark.usefixtures("content")
def test_a_github_app_signs_in_by_a_local_secret(bench: Bench) -> None:
    bench.sources.expect(URL, access("github", "7:42"))
    git(bench, provider="GitHub")
    assert bench.ready("config")[1] == "InvalidProviderConfiguration"
    app = {"githubAppID": "7", "githubAppInstallationID": "42", "githubAppPrivateKey": "pem"}
    bench.simulation.put_secret(namespace="team", name="app", data=app)
    git(bench, provider="GitHub", localAuthRef="app")
    assert bench.compliance() == "Compliant"


# --- Bucket, Azure Blob, OCI --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("access_key", "secret_key", "fault"),
    [
        ("id", "right", ""),
        ("id", "wrong", "The request signature we calculated does not match"),
        ("other", "right", "The Access Key Id you provided does not exist"),
    ],
)
@pytest.mark.usefixtures("content")
def test_bucket_keys(bench: Bench, access_key: str, secret_key: str, fault: str) -> None:
    bench.sources.expect("https://s3.example.com/fleet", access("bucket", "id:right"))
    body = {"url": "https://s3.example.com", "bucketName": "fleet", "accessKey": access_key}
    other(bench, "Bucket", body, {"bucketSecretKey": encoded(secret_key)})
    assert (bench.compliance() == "Compliant") is not bool(fault), bench.ready("config")
    assert fault in bench.ready("config")[2]


@pytest.mark.usefixtures("content")
def test_a_plain_http_bucket_needs_insecure(bench: Bench) -> None:
    bench.sources.expect("https://s3.example.com/fleet", access("http"))
    body = {"url": "https://s3.example.com", "bucketName": "fleet", "insecure": False}
    other(bench, "Bucket", body)
    assert "http: server gave HTTP response to HTTPS client" in bench.ready("config")[2]
    other(bench, "Bucket", body | {"insecure": True})
    assert bench.compliance() == "Compliant"


@pytest.mark.parametrize(
    ("kind", "value", "right", "wrong", "fault"),
    [
        ("account-key", "a2V5PT0=", {"accountKey": "a2V5PT0="}, {"accountKey": "x"},
         "RESPONSE 403"),
        ("sas", "sv=1&sig=x", {"sasToken": "?sv=1&sig=x"}, {}, "RESPONSE 409"),
        (
            "service-principal",
            "c:t:s",
            {"servicePrincipal": {"clientId": "c", "tenantId": "t", "clientSecret": "s"}},
            {"servicePrincipal": {"clientId": "c", "tenantId": "t", "clientSecret": "no"}},
            "AADSTS7000215",
        ),
        (
            "service-principal",
            "c:t:PEM",
            {"servicePrincipal": {"clientId": "c", "tenantId": "t",
                                  "clientCertificate": encoded("PEM")}},
            {"servicePrincipal": {"clientId": "c", "tenantId": "t",
                                  "clientCertificate": encoded("other")}},
            "AADSTS700027",
        ),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("content")
def test_blob_sign_ins(
    bench: Bench, kind: str, value: str, right: dict[str, Any], wrong: dict[str, Any], fault: str
) -> None:
    bench.sources.expect(f"{BLOB}/fleet", access(kind, value))
    body = {"url": BLOB, "containerName": "fleet"}
    other(bench, "AzureBlob", body | wrong)
    assert bench.ready("config")[1] == "BucketOperationFailed"
    assert fault in bench.ready("config")[2]
    other(bench, "AzureBlob", body | right)
    assert bench.compliance() == "Compliant"


@pytest.mark.usefixtures("content")
def test_a_managed_identity_reads_blobs_on_aks_alone(bench: Bench, make_bench: MakeBench) -> None:
    bench.sources.expect(f"{BLOB}/fleet", access("managed-identity", "client-1"))
    body = {"url": BLOB, "containerName": "fleet", "managedIdentity": {"clientId": "client-1"}}
    other(bench, "AzureBlob", body)
    assert "isn't assigned to this resource" in bench.ready("config")[2]
    aks = make_bench(name="providers/Microsoft.ContainerService/managedClusters/aks")
    other(aks, "AzureBlob", body)
    assert aks.compliance() == "Compliant"


@pytest.mark.usefixtures("content")
def test_a_registry_takes_a_docker_login_from_a_local_secret(bench: Bench) -> None:
    bench.sources.expect(OCI, access("https", "flux:right"))
    other(bench, "OCIRepository", {"url": OCI})
    assert bench.ready("config")[1] == "OCIArtifactPullFailed"
    assert "UNAUTHORIZED: authentication required" in bench.ready("config")[2]
    login = {"auths": {"reg.example.com": {"auth": encoded("flux:right")}}}
    secret = {".dockerconfigjson": json.dumps(login)}
    bench.simulation.put_secret(namespace="team", name="pull", data=secret)
    other(bench, "OCIRepository", {"url": OCI, "localAuthRef": "pull"})
    assert bench.compliance() == "Compliant"


@pytest.mark.parametrize(
    ("asked", "wrong", "right", "reason", "fault"),
    [
        (("http", ""), {}, {"insecure": True},
         "OCIArtifactPullFailed", "server gave HTTP response"),
        (("ca", "PEM"), {}, {"tlsConfig": {"caCertificate": encoded("PEM")}},
         "OCIArtifactPullFailed", "certificate signed by unknown authority"),
        (("layer", "application/x.tar"),
         {"layerSelector": {"mediaType": "application/y.tar"}},
         {"layerSelector": {"mediaType": "application/x.tar", "operation": "copy"}},
         "OCILayerOperationFailed", "failed to find layer with media type 'application/y.tar'"),
        (("signed", "cosign"), {"verify": {"provider": "notation"}},
         {"verify": {"provider": "cosign"}}, "VerificationError", "no matching signatures"),
        (("layer", "x"), {"serviceAccountName": "puller"}, {"serviceAccountName": "flux-applier"},
         "AuthenticationFailed", 'serviceaccounts "puller" not found'),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("content")
def test_what_an_oci_artifact_asks_for(
    bench: Bench,
    asked: tuple[str, str],
    wrong: dict[str, Any],
    right: dict[str, Any],
    reason: str,
    fault: str,
) -> None:
    bench.sources.expect(OCI, access(*asked))
    other(bench, "OCIRepository", {"url": OCI} | wrong)
    assert bench.ready("config")[1] == reason, bench.ready("config")
    assert fault in bench.ready("config")[2]
    other(bench, "OCIRepository", {"url": OCI} | right)
    assert bench.compliance() == "Compliant", bench.ready("config")


def test_oci_tags_ranges_and_digests(bench: Bench, content: Path, tmp_path: Path) -> None:
    url = "oci://reg.example.com/team/tagged"
    second = tmp_path / "second"
    (second / "app").mkdir(parents=True)
    (second / "app" / "b.yaml").write_text(config_map("b"), encoding="utf-8")
    bench.sources.add(f"{url}:1.0.0", content)
    bench.sources.add(f"{url}:1.1.0", second)
    other(bench, "OCIRepository", {"url": url, "repositoryRef": {"semver": "1.x"}})
    revision = str(bench.simulation.report("config").source_synced_commit_id)
    assert revision.startswith("1.1.0@sha256:")
    digest = revision.partition("@")[2]
    other(bench, "OCIRepository", {"url": url, "repositoryRef": {"digest": digest}})
    assert bench.simulation.report("config").source_synced_commit_id == digest
    other(bench, "OCIRepository", {"url": url, "repositoryRef": {"tag": "9"}})
    assert "manifests/9: MANIFEST_UNKNOWN" in bench.ready("config")[2]
    other(bench, "OCIRepository", {"url": url, "repositoryRef": {"semver": ">=2"}})
    assert bench.ready("config")[1:] == (
        "ReadOperationFailed",
        f"failed to determine the artifact tag for '{url}': no match found for semver: >=2",
    )


# --- The option ---------------------------------------------------------------------------------
def test_the_option_keeps_what_a_value_holds() -> None:
    ((url, found),) = parse_access(["https://a.example/b?x=1=account-key:a2V5PT0="])
    assert (url, found.kind, found.value) == (
        "https://a.example/b?x=1",
        "account-key",
        "a2V5PT0=",
    )
    assert "a2V5PT0=" not in repr(found)


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("https://a.example", "takes URL=KIND:VALUE; the kinds are"),
        ("https://a.example=magic:x", "takes URL=KIND:VALUE; the kinds are"),
        ("https://a.example=https:user", "https: takes USER:KEY"),
        ("https://a.example=service-principal:c:t", "service-principal: takes CLIENT_ID"),
        ("https://a.example=ca:", "ca: takes PATH of the CA certificate"),
    ],
)
def test_a_wrong_option_says_what_it_takes(argument: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_access([argument])
