"""The files of sources on disk, shared by every cluster that uses the same workspace.

`git/` holds one bare mirror a repository, `artifacts/` one directory a commit and set of ignore
rules. Both are caches: they can be removed while the simulator is stopped.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What source-controller leaves out of every artifact (flux-behaviour section 3.7).
_BUILT_IN_IGNORE = """
.git/
.gitignore
.gitmodules
.gitattributes
*.jpg
*.jpeg
*.gif
*.png
*.wmv
*.flv
*.tar.gz
*.zip
.github/
.circleci/
.travis.yml
.gitlab-ci.yml
appveyor.yml
.drone.yml
cloudbuild.yaml
codeship-services.yml
codeship-steps.yml
**/.goreleaser.yml
**/.sops.yaml
**/.flux.yaml
"""
_GIT_SECONDS = 60.0
_CACHED_BUILDS = 512


class Workspace:
    """A directory of mirrors and artifacts with a lock for each, and a cache of builds."""

    _known: dict[Path, Workspace] = {}
    _guard = threading.Lock()

    def __init__(self, root: Path) -> None:
        self.root = root
        self._locks: dict[Path, threading.RLock] = {}
        self._builds: OrderedDict[Any, Any] = OrderedDict()
        for name in ("git", "artifacts", "tmp"):
            (root / name).mkdir(parents=True, exist_ok=True)

    @classmethod
    def at(cls, root: Path) -> Workspace:
        """Return the one workspace of a directory in this process."""
        root = root.resolve()
        with cls._guard:
            if root not in cls._known or not root.is_dir():
                cls._known[root] = cls(root)
            return cls._known[root]

    def lock(self, path: Path) -> threading.RLock:
        with self._guard:
            return self._locks.setdefault(path, threading.RLock())

    def cached(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what was made for a key, or make it; the least used of many is forgotten."""
        with self._guard:
            if key in self._builds:
                self._builds.move_to_end(key)
                return self._builds[key]
        value = make()
        with self._guard:
            self._builds[key] = value
            while len(self._builds) > _CACHED_BUILDS:
                self._builds.popitem(last=False)
        return value

    def temporary(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(dir=self.root / "tmp")

    def mirror(self, url: str) -> Path:
        """Return the bare repository for a URL, made when it is not there."""
        path = self.root / "git" / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.git"
        with self.lock(path):
            if not (path / "HEAD").exists():
                self._git("init", "--quiet", "--bare", "--", str(path))
        return path

    def has_commit(self, mirror: Path, commit: str) -> bool:
        line = ["git", "--git-dir", str(mirror), "cat-file", "-e", f"{commit}^{{commit}}"]
        done = subprocess.run(
            line, capture_output=True, timeout=_GIT_SECONDS, check=False, env=_environment()
        )
        return done.returncode == 0

    def subject(self, mirror: Path, commit: str) -> str:
        where = ["--git-dir", str(mirror)]
        return self._git(*where, "log", "-1", "--format=%s", commit, "--").strip()

    def export_commit(self, mirror: Path, commit: str, ignore: str) -> Path:
        """Write the files of a commit once, without links and ignored files."""
        rules = hashlib.sha256(ignore.encode()).hexdigest()[:8] if ignore else "plain"
        path = self.root / "artifacts" / f"{commit}-{rules}"
        with self.lock(path):
            if not path.is_dir():
                with self.temporary() as folder:
                    tree = Path(folder, "tree")
                    tree.mkdir()
                    self._checkout(mirror, commit, Path(folder, "index"), tree)
                    remove_ignored(tree, ignore)
                    tree.rename(path)
        return path

    def store_folder(self, source: Path, ignore: str) -> tuple[str, Path]:
        """Copy the files of a folder; return the digest of their names and content, and where."""
        with self.temporary() as folder:
            tree = Path(folder, "tree")
            shutil.copytree(source, tree, symlinks=True, ignore=shutil.ignore_patterns(".git"))
            remove_ignored(tree, ignore)
            digest = digest_of_files(tree)
            path = self.root / "artifacts" / digest
            with self.lock(path):
                if not path.is_dir():
                    tree.rename(path)
        return digest, path

    def _checkout(self, mirror: Path, commit: str, index: Path, tree: Path) -> None:
        environment = _environment() | {"GIT_INDEX_FILE": str(index)}
        where = ["--git-dir", str(mirror), "--work-tree", str(tree)]
        self._git(*where, "read-tree", commit, environment=environment)
        self._git(*where, "checkout-index", "--all", f"--prefix={tree}/", environment=environment)

    def _git(self, *words: str, environment: dict[str, str] | None = None) -> str:
        return _git(*words, environment=environment)


def remove_ignored(tree: Path, ignore: str) -> None:
    """Remove what an artifact does not carry: links and ignored files.

    Git itself judges the patterns. Its order is that of Flux: the built-in ones are weakest,
    then each `.sourceignore`, then the rules of the source object.
    """
    links = [path for path in tree.rglob("*") if path.is_symlink()]
    for link in links:
        link.unlink()
    with tempfile.TemporaryDirectory() as folder:
        built_in = Path(folder, "ignore")
        built_in.write_text(_BUILT_IN_IGNORE, encoding="utf-8")
        bare = Path(folder, "empty.git")
        _git("init", "--quiet", "--bare", "--", str(bare))
        rules = [
            f"--exclude={line}"
            for line in ignore.splitlines()
            if line.strip() and not line.startswith("#")
        ]
        listed = _git(
            *("--git-dir", str(bare), "--work-tree", str(tree), "-c", "core.bare=false"),
            *("-C", str(tree), "ls-files", "--others", "--ignored", "-z", *rules),
            *("--exclude-per-directory=.sourceignore", f"--exclude-from={built_in}"),
        )
    for name in filter(None, listed.split("\0")):
        (tree / name).unlink(missing_ok=True)
    for folder_path in sorted((path for path in tree.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder_path.iterdir()):
            folder_path.rmdir()


def digest_of_files(tree: Path) -> str:
    """Return a SHA-256 over the names and the content of all files."""
    total = hashlib.sha256()
    for path in sorted(path for path in tree.rglob("*") if path.is_file()):
        total.update(str(path.relative_to(tree)).encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


def _git(*words: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        ["git", *words],
        capture_output=True,
        text=True,
        timeout=_GIT_SECONDS,
        check=True,
        env=environment or _environment(),
    )
    return done.stdout
