"""The writable fields of a fluxConfiguration, api-version 2025-04-01, as pydantic models.

Field names are snake_case, wire names ARM's. What ARM sends and we do not model is kept at every
level, and only what was set is written back, so that reading and writing loses nothing.
Values are typed, not judged: configurations.specification.rules says what may be proposed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr
from pydantic.alias_generators import to_camel

Text = StrictStr | None
Seconds = StrictInt | None
Flag = StrictBool | None

DEFAULT_SECONDS = 600
SOURCE_BODIES = {
    "GitRepository": "gitRepository",
    "Bucket": "bucket",
    "AzureBlob": "azureBlob",
    "OCIRepository": "ociRepository",
}
"""Source kind -> the property that holds it."""


class Part(BaseModel):
    """A piece of the resource; unknown fields stay with it."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)

    def to_plain(self) -> dict[str, Any]:
        """What was set and is not null, by wire name."""
        return self.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)


class RepositoryRef(Part):
    branch: Text = None
    tag: Text = None
    semver: Text = None
    commit: Text = None


class TimedSource(Part):
    """What every kind of source has. Times in seconds."""

    url: Text = None
    timeout_in_seconds: Seconds = None
    sync_interval_in_seconds: Seconds = None
    local_auth_ref: Text = None


class GitRepository(TimedSource):
    repository_ref: RepositoryRef | None = None
    ssh_known_hosts: Text = None  # base64
    https_user: Text = None
    https_ca_cert: Annotated[Text, Field(alias="httpsCACert")] = None  # base64
    provider: Text = None  # Azure, GitHub, Generic; not in 2023-05-01


class Bucket(TimedSource):
    bucket_name: Text = None
    insecure: Flag = None
    access_key: Text = None


class ServicePrincipal(Part):
    client_id: Text = None
    tenant_id: Text = None
    client_secret: Any = None
    client_certificate: Any = None
    client_certificate_password: Any = None
    client_certificate_send_chain: Flag = None


class ManagedIdentity(Part):
    client_id: Text = None


class AzureBlob(TimedSource):
    container_name: Text = None
    service_principal: ServicePrincipal | None = None
    account_key: Any = None
    sas_token: Any = None
    managed_identity: ManagedIdentity | None = None


class OciRepositoryRef(Part):
    tag: Text = None
    semver: Text = None
    digest: Text = None


class LayerSelector(Part):
    media_type: Text = None
    operation: Text = None  # extract, copy


class MatchOidcIdentity(Part):
    issuer: Text = None
    subject: Text = None


class Verify(Part):
    provider: Text = None
    verification_config: dict[str, Any] | None = None
    match_oidc_identity: list[MatchOidcIdentity] | None = None


class TlsConfig(Part):
    client_certificate: Any = None
    private_key: Any = None
    ca_certificate: Any = None


class OciRepository(TimedSource):
    repository_ref: OciRepositoryRef | None = None
    layer_selector: LayerSelector | None = None
    verify: Verify | None = None
    insecure: Flag = None
    use_workload_identity: Flag = None
    service_account_name: Text = None
    tls_config: TlsConfig | None = None


class SubstituteFrom(Part):
    kind: Text = None  # ConfigMap, Secret
    name: Text = None
    optional: Flag = None


class PostBuild(Part):
    substitute: dict[str, Any] | None = None
    substitute_from: list[SubstituteFrom] | None = None


class Kustomization(Part):
    """One entry of `kustomizations`; its name is the key. Times in seconds."""

    path: Text = None
    depends_on: list[StrictStr] | None = None
    timeout_in_seconds: Seconds = None
    sync_interval_in_seconds: Seconds = None
    retry_interval_in_seconds: Seconds = None
    prune: Flag = None
    force: Flag = None
    wait: Flag = None
    post_build: PostBuild | None = None


class Specification(Part):
    """The writable part of `properties`. Read it with `from_wire`; None and unset differ."""

    scope: Text = None
    namespace: Text = None
    source_kind: Text = None
    suspend: Flag = None
    git_repository: GitRepository | None = None
    bucket: Bucket | None = None
    azure_blob: AzureBlob | None = None
    oci_repository: OciRepository | None = None
    kustomizations: dict[str, Kustomization | None] | None = None
    # Values are base64 texts, or {"$secret": "<version id>"} in the body of a change.
    configuration_protected_settings: dict[str, Any] | None = None
    wait_for_reconciliation: Flag = None
    reconciliation_wait_duration: Text = None  # ISO 8601

    @classmethod
    def from_wire(cls, properties: Mapping[str, Any]) -> Self:
        """Read ARM's JSON; pydantic.ValidationError where a value has another type than ARM's."""
        return cls.model_validate(dict(properties))

    def to_wire(self) -> dict[str, Any]:
        """ARM's JSON: what was set, nulls and unknown fields included, nothing added."""
        return self.model_dump(by_alias=True, exclude_unset=True)

    @property
    def kind(self) -> str:
        """The source kind, ARM's default filled in."""
        return self.source_kind or "GitRepository"

    @property
    def source(self) -> TimedSource | None:
        """The body of the source that `kind` names; None where it is missing."""
        bodies: dict[str, TimedSource | None] = {
            "GitRepository": self.git_repository,
            "Bucket": self.bucket,
            "AzureBlob": self.azure_blob,
            "OCIRepository": self.oci_repository,
        }
        return bodies.get(self.kind)

    @property
    def dependencies(self) -> dict[str, list[str]]:
        """Kustomization -> what it depends on, in the order of the body."""
        entries = (self.kustomizations or {}).items()
        return {name: list(it.depends_on or []) for name, it in entries if it is not None}
