"""Build one path of a fetched source with `kubectl kustomize`, with nothing fetched or run by it.

What a kustomization names is looked at first: a remote base or file, a Helm chart, a plugin and
whatever leads out of the source is refused by name. kubectl itself then finds no git and no helm, a
proxy that does not exist, and, where the system lets it, no network at all.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from django.utils.translation import gettext as _

from configurations.source_checks.problems import CheckRefused
from configurations.source_checks.sandbox import MEGABYTE, Caps, Deadline, run

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
MOST_FOLDERS = 500
_FILE_LIMIT = MEGABYTE
_OUTPUT_LIMIT = 16 * MEGABYTE
_MEMORY = 4096 * MEGABYTE  # of address space, of which Go reserves far more than it uses
_REMOTE = re.compile(
    r"://|^git@|^[\w.-]+@[\w.-]+:|^git::|\?(?:ref|version|submodules|timeout)="
    r"|^(?:www\.)?(?:github\.com|gitlab\.com|bitbucket\.org|dev\.azure\.com)[/:]"
    r"|\.git(?:/|$|\?)",
    re.IGNORECASE,
)
# Lists of files and folders, and of texts that may stand in their place.
_FOLDERS = ("resources", "bases", "components")
_FILES = ("crds", "configurations", "patchesStrategicMerge")
_PLUGINS = ("generators", "transformers", "validators")
_HELM = ("helmCharts", "helmChartInflationGenerator", "helmGlobals")

Object = dict[str, Any]


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: a date stays text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def build(root: Path, path: str, folder: Path, deadline: Deadline) -> list[Object]:
    """The objects that this path of the source deploys. Raises CheckRefused."""
    root = root.resolve()
    # As Flux joins paths: `..` ends at the root of the source.
    inner = posixpath.normpath(f"/{path}").lstrip("/")
    start = root / inner
    if not start.is_dir():
        raise CheckRefused(
            "path_missing",
            _("The source has no folder of this path."),
            f"kustomization path not found: stat {inner}: no such file or directory",
        )
    made = None
    if kustomization_file(start) is None:
        made = start / FILE_NAMES[0]
        made.write_text(yaml.safe_dump({"resources": list(_found(start, start))}))
    try:
        refuse_unsafe(start, root)
        return _kustomize(start, root, folder, deadline)
    finally:
        if made is not None:  # another path may reach over this folder, as the author left it
            made.unlink()


def kustomization_file(folder: Path) -> Path | None:
    return next((folder / name for name in FILE_NAMES if (folder / name).is_file()), None)


def _found(folder: Path, start: Path) -> Iterator[str]:
    """What Flux names in the kustomization that it makes: manifests, and folders with their own."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            if kustomization_file(entry):
                yield str(entry.relative_to(start))
            else:
                yield from _found(entry, start)
        elif entry.suffix in {".yaml", ".yml"}:
            yield str(entry.relative_to(start))


# --- What is refused ------------------------------------------------------------------------
def refuse_unsafe(start: Path, root: Path) -> None:
    """Follow every folder that the build would, and refuse what would fetch, run or escape."""
    seen: set[Path] = set()
    waiting = [start]
    while waiting:
        folder = waiting.pop()
        if folder in seen:
            continue
        seen.add(folder)
        if len(seen) > MOST_FOLDERS:
            raise CheckRefused("too_large", _("The build goes through too many folders."))
        file = kustomization_file(folder)
        for document in _documents(file) if file is not None else ():
            waiting += _folders_of(document, folder, root)


def _folders_of(document: Mapping[str, Any], folder: Path, root: Path) -> Iterator[Path]:
    where = str(folder.relative_to(root))
    for name in _HELM:
        if document.get(name):
            raise CheckRefused(
                "helm",
                _("%(path)s inflates a Helm chart. Flux does not do that, so it is refused.")
                % {"path": where},
                f"kustomize build failed: {name} needs --enable-helm",
            )
    for name, entry in _named(document):
        if _REMOTE.search(entry):
            raise CheckRefused(
                "remote_base",
                _("%(path)s names something remote, which a check does not fetch: %(entry)s")
                % {"path": where, "entry": entry[:300]},
            )
        found = _inside(folder, entry, root, where)
        if name in _PLUGINS and found.is_file():
            _refuse_plugin(found, where)
        if found.is_dir():
            yield found
    for name in _PLUGINS:
        for entry in _texts(document.get(name)):
            if "\n" in entry:
                _refuse_plugin_text(entry, where)


def _named(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Everything in a kustomization by which a file or folder is read: its field and the text.

    A text of several lines is content that stands in the place of a name.
    """
    for name in (*_FOLDERS, *_FILES, *_PLUGINS):
        yield from ((name, it) for it in _texts(document.get(name)) if "\n" not in it)
    for name in ("patches", "patchesJson6902", "replacements", "openapi"):
        entries = document.get(name)
        for entry in entries if isinstance(entries, list) else [entries]:
            if isinstance(entry, Mapping):
                yield from ((name, it) for it in _texts(entry.get("path")))
    for name in ("configMapGenerator", "secretGenerator"):
        entries = document.get(name)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, Mapping):
                for field in ("files", "envs", "env"):
                    # A file may be given another key in front of it: KEY=PATH.
                    yield from ((name, it.rpartition("=")[2]) for it in _texts(entry.get(field)))


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [it for it in values if isinstance(it, str) and it]


def _inside(folder: Path, entry: str, root: Path, where: str) -> Path:
    found = (folder / entry).resolve()
    if os.path.isabs(entry) or not found.is_relative_to(root):
        raise CheckRefused(
            "escape",
            _("%(path)s reaches out of the source: %(entry)s")
            % {"path": where, "entry": entry[:300]},
        )
    return found


def _refuse_plugin(file: Path, where: str) -> None:
    with file.open(errors="replace") as stream:
        _refuse_plugin_text(stream.read(_FILE_LIMIT), where)


def _refuse_plugin_text(text: str, where: str) -> None:
    """A built-in plugin is harmless unless it loads something; others would be programs."""
    if re.search(r"://|HelmChartInflationGenerator|config\.kubernetes\.io/function|exec:", text):
        raise CheckRefused(
            "plugin", _("%(path)s uses a plugin that a check does not run.") % {"path": where}
        )


def _documents(file: Path) -> list[Mapping[str, Any]]:
    """What is in a kustomization file; an unreadable one is for kubectl to complain about."""
    if file.stat().st_size > _FILE_LIMIT:
        raise CheckRefused("too_large", _("A kustomization file is larger than a check reads."))
    try:
        found = list(yaml.load_all(file.read_text(errors="replace"), Loader=_Loader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    return [it for it in found if isinstance(it, Mapping)]


# --- The build ------------------------------------------------------------------------------
def _kustomize(start: Path, root: Path, folder: Path, deadline: Deadline) -> list[Object]:
    program = shutil.which("kubectl")
    if program is None:
        raise CheckRefused("no_kubectl", _("kubectl is not installed where checks run."))
    home = folder / "empty"
    home.mkdir(exist_ok=True)
    ran = run(
        [
            *_without_network(), program, "kustomize",
            "--load-restrictor=LoadRestrictionsRootOnly", "--", str(start),
        ],
        folder=folder,
        environment=_environment(home),
        caps=Caps(memory=_MEMORY, file=_OUTPUT_LIMIT, folder=2**62),
        deadline=deadline,
    )  # fmt: skip
    if ran.code:
        said = _said(ran.errors).replace(str(root), "").strip()
        message = _("The manifests cannot be built.")
        if "is not in or below" in said:
            message = _(
                "A kustomization uses a file outside its own folder. Flux takes that within the "
                "source; kubectl, with which this check builds, does not."
            )
        raise CheckRefused("build", message, f"kustomize build failed: {said}")
    try:
        found = list(yaml.load_all(ran.output, Loader=_Loader))
    except (yaml.YAMLError, ValueError, RecursionError):
        raise CheckRefused("build", _("What was built cannot be read.")) from None
    return [it for it in found if isinstance(it, dict)]


def _said(errors: str) -> str:
    lines = [line for line in errors.splitlines() if not line.startswith("# Warning")]
    return "\n".join(lines).strip().removeprefix("error: ").removeprefix("Error: ")


def _environment(home: Path) -> dict[str, str]:
    """Nothing is inherited; the search path has no program in it."""
    nowhere = "http://127.0.0.1:9"
    return {
        "PATH": str(home),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "KUBECONFIG": os.devnull,
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "GOMEMLIMIT": "512MiB",
        "GOMAXPROCS": "2",
        "LC_ALL": "C",
    }


@cache
def _without_network() -> tuple[str, ...]:
    """How a program starts in a network of its own, where this system lets us."""
    program = shutil.which("unshare")
    if program is None:
        return ()
    words = (program, "--net", "--map-root-user", "--")
    tried = subprocess.run([*words, "/bin/true"], capture_output=True, check=False)  # noqa: S603
    return words if tried.returncode == 0 else ()
