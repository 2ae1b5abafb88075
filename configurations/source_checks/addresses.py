"""Which URLs may be asked, and the one address to which the host's name is pinned.

A name is resolved once, here; Git gets the answer with the name (`http.curloptResolve`) and asks
nobody again, so that a name which changes its answer between check and use changes nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from configurations.source_checks.problems import CheckRefused

# Public by number, but Azure answers there to every virtual machine (its wire server).
AZURE_HOST = ipaddress.ip_address("168.63.129.16")
# Networks that carry an IPv4 address in their last 32 bits.
NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ODD = re.compile(r"[\x00-\x20\x7f\\]|[^\x00-\x7f]")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Place:
    """Where Git fetches from. `pins`: HOST:PORT:ADDRESS as curl takes them; none for a folder."""

    url: str
    protocol: str  # the only one that Git may speak: https or file
    pins: tuple[str, ...] = ()


def place_of(url: str) -> Place:
    """NETWORK (the resolver): where this URL leads. Raises CheckRefused."""
    local = local_folder(url)
    if local is not None:
        return Place(url=f"file://{local}", protocol="file")
    host, port = host_of(url)
    found = resolved(host, port)
    listed = ",".join(str(it) if it.version == 4 else f"[{it}]" for it in found)
    return Place(url=url, protocol="https", pins=(f"{host}:{port}:{listed}",))


def local_folder(url: str) -> Path | None:
    """The folder that stands for this URL where the simulator's repositories are on this machine
    (FLUXGATE_SOURCE_CHECK_LOCAL)."""
    path = settings.SOURCE_CHECKS["local"].get(normalised(url))
    return Path(path) if path else None


def normalised(url: str) -> str:
    """A trailing `/` or `.git` and the case make no difference, as for the simulator."""
    return url.strip().rstrip("/").removesuffix(".git").lower()


def host_of(url: str) -> tuple[str, int]:
    """Host and port of a URL that may be asked; asks nobody. Raises CheckRefused."""
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        raise CheckRefused("url", _("The URL cannot be read.")) from None
    if parts.scheme != "https":
        raise CheckRefused(
            "protocol",
            _("Only public https:// sources are checked: the check holds no key for others."),
        )
    if parts.username is not None or parts.password is not None:
        raise CheckRefused("url", _("A URL with a user or password in it is not asked."))
    host = (parts.hostname or "").rstrip(".")
    if not host or _ODD.search(url) or parts.query or parts.fragment:
        raise CheckRefused("url", _("The URL cannot be read."))
    if not _listed(host, port, settings.SOURCE_CHECKS["hosts"]):
        raise CheckRefused(
            "host",
            _("%(host)s is not among the hosts that the portal may ask. An operator can add it.")
            % {"host": host if port == 443 else f"{host}:{port}"},
        )
    return host, port


def _listed(host: str, port: int, entries: list[str]) -> bool:
    """An entry without a port means 443."""
    wanted = {f"{host}:{port}", *({host} if port == 443 else ())}
    return any(entry.strip().lower() in wanted for entry in entries)


def resolved(host: str, port: int) -> list[Address]:
    """Every address of the host. Raises CheckRefused when one of them is not public."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CheckRefused(
            "unreachable", _("The host's name is not known."), f"{host}: no such host ({error})"
        ) from None
    found = list(
        dict.fromkeys(ipaddress.ip_address(str(it[4][0]).partition("%")[0]) for it in answers)
    )
    inner = _listed(host, port, settings.SOURCE_CHECKS["private_hosts"])
    if not found or (not inner and not all(is_public(it) for it in found)):
        raise CheckRefused(
            "private_address",
            _("%(host)s leads to an address inside a network. The portal does not go there.")
            % {"host": host},
        )
    return found


def is_public(address: Address) -> bool:
    """Whether this is an address of the Internet, and not one of a network, machine or cloud."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and address != AZURE_HOST
    )
