"""The simulator's own certificate authority: made at the first start and kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """Files in PEM form. ``server`` holds the private key and the chain."""

    authority: Path
    server: Path


def load_certificates(data_directory: Path) -> Certificates:
    certificates = Certificates(data_directory / "ca.pem", data_directory / "server.pem")
    if certificates.authority.exists() and certificates.server.exists():
        return certificates
    authority = trustme.CA(organization_name="Fluxgate simulator")
    server = authority.issue_cert("localhost", "127.0.0.1", "::1", common_name="localhost")
    descriptor = os.open(certificates.server, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(server.private_key_and_cert_chain_pem.bytes())
    authority.cert_pem.write_to_path(str(certificates.authority))
    return certificates
