"""Where the content of a source is really found, and what it asks of those who come for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

TUTORIAL_URL = "https://github.com/Azure/gitops-flux2-kustomize-helm-mt"

# What `--repo-auth URL=KIND:VALUE` takes. Several for one URL: any of those that sign in is good
# enough; `ca`, `hostkey`, `algorithms` and `http` are asked for besides.
ACCESS_KINDS = {
    "https": "USER:KEY, user name and password or token (Git over HTTPS, OCI, Helm)",
    "ssh": "PATH or TEXT of a private or public SSH key; nothing: only keys added as deploy key",
    "github": "APP_ID:INSTALLATION_ID of a GitHub App (provider GitHub)",
    "azure": "CLIENT_ID of the identity that workload identity must give (provider Azure)",
    "bucket": "ACCESS_KEY:SECRET_KEY",
    "account-key": "KEY of a storage account",
    "sas": "TOKEN, a shared access signature",
    "service-principal": "CLIENT_ID:TENANT_ID:SECRET, or the PATH of a PEM certificate for SECRET",
    "managed-identity": "CLIENT_ID of an identity of the cluster that may read the container",
    "ca": "PATH of the CA certificate (PEM) that signed the server's",
    "hostkey": "TYPE BASE64, the server's SSH host key",
    "algorithms": "A,B, the SSH host key algorithms that the server takes",
    "http": "nothing; the server speaks plain HTTP alone (Bucket, OCI: insecure)",
    "signed": "PROVIDER, cosign or notation: the artifact is signed (OCI)",
    "answer": "401, 403, 404, 5XX, refused or timeout: what the server says to everybody (Git)",
    "layer": "MEDIA_TYPE of the artifact's layer (OCI)",
}
_EXPECTATION = re.compile(rf"(?P<url>.+?)=(?P<kind>{'|'.join(ACCESS_KINDS)}):(?P<value>.*)", re.S)
_PARTS = {"https": 2, "github": 2, "bucket": 2, "service-principal": 3}
_NEEDS_VALUE = ACCESS_KINDS.keys() - {"ssh", "http"}


@dataclass(frozen=True, slots=True)
class Access:
    """One thing that a source asks for: a kind of ACCESS_KINDS and its value."""

    kind: str
    value: str = field(default="", repr=False)

    @property
    def parts(self) -> list[str]:
        """The value taken apart at its colons, the last part with all that is left."""
        return self.value.split(":", _PARTS.get(self.kind, 1) - 1)


def access(kind: str, value: str = "") -> Access:
    """Check and make an Access. Raises ValueError that says what the kind takes."""
    if kind not in ACCESS_KINDS:
        raise ValueError(f"no kind {kind!r}; there are {', '.join(ACCESS_KINDS)}")
    found = Access(kind, _from_file(kind, value))
    given = [part for part in found.parts if part]
    if len(given) < (_PARTS.get(kind, 1) if kind in _NEEDS_VALUE else 0):
        raise ValueError(f"{kind}: takes {ACCESS_KINDS[kind]}")
    return found


class SourceMap:
    """Maps URLs that cannot be reached from here to local folders, with who may read them.

    A trailing ``/``, a trailing ``.git`` and the case of the URL make no difference; a bucket or
    container is its endpoint with its name behind a ``/``, an OCI artifact may have its tag.
    """

    def __init__(self, mapping: Mapping[str, Path] | None = None) -> None:
        self._paths: dict[str, Path] = {}
        self._access: dict[str, list[Access]] = {}
        for url, path in (mapping or {}).items():
            self.add(url, path)

    def add(self, url: str, path: Path) -> None:
        self._paths[_normalised(url)] = path

    def resolve(self, url: str) -> str:
        """Return a local path for a mapped URL, otherwise the URL itself."""
        path = self._paths.get(_normalised(url))
        return str(path) if path is not None else url

    def tags(self, url: str) -> dict[str, Path]:
        """Return folder by tag of an OCI repository that is mapped with tags."""
        start = f"{_normalised(url)}:"
        return {
            known.removeprefix(start): path
            for known, path in self._paths.items()
            if known.startswith(start) and "/" not in known.removeprefix(start)
        }

    def expect(self, url: str, wanted: Access) -> None:
        """Have a source ask for something from now on."""
        self._access.setdefault(_normalised(url), []).append(wanted)

    def open_to_all(self, url: str) -> None:
        """Have a source ask for nothing."""
        self._access.pop(_normalised(url), None)

    def access(self, url: str) -> tuple[Access, ...]:
        """Return what a source asks for; nothing for a public one."""
        return tuple(self._access.get(_normalised(url), ()))


def parse_repositories(arguments: Iterable[str]) -> dict[str, Path]:
    """Read ``URL=PATH`` arguments. The last ``=`` divides, since a URL may hold one itself.

    Raises ``ValueError`` for an argument without ``=`` or a path that does not exist.
    """
    repositories = {}
    for argument in arguments:
        url, separator, path = argument.rpartition("=")
        if not separator or not url:
            raise ValueError(
                f"--repo takes URL=PATH, not {argument!r}. Also ENDPOINT/BUCKET=PATH, "
                "ENDPOINT/CONTAINER=PATH, oci://HOST/REPOSITORY[:TAG]=PATH, and CHARTS_URL=PATH"
            )
        local = Path(path).expanduser().resolve()
        if not local.exists():
            raise ValueError(f"--repo {url}: {local} does not exist")
        repositories[url] = local
    return repositories


def parse_access(arguments: Iterable[str]) -> list[tuple[str, Access]]:
    """Read ``URL=KIND:VALUE`` arguments. Raises ``ValueError`` that says what they take."""
    found = []
    for argument in arguments:
        match = _EXPECTATION.fullmatch(argument)
        if match is None:
            # What was typed may hold a secret: only the part before its first "=" is repeated.
            url = argument.partition("=")[0]
            kinds = "".join(f"\n  {kind}: {text}" for kind, text in ACCESS_KINDS.items())
            raise ValueError(f"--repo-auth {url}: takes URL=KIND:VALUE; the kinds are{kinds}")
        try:
            found.append((match["url"], access(match["kind"], match["value"])))
        except ValueError as error:
            raise ValueError(f"--repo-auth {match['url']}: {error}") from None
    return found


def _from_file(kind: str, value: str) -> str:
    """Take what a path leads to where a kind may be given as a file."""
    if kind == "service-principal":
        *names, last = value.split(":", 2)
        return ":".join([*names, _content(last)])
    return _content(value) if kind in ("ssh", "ca") else value


def _content(value: str) -> str:
    if not value or "\n" in value or len(value) > 1000 or " " in value:
        return value
    path = Path(value).expanduser()
    return path.read_text(encoding="utf-8") if path.is_file() else value


def _normalised(url: str) -> str:
    return url.strip().rstrip("/").removesuffix(".git").lower()
