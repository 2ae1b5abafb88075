"""Specifications of every kind, with texts that quoting gets wrong."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from configurations.faces import Place

NASTY = [
    "${x}", "$${x}", "$$${x}", "%{if true}", "%%{x}", "a$", "{", "'", "it's", '"', "\\", "\\${x}",
    "\n", "a\nb: c", "\t", "#", " # x", "[x]", "[[x]]", "[parameters('x')]", "- a", "-x", "--help",
    "1e3", "0x1F", "0o17", "1_000", "12:30:45", "2024-01-01", "true", "No", "null", "~", ".5",
    ".inf", "é", "日本", "\u2028", "\x85", "\ufeff", "🙂", "$(id)", "`id`", "$HOME", " a ", "a b",
    "&x", "*x", "!x", "{{x}}", "%s", "a: b", "a:", "?", "|", ">", "JSON", "\x1b[0m", "\x7f",
]  # fmt: skip

texts = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1),
    st.lists(st.sampled_from(NASTY), min_size=2, max_size=3).map("".join),
)
words = st.from_regex(r"[a-z][a-z0-9.-]{0,20}[a-z0-9]", fullmatch=True)
seconds = st.integers(1, 100_000)
flags = st.booleans()


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


_times = {"syncIntervalInSeconds": seconds, "timeoutInSeconds": seconds}
_post_build = some(
    substitute=st.dictionaries(texts, texts, min_size=1, max_size=2),
    substituteFrom=st.lists(
        st.fixed_dictionaries(
            {"kind": st.sampled_from(["ConfigMap", "Secret"]), "name": words},
            optional={"optional": flags},
        ),
        min_size=1,
        max_size=2,
    ),
)
_kustomizations = st.dictionaries(
    words,
    some(
        path=texts,
        dependsOn=st.lists(words, min_size=1, max_size=3, unique=True),
        retryIntervalInSeconds=seconds,
        prune=flags,
        force=flags,
        wait=flags,
        postBuild=_post_build,
        **_times,
    ),
    min_size=1,
    max_size=3,
)
_git = st.fixed_dictionaries(
    {"url": texts},
    optional={
        "repositoryRef": st.tuples(
            st.sampled_from(["branch", "tag", "semver", "commit"]), texts
        ).map(lambda pair: dict([pair])),
        "httpsUser": texts,
        "httpsCACert": texts,
        "sshKnownHosts": texts,
        "localAuthRef": words,
        "provider": st.sampled_from(["Azure", "Generic"]),
        **_times,
    },
)
_bucket = st.fixed_dictionaries(
    {"url": texts, "bucketName": texts},
    optional={"insecure": flags, "accessKey": texts, "localAuthRef": words, **_times},
)
_blob = st.fixed_dictionaries(
    {"url": texts, "containerName": texts},
    optional={
        "localAuthRef": words,
        "managedIdentity": st.fixed_dictionaries({"clientId": texts}),
        "servicePrincipal": st.fixed_dictionaries(
            {"clientId": texts, "tenantId": texts},
            optional={
                "clientSecret": st.just("S3CRET-sp"),
                "clientCertificate": st.just("S3CRET-cert"),
                "clientCertificatePassword": st.just("S3CRET-pass"),
                "clientCertificateSendChain": st.just(True),
            },
        ),
        "accountKey": st.just("S3CRET-account"),
        "sasToken": st.just("S3CRET-sas"),
        **_times,
    },
)
_oci = st.fixed_dictionaries(
    {"url": texts},
    optional={
        "repositoryRef": some(tag=texts, semver=texts, digest=texts),
        "layerSelector": some(mediaType=texts, operation=st.sampled_from(["extract", "copy"])),
        "verify": some(
            provider=st.sampled_from(["cosign", "notation"]),
            verificationConfig=st.dictionaries(words, texts, min_size=1, max_size=2),
            matchOidcIdentity=st.lists(
                st.fixed_dictionaries({"issuer": texts, "subject": texts}), min_size=1, max_size=2
            ),
        ),
        "insecure": flags,
        "useWorkloadIdentity": flags,
        "serviceAccountName": words,
        "tlsConfig": some(
            clientCertificate=st.just("S3CRET-cert"),
            privateKey=st.just("S3CRET-key"),
            caCertificate=st.just("S3CRET-ca"),
        ),
        "localAuthRef": words,
        **_times,
    },
)
SOURCES = {
    "GitRepository": ("gitRepository", _git),
    "Bucket": ("bucket", _bucket),
    "AzureBlob": ("azureBlob", _blob),
    "OCIRepository": ("ociRepository", _oci),
}
_SETTINGS = {
    "GitRepository": some(httpsKey=st.just("S3CRET-https"), sshPrivateKey=st.just("S3CRET-ssh")),
    "Bucket": some(bucketSecretKey=st.just({"$secret": "S3CRET-7"})),
    "AzureBlob": st.just({}),
    "OCIRepository": st.just({}),
}


@st.composite
def specifications(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(SOURCES)) -> dict[str, Any]:
    """ARM's JSON of a specification of one of these kinds; its secrets hold "S3CRET"."""
    kind = draw(st.sampled_from(kinds))
    body, source = SOURCES[kind]
    wire: dict[str, Any] = {
        **draw(some(scope=st.sampled_from(["cluster", "namespace"]), suspend=flags)),
        **draw(some(namespace=words)),
        "sourceKind": kind,
        body: draw(source),
        "kustomizations": draw(_kustomizations),
        **draw(some(waitForReconciliation=flags, reconciliationWaitDuration=st.just("PT5M"))),
    }
    settings = draw(_SETTINGS[kind])
    if settings:
        wire["configurationProtectedSettings"] = settings
    return wire


def place(kind: str = "connectedClusters", name: str = "cluster-config") -> Place:
    provider = {
        "connectedClusters": "Microsoft.Kubernetes",
        "managedClusters": "Microsoft.ContainerService",
        "provisionedClusters": "Microsoft.HybridContainerService",
    }[kind]
    return Place(
        cluster_id=(
            "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/flux-demo-rg"
            f"/providers/{provider}/{kind}/flux-demo-arc"
        ),
        cluster_kind=kind,
        resource_group="flux-demo-rg",
        cluster_name="flux-demo-arc",
        configuration_name=name,
    )


TUTORIAL: dict[str, Any] = {
    "scope": "cluster",
    "namespace": "cluster-config",
    "sourceKind": "GitRepository",
    "gitRepository": {
        "url": "https://github.com/Azure/gitops-flux2-kustomize-helm-mt",
        "repositoryRef": {"branch": "main"},
    },
    "kustomizations": {
        "infra": {"path": "./infrastructure", "prune": True},
        "apps": {"path": "./apps/staging", "prune": True, "dependsOn": ["infra"]},
    },
}
