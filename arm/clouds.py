"""The clouds in which Azure Resource Manager (ARM) lives, and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Cloud:
    """The addresses of one Azure cloud.

    ``arm_endpoint`` is an origin without a trailing slash. ``authority`` is the origin of Entra ID
    (or of a stand-in). ``arm_scope`` is what a token for ARM is asked for. ``sdk_name`` is the name
    in ``azure.core.AzureClouds``, empty for a custom cloud. Source of the addresses: each cloud's
    own documentation; the scope of US Government differs from its endpoint on purpose.
    """

    name: str
    arm_endpoint: str
    arm_scope: str
    authority: str
    portal: str
    data_plane_suffix: str
    image_registry: str
    sdk_name: str = ""

    @property
    def is_custom(self) -> bool:
        """A cloud that Microsoft's directory of authorities does not know."""
        return not self.sdk_name

    @property
    def arm_host(self) -> str:
        """Host (and port, where one is given) of ``arm_endpoint``."""
        return urlsplit(self.arm_endpoint).netloc

    def data_plane_host(self, region: str) -> str:
        """The host that a cluster's agent must reach in ``region``."""
        return f"{region}.{self.data_plane_suffix}"


PUBLIC = Cloud(
    name="public",
    arm_endpoint="https://management.azure.com",
    arm_scope="https://management.azure.com/.default",
    authority="https://login.microsoftonline.com",
    portal="https://portal.azure.com",
    data_plane_suffix="dp.kubernetesconfiguration.azure.com",
    image_registry="mcr.microsoft.com",
    sdk_name="AZURE_PUBLIC_CLOUD",
)
CHINA = Cloud(
    name="china",
    arm_endpoint="https://management.chinacloudapi.cn",
    arm_scope="https://management.chinacloudapi.cn/.default",
    authority="https://login.chinacloudapi.cn",
    portal="https://portal.azure.cn",
    data_plane_suffix="dp.kubernetesconfiguration.azure.cn",
    image_registry="mcr.azk8s.cn",
    sdk_name="AZURE_CHINA_CLOUD",
)
US_GOVERNMENT = Cloud(
    name="us_government",
    arm_endpoint="https://management.usgovcloudapi.net",
    arm_scope="https://management.core.usgovcloudapi.net/.default",
    authority="https://login.microsoftonline.us",
    portal="https://portal.azure.us",
    data_plane_suffix="dp.kubernetesconfiguration.azure.us",
    image_registry="mcr.microsoft.com",
    sdk_name="AZURE_US_GOVERNMENT",
)
CLOUDS: dict[str, Cloud] = {cloud.name: cloud for cloud in (PUBLIC, CHINA, US_GOVERNMENT)}


def custom(
    *,
    arm_endpoint: str,
    authority: str,
    arm_scope: str = "",
    portal: str = "",
    data_plane_suffix: str = "",
    image_registry: str = PUBLIC.image_registry,
    name: str = "custom",
) -> Cloud:
    """A cloud of one's own: a private deployment, or a stand-in for tests and demonstrations.

    Both addresses must be plain https origins. Without ``arm_scope`` it is the ARM endpoint's
    ``/.default``. Raises ``ValueError`` with the reason otherwise.
    """
    endpoint = _origin(arm_endpoint)
    return Cloud(
        name=name,
        arm_endpoint=endpoint,
        arm_scope=arm_scope or f"{endpoint}/.default",
        authority=_origin(authority),
        portal=_origin(portal) if portal else "",
        data_plane_suffix=data_plane_suffix,
        image_registry=image_registry,
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError(f"{url!r} is not an https address")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("an endpoint holds no user name, query or fragment")
    if parts.path not in ("", "/"):
        raise ValueError(f"{url!r} has a path; give the origin alone")
    _ = parts.port  # raises ValueError where the port is no number
    return f"https://{parts.netloc.lower()}"
