"""ARM resource ids: strict reading, canonical writing, and the pinning of URLs to one host.

ARM treats ids as case-insensitive and Resource Graph returns them in other cases than ARM does,
so ids compare and hash by their lower case form (``key``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from arm.errors import UnsafeUrl

_SUBSCRIPTION = r"(?P<subscription>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
_GROUP = r"(?P<group>[-\w.()]{0,89}[-\w()])"
_NAME = r"[a-z0-9](?:[a-z0-9._-]{0,126}[a-z0-9])?"
_SCOPE = rf"/subscriptions/{_SUBSCRIPTION}/resourceGroups/{_GROUP}"
_CLUSTER = rf"{_SCOPE}/providers/(?P<provider>[a-z.]+)/(?P<type>[a-z]+)/(?P<cluster>{_NAME})"
_CHILD = rf"{_CLUSTER}/providers/Microsoft\.KubernetesConfiguration/(?P<kind>[a-z]+)"
_FLAGS = re.IGNORECASE | re.ASCII

_CLUSTER_ID = re.compile(_CLUSTER, _FLAGS)
_CHILD_ID = re.compile(rf"{_CHILD}/(?P<name>{_NAME})", _FLAGS)
_IDENTITY_ID = re.compile(
    rf"{_SCOPE}/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/(?P<name>{_NAME})",
    _FLAGS,
)
_SEGMENT = re.compile(r"[-\w.()]{1,260}", _FLAGS)
_GROUP_ID = re.compile(_SCOPE, _FLAGS)
_SUBSCRIPTION_IN_PATH = re.compile(rf"/subscriptions/{_SUBSCRIPTION}(?:/|$)", _FLAGS)

CLUSTER_TYPES: dict[str, str] = {
    "managedClusters": "Microsoft.ContainerService",
    "connectedClusters": "Microsoft.Kubernetes",
    "provisionedClusters": "Microsoft.HybridContainerService",
}
"""Resource type of a cluster -> its provider namespace, in ARM's own spelling."""

_CANONICAL_TYPE = {name.lower(): name for name in CLUSTER_TYPES}


class InvalidId(ValueError):  # noqa: N818 - reads as what it is
    """The text is not an ARM id of the kind asked for."""


class _Id:
    """Case-insensitive comparison by the written form."""

    @property
    def key(self) -> str:
        """The lower case id: what to store and to compare by."""
        return str(self).lower()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True, eq=False)
class ResourceGroupId(_Id):
    """``/subscriptions/{guid}/resourceGroups/{name}``."""

    subscription_id: str
    name: str

    @classmethod
    def parse(cls, text: str) -> ResourceGroupId:
        match = _match(_GROUP_ID, text, "resource group")
        return cls(match["subscription"], match["group"])

    def __str__(self) -> str:
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.name}"


@dataclass(frozen=True, eq=False)
class ClusterId(_Id):
    """A cluster: AKS (``managedClusters``), Azure Arc (``connectedClusters``) or provisioned."""

    subscription_id: str
    resource_group: str
    cluster_type: str
    name: str

    @classmethod
    def parse(cls, text: str) -> ClusterId:
        """Read an id in any case; raises ``InvalidId`` for anything else, trailing parts too."""
        return cls._of(_match(_CLUSTER_ID, text, "cluster"))

    @classmethod
    def _of(cls, match: re.Match[str]) -> ClusterId:
        cluster_type = _CANONICAL_TYPE.get(match["type"].lower(), "")
        if CLUSTER_TYPES.get(cluster_type, "").lower() != match["provider"].lower():
            raise InvalidId("the id is not that of a kind of cluster that Flux runs on")
        return cls(match["subscription"], match["group"], cluster_type, match["cluster"])

    @property
    def provider(self) -> str:
        """The provider namespace, such as ``Microsoft.ContainerService``."""
        return CLUSTER_TYPES[self.cluster_type]

    @property
    def group_id(self) -> ResourceGroupId:
        return ResourceGroupId(self.subscription_id, self.resource_group)

    @property
    def path_arguments(self) -> tuple[str, str, str, str]:
        """The four leading arguments of every operation of the Kubernetes configuration clients."""
        return self.resource_group, self.provider, self.cluster_type, self.name

    def configuration(self, name: str) -> ConfigurationId:
        return ConfigurationId.parse(f"{self}{ConfigurationId.INFIX}{name}")

    def extension(self, name: str) -> ExtensionId:
        return ExtensionId.parse(f"{self}{ExtensionId.INFIX}{name}")

    def __str__(self) -> str:
        return f"{self.group_id}/providers/{self.provider}/{self.cluster_type}/{self.name}"


@dataclass(frozen=True, eq=False)
class _ClusterChild(_Id):
    cluster: ClusterId
    name: str

    INFIX = ""

    def __str__(self) -> str:
        return f"{self.cluster}{self.INFIX}{self.name}"


class ConfigurationId(_ClusterChild):
    """A ``fluxConfigurations`` resource on a cluster."""

    INFIX = "/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/"

    @classmethod
    def parse(cls, text: str) -> ConfigurationId:
        cluster, name = _child(text, "fluxConfigurations")
        return cls(cluster, name)


class ExtensionId(_ClusterChild):
    """An ``extensions`` resource on a cluster."""

    INFIX = "/providers/Microsoft.KubernetesConfiguration/extensions/"

    @classmethod
    def parse(cls, text: str) -> ExtensionId:
        cluster, name = _child(text, "extensions")
        return cls(cluster, name)


@dataclass(frozen=True, eq=False)
class IdentityId(_Id):
    """A user-assigned managed identity."""

    subscription_id: str
    resource_group: str
    name: str

    @classmethod
    def parse(cls, text: str) -> IdentityId:
        match = _match(_IDENTITY_ID, text, "user-assigned identity")
        return cls(match["subscription"], match["group"], match["name"])

    def __str__(self) -> str:
        group = ResourceGroupId(self.subscription_id, self.resource_group)
        return f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{self.name}"


def same(left: str, right: str) -> bool:
    """Whether two ids name one resource."""
    return left.rstrip("/").lower() == right.rstrip("/").lower()


def subscription_of(path: str) -> str:
    """The subscription id (lower case) in an ARM path or URL, or "" at tenant scope."""
    match = _SUBSCRIPTION_IN_PATH.search(path)
    return match["subscription"].lower() if match else ""


def scope_path(text: str) -> str:
    """A scope that is safe to put into a URL, with one leading slash; raises ``InvalidId``."""
    path = "/" + text.strip("/")
    parts = path.split("/")[1:]
    if not all(_SEGMENT.fullmatch(part) and part.strip(".") for part in parts):
        raise InvalidId("the text is not a scope")
    return path


def is_pinned(url: str, endpoint: str) -> bool:
    """Whether ``url`` is on the very scheme, host and port of ``endpoint``.

    Our bearer token goes wherever such a URL points to, and the URL came from an answer.
    """
    if not url.isascii() or any(char <= " " or char in '\\"<>^`{|}' for char in url):
        return False
    try:
        asked, allowed = urlsplit(url), urlsplit(endpoint)
        return (
            asked.scheme == allowed.scheme == "https"
            and asked.username is None
            and asked.password is None
            and bool(asked.hostname)
            and asked.hostname == allowed.hostname
            and (asked.port or 443) == (allowed.port or 443)
        )
    except ValueError:
        return False


def pin(url: str, endpoint: str) -> str:
    """Give ``url`` back when it is on ``endpoint``; raises ``UnsafeUrl`` otherwise."""
    if not is_pinned(url, endpoint):
        raise UnsafeUrl(url=url, endpoint=endpoint)
    return url


def _match(pattern: re.Pattern[str], text: str, what: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise InvalidId(f"the text is not the id of a {what}")
    return match


def _child(text: str, kind: str) -> tuple[ClusterId, str]:
    match = _match(_CHILD_ID, text, kind)
    if match["kind"].lower() != kind.lower():
        raise InvalidId(f"the id is not that of a resource of type {kind}")
    return ClusterId._of(match), match["name"]
