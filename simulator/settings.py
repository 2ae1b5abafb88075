"""Who and what this simulation is: names and secrets made at the first start, then kept."""

from __future__ import annotations

import json
import os
import secrets
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

TENANT_DOMAIN = "fluxgate.example"


@dataclass(frozen=True)
class Person:
    object_id: str
    name: str
    user_name: str
    role: str

    @property
    def given_name(self) -> str:
        return self.name.split()[0]


@dataclass(frozen=True)
class Application:
    client_id: str
    object_id: str
    name: str
    secret: str


@dataclass(frozen=True)
class Identity:
    """The tenant: its applications, people and signing key (PEM)."""

    tenant_id: str
    applications: tuple[Application, ...]
    people: tuple[Person, ...]
    signing_key: str
    cluster_key: str

    @property
    def portal(self) -> Application:
        """The application that Fluxgate signs in to Azure with."""
        return self.applications[0]

    @property
    def sign_in(self) -> Application:
        """The application through which people sign in to Fluxgate."""
        return self.applications[1]

    def application(self, client_id: str) -> Application | None:
        return next((a for a in self.applications if a.client_id == client_id.lower()), None)

    def person(self, user_name: str) -> Person | None:
        """Find a person by user name, by the part before its ``@``, by name or object id."""
        wanted = user_name.lower()
        for person in self.people:
            short = person.user_name.partition("@")[0]
            if wanted in (person.user_name, short, person.name.lower(), person.object_id):
                return person
        return None


_PEOPLE = (
    ("Ada Lovelace", "Contributor"),
    ("Grace Hopper", "Contributor"),
    ("Alan Turing", "Reader"),
    ("Katherine Johnson", "Reader"),
    ("Linus Admin", "Owner"),
)


def load_identity(data_directory: Path) -> Identity:
    """Read the tenant of a data directory, or make one there. Nobody else may read the file."""
    path = data_directory / "identity.json"
    if path.exists():
        content = json.loads(path.read_text())
        return Identity(
            tenant_id=content["tenant_id"],
            applications=tuple(Application(**a) for a in content["applications"]),
            people=tuple(Person(**p) for p in content["people"]),
            signing_key=content["signing_key"],
            cluster_key=content["cluster_key"],
        )
    identity = _new_identity()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(identity), file, indent=1)
    return identity


def _new_identity() -> Identity:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Identity(
        tenant_id=str(uuid.uuid4()),
        applications=tuple(
            Application(str(uuid.uuid4()), str(uuid.uuid4()), name, secrets.token_urlsafe(30))
            for name in ("fluxgate", "fluxgate-sign-in", "pipeline")
        ),
        people=tuple(
            Person(str(uuid.uuid4()), name, f"{name.split()[0].lower()}@{TENANT_DOMAIN}", role)
            for name, role in _PEOPLE
        ),
        signing_key=pem.decode(),
        cluster_key=secrets.token_hex(32),
    )
