"""Fetch one revision of a public Git repository into a folder, with nothing of it being run.

No redirect is followed, no credential is asked for, no hook, filter, submodule or LFS object comes
along, and symbolic links are left out, as Flux leaves them out of its artifact. A reference is
always given by its full name behind `--`, so that none can be taken for an option.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from configurations.source_checks.addresses import Place
from configurations.source_checks.problems import CheckRefused
from configurations.source_checks.sandbox import MEGABYTE, Caps, Deadline, Ran, run, too_large
from configurations.source_checks.versions import best_tag

MOST_FILES = 20_000
_MEMORY = 1024 * MEGABYTE
_BAD_NAME = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^/|/$|\.$|\.lock(?:/|$)|(?:^|/)\.")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HERE = "refs/fluxgate/checked"


@dataclass(frozen=True)
class Checkout:
    """What was fetched: `root` has the files of `commit`, to which `reference` led."""

    root: Path
    commit: str
    reference: str
    links: int  # symbolic links that were left out
    submodules: int


def fetch(place: Place, reference: Mapping[str, Any], folder: Path, deadline: Deadline) -> Checkout:
    """NETWORK: the files at ARM's `repositoryRef`, without history. Raises CheckRefused."""
    git = Git(place, folder, deadline)
    git.run("init", "--quiet", "--template=", "--", str(git.root))
    name, shown = wanted(reference, git)
    git.run(
        "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules",
        "--no-auto-maintenance", "--", place.url, f"{name}:{_HERE}", in_root=True,
    )  # fmt: skip
    commit = git.run("rev-parse", "--verify", f"{_HERE}^{{commit}}", in_root=True).strip()
    links, submodules = _look_through(git, commit)
    git.run("checkout", "--quiet", "--detach", "--no-recurse-submodules", commit, in_root=True)
    for link in links:
        (git.root / link).unlink(missing_ok=True)
    shutil.rmtree(git.root / ".git")
    return Checkout(git.root, commit, shown, len(links), submodules)


def wanted(reference: Mapping[str, Any], git: Git) -> tuple[str, str]:
    """The full name to fetch and how people call it; Flux's precedence. Raises CheckRefused."""
    if commit := reference.get("commit"):
        if not _COMMIT.fullmatch(str(commit)):
            raise CheckRefused("reference", _("The commit is not a full SHA-1 of 40 digits."))
        return str(commit), str(commit)
    if semver := reference.get("semver"):
        tag = best_tag(str(semver), git.tags())
        return f"refs/tags/{tag}", tag
    kind, name = "heads", str(reference.get("branch") or "master")
    if reference.get("tag"):
        kind, name = "tags", str(reference["tag"])
    if not name or _BAD_NAME.search(name):
        raise CheckRefused("reference", _("Git knows no reference of this name."), name)
    return f"refs/{kind}/{name}", name


def _look_through(git: Git, commit: str) -> tuple[list[str], int]:
    """Symbolic links and the number of submodules; refuses what is too much before it is written.

    A packed file may be a thousand times bigger than it looks, so sizes are asked for first.
    """
    listing = git.run("ls-tree", "-r", "-l", "-z", commit, in_root=True)
    links, submodules, size, count = [], 0, 0, 0
    for line in filter(None, listing.split("\0")):
        about, _tab, path = line.partition("\t")
        mode, _kind, _id, length = about.split()
        size += int(length) if length.isdigit() else 0
        count += 1
        links += [path] if mode == "120000" else []
        submodules += mode == "160000"
    if size > git.limit or count > MOST_FILES:
        raise too_large()
    return links, submodules


class Git:
    """Git with settings and environment of its own, for one place."""

    def __init__(self, place: Place, folder: Path, deadline: Deadline) -> None:
        self.place, self.folder, self.deadline = place, folder, deadline
        self.root = folder / "source"
        self.limit = settings.SOURCE_CHECKS["megabytes"] * MEGABYTE
        self._program = shutil.which("git") or "git"
        self._home = folder / "home"
        self._home.mkdir(exist_ok=True)

    def tags(self) -> list[str]:
        """NETWORK: names of all tags."""
        listing = self.run("ls-remote", "--quiet", "--refs", "--tags", "--", self.place.url)
        return [
            name
            for line in listing.splitlines()
            if not _BAD_NAME.search(name := line.rpartition("refs/tags/")[2])
        ]

    def run(self, command: str, *words: str, in_root: bool = False) -> str:
        """What Git prints. Raises CheckRefused with what it complains of."""
        caps = Caps(memory=_MEMORY, file=self.limit, folder=3 * self.limit)
        ran = run(
            [self._program, *self._settings(), command, *words],
            folder=self.folder,
            environment=self._environment(),
            caps=caps,
            deadline=self.deadline,
            at=self.root if in_root else None,
        )
        if ran.code:
            raise self._complaint(ran)
        return ran.output.decode(errors="surrogateescape")

    def _settings(self) -> list[str]:
        given = {
            "http.followRedirects": "false",
            "http.sslVerify": "true",
            "http.proxy": "",
            "http.lowSpeedLimit": "1000",
            "http.lowSpeedTime": "20",
            "credential.helper": "",
            "core.hooksPath": os.devnull,
            "core.symlinks": "false",
            "core.fsmonitor": "false",
            "core.autocrlf": "false",
            "submodule.recurse": "false",
            "transfer.bundleURI": "false",
            "fetch.unpackLimit": "1",
            "gc.auto": "0",
            "advice.detachedHead": "false",
        }
        if settings.SOURCE_CHECKS["ca_file"]:
            given["http.sslCAInfo"] = settings.SOURCE_CHECKS["ca_file"]
        words = [f"{name}={value}" for name, value in given.items()]
        words += [f"http.curloptResolve={pin}" for pin in self.place.pins]
        return [part for word in words for part in ("-c", word)]

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(self._program).parent}:/usr/bin:/bin",
            "HOME": str(self._home),
            "XDG_CONFIG_HOME": str(self._home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_ALLOW_PROTOCOL": self.place.protocol,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "LC_ALL": "C",
        }

    def _complaint(self, ran: Ran) -> CheckRefused:
        said = ran.errors.replace(str(self.folder), "").strip()
        for pattern, code, words in _COMPLAINTS:
            if re.search(pattern, said, re.IGNORECASE):
                return CheckRefused(code, str(words()), said)
        return CheckRefused("git", _("Git could not fetch the source."), said)


_COMPLAINTS: tuple[tuple[str, str, Callable[[], str]], ...] = (
    (
        r"couldn't find remote ref|not our ref|unadvertised object|no such remote ref",
        "reference_missing",
        lambda: _("The repository has no such branch, tag or commit."),
    ),
    (
        r"returned error: 30\d|redirect",
        "redirect",
        lambda: _("The server sends the caller elsewhere. A redirect is not followed."),
    ),
    (
        r"could not read Username|Authentication failed|returned error: 40[13]|askpass",
        "sign_in",
        lambda: _(
            "The server asks for a sign-in. A private source is not checked: the portal "
            "never uses a key for it."
        ),
    ),
    (
        r"returned error: 404|repository .* not found|does not appear to be a git repository",
        "absent",
        lambda: _("There is no Git repository at this URL."),
    ),
    (
        r"certificate|SSL",
        "certificate",
        lambda: _("The server's TLS certificate is not trusted here."),
    ),
    (
        r"too slow|timed out|Could not resolve|Failed to connect|Couldn't connect",
        "unreachable",
        lambda: _("The server does not answer, or too slowly."),
    ),
)
