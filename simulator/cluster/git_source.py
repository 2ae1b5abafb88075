"""Reading Git sources with the real `git`, and telling its failures in Flux's words.

The texts are those of source-controller (go-git); rule: flux-behaviour section 2.2.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from .artifacts import Workspace
from .ports import SourceMap
from .semver_range import RangeError, best_match

FAILED_PREFIX = "failed to checkout and determine revision: "
# How long one git command may block the simulator, whatever the source's own timeout is.
_LONGEST_SECONDS = 60.0
_COMMIT = re.compile(r"[0-9a-f]{40}")


class SourceError(Exception):
    """A source could not be fetched: condition reason and message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class GitReference:
    """Which commit is wanted. Precedence: commit, name, semver, tag, branch."""

    branch: str = ""
    tag: str = ""
    semver: str = ""
    commit: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class GitAuth:
    """What is needed to sign in; all empty for a public repository."""

    username: str = ""
    password: str = field(default="", repr=False)
    ca_certificate: str = ""
    identity: str = field(default="", repr=False)
    known_hosts: str = ""
    app_id: str = ""
    installation_id: str = ""


@dataclass(frozen=True, slots=True)
class GitRevision:
    """A commit, how Flux writes it, and the reference of the remote that led to it."""

    revision: str
    commit: str
    ref: str = ""


class GitClient:
    """Resolves references of remotes and exports commits into the shared workspace."""

    def __init__(self, workspace: Workspace, sources: SourceMap) -> None:
        self._workspace = workspace
        self._sources = sources

    def resolve(
        self, url: str, ref: GitReference, auth: GitAuth, *, timeout: float, has_artifact: bool
    ) -> GitRevision:
        """Find the commit that a reference means now.

        `has_artifact`: a branch or tag is then looked up by listing the remote first, and the
        failure says so. Raises SourceError.
        """
        listed_first = has_artifact and not (ref.commit or ref.semver)
        remote = _Remote(url, self._sources.resolve(url), auth, timeout, listed_first)
        refs = remote.list_refs()
        if not refs:
            raise SourceError("EmptyGitRepository", "git repository is empty")
        if ref.commit:
            return self._commit(remote, ref)
        if ref.name:
            return _named(remote, refs, ref.name, ref.name)
        if ref.semver:
            return _by_range(refs, ref.semver)
        if ref.tag:
            return _named(remote, refs, f"refs/tags/{ref.tag}", ref.tag)
        branch = ref.branch or "master"
        return _named(remote, refs, f"refs/heads/{branch}", branch)

    def export(
        self, url: str, found: GitRevision, auth: GitAuth, *, timeout: float, ignore: str
    ) -> Path:
        """Return the directory with the files of a commit, less what Flux leaves out."""
        remote = _Remote(url, self._sources.resolve(url), auth, timeout, listed_first=False)
        mirror = self._workspace.mirror(url)
        with self._workspace.lock(mirror):
            if found.ref and not remote.is_local:
                self._fetch_one(remote, mirror, found)
            self._fetch(remote, mirror, found.commit)
            return self._workspace.export_commit(mirror, found.commit, ignore)

    def failure(self, url: str, stderr: str, listed_first: bool) -> SourceError:
        """Return what Flux makes of a failure that git reports."""
        remote = _Remote(url, self._sources.resolve(url), GitAuth(), 1.0, listed_first)
        return remote.explained(stderr)

    def subject(self, url: str, commit: str) -> str:
        """Return the first line of a commit's message, cut after 50 characters."""
        subject = self._workspace.subject(self._workspace.mirror(url), commit)
        return subject if len(subject) <= 50 else f"{subject[:50]}..."

    def _commit(self, remote: _Remote, ref: GitReference) -> GitRevision:
        commit = ref.commit
        mirror = self._workspace.mirror(remote.url)
        with self._workspace.lock(mirror):
            self._fetch(remote, mirror, commit)
            if not self._workspace.has_commit(mirror, commit):
                text = f"unable to resolve commit object for '{commit}': object not found"
                raise remote.failure(text)
        prefix = f"{ref.branch}@" if ref.branch else ""
        return GitRevision(f"{prefix}sha1:{commit}", commit)

    def _fetch_one(self, remote: _Remote, mirror: Path, found: GitRevision) -> None:
        """Fetch one reference without its history, which may be long and far away."""
        if not self._workspace.has_commit(mirror, found.commit):
            refspecs = [f"+{found.ref}:{found.ref}"]
            remote.run("fetch", "--quiet", "--depth=1", "--no-tags", refspecs=refspecs, into=mirror)

    def _fetch(self, remote: _Remote, mirror: Path, commit: str) -> None:
        if not _COMMIT.fullmatch(commit) or self._workspace.has_commit(mirror, commit):
            return
        heads_and_tags = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        options = ["--quiet", "--force", "--prune"]
        if (mirror / "shallow").exists():
            options.append("--unshallow")
        remote.run("fetch", *options, refspecs=heads_and_tags, into=mirror)


@dataclass(frozen=True, slots=True)
class _Remote:
    url: str
    address: str
    auth: GitAuth
    timeout: float
    listed_first: bool

    @property
    def is_local(self) -> bool:
        return self.address != self.url

    def list_refs(self) -> dict[str, str]:
        """Return commit by reference name; an annotated tag gives the commit it points at."""
        refs: dict[str, str] = {}
        for line in self.run("ls-remote", "--quiet").splitlines():
            commit, _, name = line.partition("\t")
            if name != "HEAD":
                refs[name.removesuffix("^{}")] = commit
        return refs

    def failure(self, text: str) -> SourceError:
        return SourceError("GitOperationFailed", FAILED_PREFIX + text)

    def explained(self, stderr: str) -> SourceError:
        return self.failure(self._explain(stderr))

    def run(
        self,
        command: str,
        *options: str,
        refspecs: list[str] | None = None,
        into: Path | None = None,
    ) -> str:
        where = ["--git-dir", str(into)] if into else []
        with self._environment() as environment:
            address = self.address
            line = ["git", *where, command, *options, "--", address, *(refspecs or [])]
            try:
                done = subprocess.run(
                    line,
                    env=environment,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    stdin=subprocess.DEVNULL,
                    timeout=min(self.timeout, _LONGEST_SECONDS),
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise self.failure(self._unable("context deadline exceeded")) from None
        if done.returncode:
            raise self.explained(done.stderr)
        return done.stdout

    @contextmanager
    def _environment(self) -> Iterator[dict[str, str]]:
        """Give git an environment without prompts, user settings or foreign protocols."""
        settings = [("core.hooksPath", "/dev/null"), ("credential.helper", "")]
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ALLOW_PROTOCOL": "file" if self.is_local else "http:https:ssh",
        }
        if self.is_local:
            # The mapped folder may belong to another user than the simulator's.
            settings += [("safe.directory", "*"), ("protocol.file.allow", "always")]
        with tempfile.TemporaryDirectory(prefix="git-auth-") as folder:
            if self.auth.password:
                pair = f"{self.auth.username}:{self.auth.password}".encode()
                basic = base64.b64encode(pair).decode()
                settings.append(("http.extraHeader", f"Authorization: Basic {basic}"))
            if self.auth.ca_certificate:
                path = _private_file(folder, "ca.pem", self.auth.ca_certificate)
                environment["GIT_SSL_CAINFO"] = path
            environment["GIT_SSH_COMMAND"] = self._ssh_command(folder)
            environment["GIT_CONFIG_COUNT"] = str(len(settings))
            for position, (name, value) in enumerate(settings):
                environment[f"GIT_CONFIG_KEY_{position}"] = name
                environment[f"GIT_CONFIG_VALUE_{position}"] = value
            yield environment

    def _ssh_command(self, folder: str) -> str:
        known_hosts = _private_file(folder, "known_hosts", self.auth.known_hosts)
        command = (
            "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
            f" -o UserKnownHostsFile={known_hosts}"
        )
        if self.auth.identity:
            command += f" -i {_private_file(folder, 'identity', self.auth.identity)}"
        return command

    def _unable(self, text: str) -> str:
        verb = "unable to list remote for" if self.listed_first else "unable to clone"
        return f"{verb} '{self.url}': {text}"

    def _explain(self, stderr: str) -> str:
        """Say what git could not do in the words of Flux."""
        if _NOT_FOUND.search(stderr):
            return self._not_found()
        for pattern, text in _EXPLANATIONS:
            found = pattern.search(stderr)
            if found:
                groups = {name: value or "" for name, value in found.groupdict().items()}
                details = self._details() | groups
                return self._unable(text.format(**details))
        last = next((line for line in reversed(stderr.splitlines()) if line.strip()), "unknown")
        return self._unable(last.removeprefix("fatal: ").strip())

    def _details(self) -> dict[str, str]:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        service = f"{self.url}/info/refs?service=git-upload-pack"
        port = str(parts.port or (443 if parts.scheme == "https" else 80))
        get = f'Get "{service}": ' if parts.scheme in ("http", "https") else ""
        return {"get": get, "host": host, "port": port, "service": service}

    def _not_found(self) -> str:
        if urlsplit(self.url).scheme not in ("http", "https"):
            if self.listed_first:
                return self._unable(f"repository not found: git repository: '{self.url}'")
            return f"unable to clone: repository not found: git repository: '{self.url}'"
        if urlsplit(self.url).hostname == "github.com":
            # GitHub does not tell an absent repository from a private one.
            return self._unable("authentication required: Repository not found.")
        return self._unable("repository not found: Not Found")


_NOT_FOUND = re.compile(
    r"does not appear to be a git repository|repository '.*' not found|"
    r"returned error: 404|Repository not found"
)
_EXPLANATIONS = [
    (re.compile(pattern), text)
    for pattern, text in (
        (
            r"Could not resolve host(name)?",
            "{get}dial tcp: lookup {host} on 10.0.0.10:53: no such host",
        ),
        (
            r"Failed to connect to (?P<peer>\S+) port (?P<port>\d+)|Connection refused",
            "{get}dial tcp {host}:{port}: connect: connection refused",
        ),
        (
            r"SSL certificate problem|server certificate verification failed",
            (
                "{get}tls: failed to verify certificate: x509: certificate signed by unknown "
                "authority"
            ),
        ),
        (
            r"Authentication failed|could not read Username|returned error: 401",
            "authentication required: Unauthorized",
        ),
        (r"returned error: 403", "authorization failed: Forbidden"),
        (
            r"returned error: (?P<code>5\d\d)",
            'unexpected client error: unexpected requesting "{service}" status code: {code}',
        ),
        (
            r"REMOTE HOST IDENTIFICATION HAS CHANGED",
            "ssh: handshake failed: knownhosts: key mismatch",
        ),
        (
            r"Host key verification failed",
            "ssh: handshake failed: knownhosts: key is unknown",
        ),
        (
            r"Permission denied \(",
            (
                "ssh: handshake failed: ssh: unable to authenticate, attempted methods "
                "[none publickey], no supported methods remain"
            ),
        ),
        (r"timed out|Timeout", "context deadline exceeded"),
    )
]


def _named(remote: _Remote, refs: dict[str, str], name: str, shown: str) -> GitRevision:
    if name not in refs:
        # A vanished reference is found out by the clone, also where the remote is listed first.
        text = f"unable to clone '{remote.url}': couldn't find remote ref \"{name}\""
        raise remote.failure(text)
    return GitRevision(f"{shown}@sha1:{refs[name]}", refs[name], name)


def _by_range(refs: dict[str, str], semver: str) -> GitRevision:
    tags = {
        name.removeprefix("refs/tags/"): commit
        for name, commit in refs.items()
        if name.startswith("refs/tags/")
    }
    try:
        tag = best_match(semver, tags)
    except RangeError as error:
        text = f"semver parse error: {error}"
        raise SourceError("GitOperationFailed", FAILED_PREFIX + text) from None
    if tag is None:
        text = f"no match found for semver: {semver}"
        raise SourceError("GitOperationFailed", FAILED_PREFIX + text)
    return GitRevision(f"{tag}@sha1:{tags[tag]}", tags[tag], f"refs/tags/{tag}")


def _private_file(folder: str, name: str, text: str) -> str:
    path = Path(folder, name)
    path.touch(mode=0o600)
    path.write_text(text if text.endswith("\n") or not text else text + "\n", encoding="utf-8")
    return str(path)
