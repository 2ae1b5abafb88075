"""Where the content of a source is really found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

TUTORIAL_URL = "https://github.com/Azure/gitops-flux2-kustomize-helm-mt"


class SourceMap:
    """Maps repository URLs that cannot be reached from here to local repositories.

    A trailing ``/``, a trailing ``.git`` and the case of the URL make no difference.
    """

    def __init__(self, mapping: Mapping[str, Path] | None = None) -> None:
        self._paths: dict[str, Path] = {}
        for url, path in (mapping or {}).items():
            self.add(url, path)

    def add(self, url: str, path: Path) -> None:
        self._paths[_normalised(url)] = path

    def resolve(self, url: str) -> str:
        """Return a local path for a mapped URL, otherwise the URL itself."""
        path = self._paths.get(_normalised(url))
        return str(path) if path is not None else url


def parse_repositories(arguments: Iterable[str]) -> dict[str, Path]:
    """Read ``URL=PATH`` arguments. The last ``=`` divides, since a URL may hold one itself.

    Raises ``ValueError`` for an argument without ``=`` or a path that does not exist.
    """
    repositories = {}
    for argument in arguments:
        url, separator, path = argument.rpartition("=")
        if not separator or not url:
            raise ValueError(f"--repo takes URL=PATH, not {argument!r}")
        local = Path(path).expanduser().resolve()
        if not local.exists():
            raise ValueError(f"--repo {url}: {local} does not exist")
        repositories[url] = local
    return repositories


def _normalised(url: str) -> str:
    return url.strip().rstrip("/").removesuffix(".git").lower()
