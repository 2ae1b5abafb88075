"""A sample repository with the tutorial's layout, made into a real Git repository on demand."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_FILES = Path(__file__).with_name("files")
_MESSAGE = "Describe the sample's infrastructure and applications"


def materialise(directory: Path) -> Path:
    """Make a Git repository of the sample's files in a directory and return its path.

    The branch is `main`. Content, author and date are fixed, so that the commit has the same id
    everywhere. A directory that is a repository already is left as it is.
    """
    if (directory / ".git").exists():
        return directory
    shutil.copytree(_FILES, directory, dirs_exist_ok=True)
    _git(directory, "init", "--quiet")
    _git(directory, "symbolic-ref", "HEAD", "refs/heads/main")
    _git(directory, "add", "--all", "--force")
    _git(directory, "commit", "--quiet", "--message", _MESSAGE)
    return directory


def _git(directory: Path, *words: str) -> None:
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(directory),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z",
        "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z",
    }
    for role in ("AUTHOR", "COMMITTER"):
        environment[f"GIT_{role}_NAME"] = "Sample"
        environment[f"GIT_{role}_EMAIL"] = "sample@localhost"
    subprocess.run(
        ["git", "-c", "core.autocrlf=false", "-C", str(directory), *words],
        check=True,
        capture_output=True,
        timeout=60,
        env=environment,
    )
