"""Run one program on content that strangers wrote, and never longer or bigger than allowed.

The process gets a session of its own, so that it and all that it starts can be killed together;
an environment of which nothing is inherited; caps on memory, processor time and the size of any
file (its answer goes into files, so they are capped by the same). Linux and macOS.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation import gettext as _

from configurations.source_checks.problems import CheckRefused

MEGABYTE = 1024 * 1024
_POLL_SECONDS = 0.05
_LOOK_SECONDS = 0.25  # between two looks at how much lies in the folder
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Caps:
    """Sizes in bytes. `file`: of any file that is written; `folder`: of all that lies there."""

    memory: int
    file: int
    folder: int


@dataclass(frozen=True)
class Ran:
    """How a program ended. `code` is negative when a signal ended it."""

    code: int
    output: bytes
    errors: str


class Deadline:
    """The time that one check has, shared by all of its programs."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return self._until - time.monotonic()

    def check(self) -> None:
        """Raises CheckRefused when the time is up."""
        if self.left <= 0:
            raise timed_out()


def timed_out() -> CheckRefused:
    return CheckRefused("timeout", _("The check took too long and was stopped."))


def too_large() -> CheckRefused:
    return CheckRefused("too_large", _("The source is larger than a check may fetch."))


def run(
    words: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    caps: Caps,
    deadline: Deadline,
    at: Path | None = None,
) -> Ran:
    """Run it in `at` (or `folder`) until it ends. Raises CheckRefused: timeout, too_large."""
    deadline.check()
    output, errors = folder / "output", folder / "errors"
    with output.open("wb") as to, errors.open("wb") as errors_to:
        process = subprocess.Popen(  # noqa: S603 - words of our own, each value behind `--`
            list(words),
            cwd=at or folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=to,
            stderr=errors_to,
            start_new_session=True,
            close_fds=True,
            preexec_fn=_limits(caps, deadline),
        )
        try:
            _wait(process, folder, caps, deadline)
        finally:
            _kill_group(process)
    said = errors.read_bytes()[: 64 * 1024].decode(errors="replace")
    if process.returncode and _reached(folder, caps.file):
        raise too_large()
    return Ran(code=process.returncode, output=output.read_bytes(), errors=said)


def _limits(caps: Caps, deadline: Deadline):  # type: ignore[no-untyped-def]
    seconds = max(1, int(deadline.left) + 1)

    def apply() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (caps.memory, caps.memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (caps.file, caps.file))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if _LIBC is not None:  # when the worker dies, so does what it started
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    return apply


def _wait(process: subprocess.Popen[bytes], folder: Path, caps: Caps, deadline: Deadline) -> None:
    look_at = time.monotonic()
    while process.poll() is None:
        if deadline.left <= 0:
            raise timed_out()
        if time.monotonic() >= look_at:
            look_at = time.monotonic() + _LOOK_SECONDS
            if size_of(folder) > caps.folder:
                raise too_large()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End the program and whatever it left behind; it leads its own group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _reached(folder: Path, size: int) -> bool:
    """Whether a file has come to the cap: the kernel then stopped whoever wrote it."""
    sizes = (
        os.lstat(os.path.join(place, name)).st_size
        for place, _folders, files in os.walk(folder)
        for name in files
    )
    return any(it >= size for it in sizes)


def size_of(folder: Path) -> int:
    """Bytes of the files below; what vanishes meanwhile counts as nothing."""
    total = 0
    for place, _folders, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total
