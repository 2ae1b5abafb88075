"""Building a path of an artifact with the real `kubectl kustomize`.

Where no kustomization file is there, one is made as kustomize-controller does; failures are told
in its words (flux-behaviour sections 3.3 and 3.7).
"""

from __future__ import annotations

import json
import posixpath
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from .artifacts import Workspace
from .objects import Manifest
from .old_kubectl import adapt, is_old

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_LONGEST_SECONDS = 60.0
# Fields of Flux's Kustomization that are written into the kustomization file before the build.
_AMENDING = ("targetNamespace", "namePrefix", "nameSuffix", "commonMetadata", "patches", "images")
_GIVES_OBJECTS = (
    *("resources", "bases", "components", "configMapGenerator", "secretGenerator"),
    *("helmCharts", "generators", "crds"),
)
# A remote base may be fetched; a path of this machine under the guise of a URL may not.
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "http:https:ssh",
}
_ESCAPES = {"n": "\n", "t": "\t"}
# Releases of kustomize differ in how they say that a listed file is not there.
_NOT_OPENED = re.compile(
    r"(accumulating resources from '[^']+'): evalsymlink failure on '([^']+)' : lstat [^']+'"
)
# Stands for the directory of an artifact in a cached message.
ROOT = "\0root"


class BuildError(Exception):
    """A path does not build. `path_missing` tells apart that there is no such path."""

    def __init__(self, message: str, *, path_missing: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.path_missing = path_missing


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: a date stays text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def load_all(text: str) -> list[Any]:
    return list(yaml.load_all(text, Loader=_Loader))


def build(
    workspace: Workspace, artifact: Path, path: str, spec: Manifest, fake_root: str
) -> list[Manifest]:
    """Build a path of an artifact for the spec of a Kustomization; raise BuildError.

    `fake_root` is the directory that messages name in place of the real one. The result is
    shared between clusters: it must not be changed.
    """
    amendments = {name: spec[name] for name in (*_AMENDING, "components") if spec.get(name)}
    key = (artifact, path, json.dumps(amendments, sort_keys=True))
    result = workspace.cached(key, lambda: _outcome(workspace, artifact, path, amendments))
    if isinstance(result, BuildError):
        message = result.message.replace(ROOT, fake_root)
        raise BuildError(message, path_missing=result.path_missing)
    objects: list[Manifest] = result
    return objects


def _outcome(
    workspace: Workspace, artifact: Path, path: str, amendments: Manifest
) -> list[Manifest] | BuildError:
    try:
        return _build(workspace, artifact, path, amendments)
    except BuildError as failure:
        return failure


def _build(workspace: Workspace, artifact: Path, path: str, amendments: Manifest) -> list[Manifest]:
    # As Flux joins paths: `..` ends at the root of the artifact.
    inner = posixpath.normpath(f"/{path}").lstrip("/")
    folder = artifact / inner
    if not folder.is_dir():
        text = f"stat {ROOT}/{inner}: no such file or directory"
        raise BuildError(f"kustomization path not found: {text}", path_missing=True)
    existing = kustomization_file(folder)
    if existing and not amendments and not _kubectl_is_old():
        if not _gives_objects(existing):
            return []
        return _kustomize(folder, artifact)
    with workspace.temporary() as temporary:
        copy = Path(temporary, "artifact")
        shutil.copytree(artifact, copy)
        target = copy / inner
        written = existing.name if existing else FILE_NAMES[0]
        document = _read(existing) if existing else {"resources": _found_files(target, copy)}
        _amend(document, amendments)
        if document and not any(document.get(name) for name in _GIVES_OBJECTS):
            return []
        if amendments or not existing:
            (target / written).write_text(yaml.safe_dump(document), encoding="utf-8")
        if _kubectl_is_old():
            adapt(copy)
        return _kustomize(target, copy)


def _kubectl_is_old() -> bool:
    program = shutil.which("kubectl")
    return program is not None and is_old(program)


def kustomization_file(folder: Path) -> Path | None:
    return next((folder / name for name in FILE_NAMES if (folder / name).is_file()), None)


def _read(file: Path) -> Manifest:
    try:
        documents = load_all(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}
    return dict(documents[0]) if documents and isinstance(documents[0], dict) else {}


def _gives_objects(file: Path) -> bool:
    document = _read(file)
    # An unreadable file is for kustomize to complain about.
    return not document or any(document.get(name) for name in _GIVES_OBJECTS)


def _found_files(folder: Path, root: Path) -> list[str]:
    """List what a made kustomization file names: manifests, and directories with their own."""
    found = []
    for path in _walk(folder):
        if path.is_file():
            _check_manifest(path, root)
        found.append(str(path.relative_to(folder)))
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if kustomization_file(path):
                yield path
            else:
                yield from _walk(path)
        elif path.suffix in (".yaml", ".yml"):
            yield path


def _check_manifest(file: Path, root: Path) -> None:
    shown = f"{ROOT}/{file.relative_to(root)}"
    try:
        documents = load_all(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        text = f"failed to decode Kubernetes YAML from {shown}: {_yaml_fault(file, error)} <nil>"
        raise BuildError(text) from None
    for document in documents:
        if document is not None and not _is_manifest(document):
            text = f"failed to decode Kubernetes YAML from {shown}: missing Resource metadata <nil>"
            raise BuildError(text)


def _is_manifest(document: Any) -> bool:
    if not isinstance(document, dict) or not document.get("kind"):
        return False
    if str(document["kind"]).endswith("List"):
        return True
    metadata = document.get("metadata")
    return isinstance(metadata, dict) and bool(metadata.get("name") or metadata.get("generateName"))


def _yaml_fault(file: Path, error: Exception) -> str:
    """Have kustomize's own reader say what is wrong, so that the words and lines are its."""
    alone = file.parent / "fault-check"
    alone.mkdir()
    try:
        shutil.copy(file, alone / file.name)
        document = yaml.safe_dump({"resources": [file.name]})
        (alone / FILE_NAMES[0]).write_text(document, encoding="utf-8")
        _kustomize(alone, alone)
    except BuildError as failure:
        found = re.search(r"MalformedYAMLError: (.*?) in File: ", failure.message, re.DOTALL)
        if found:
            return f"MalformedYAMLError: {found[1]} in File: {file.name}"
    finally:
        shutil.rmtree(alone)
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}: " if mark else ""
    problem = getattr(error, "problem", str(error))
    return f"MalformedYAMLError: yaml: {line}{problem} in File: {file.name}"


def _amend(document: Manifest, amendments: Manifest) -> None:
    for field, name in (("targetNamespace", "namespace"), ("namePrefix", "namePrefix")):
        if field in amendments:
            document[name] = amendments[field]
    if "nameSuffix" in amendments:
        document["nameSuffix"] = amendments["nameSuffix"]
    for name in ("patches", "images", "components"):
        if name in amendments:
            document[name] = [*(document.get(name) or []), *amendments[name]]
    common = amendments.get("commonMetadata") or {}
    if common.get("labels"):
        label = {"pairs": common["labels"], "includeSelectors": False}
        document["labels"] = [*(document.get("labels") or []), label]
    if common.get("annotations"):
        merged = (document.get("commonAnnotations") or {}) | common["annotations"]
        document["commonAnnotations"] = merged


def _kustomize(folder: Path, root: Path) -> list[Manifest]:
    _stay_inside(folder, root.resolve(), set())
    program = shutil.which("kubectl")
    line = [program, "kustomize"] if program else [shutil.which("kustomize") or "", "build"]
    if not line[0]:
        raise BuildError("kustomize build failed: neither kubectl nor kustomize is installed")
    try:
        done = subprocess.run(
            [*line, str(folder)],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_LONGEST_SECONDS,
            check=False,
            env=_ENVIRONMENT,
        )
    except subprocess.TimeoutExpired:
        raise BuildError("kustomize build failed: context deadline exceeded") from None
    if done.returncode:
        raise BuildError(f"kustomize build failed: {_message(done.stderr, folder, root)}")
    return [item for item in load_all(done.stdout) if isinstance(item, dict)]


def _stay_inside(folder: Path, root: Path, seen: set[Path]) -> None:
    """Refuse a kustomization that reaches out of the artifact, directly or through another."""
    file = kustomization_file(folder)
    if file is None or folder in seen:
        return
    seen.add(folder)
    document = _read(file)
    for field in ("resources", "bases", "components"):
        entries = document.get(field)
        for entry in entries if isinstance(entries, list) else []:
            if "://" in str(entry) or str(entry).startswith("git@"):
                continue
            path = (folder / str(entry)).resolve()
            if not path.is_relative_to(root):
                text = f"security; file '{entry}' is not in or below '{ROOT}'"
                text = f"accumulating resources: accumulation err='{text}'"
                raise BuildError(f"kustomize build failed: {text}")
            if path.is_dir():
                _stay_inside(path, root, seen)


def _message(stderr: str, folder: Path, root: Path) -> str:
    """Take kustomize's complaint out of what kubectl prints, whichever kubectl it is."""
    text = stderr.strip()
    logged = re.search(r'"command failed" err="(.*)"$', text, re.DOTALL)
    if logged:
        text = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), logged[1])
    lines = [line for line in text.splitlines() if not line.startswith("# Warning")]
    text = "\n".join(lines).removeprefix("error: ").removeprefix("Error: ")
    text = text.replace(str(root.resolve()), ROOT).replace(str(root), ROOT)
    text = _NOT_OPENED.sub(r"\1: open \2: no such file or directory'", text)
    missing = re.search(r"(?:open|lstat) (\S+?): no such file or directory", text)
    if missing and "accumulation err" not in text and missing[1].startswith(ROOT):
        text = _missing_file(missing[1], str(folder.relative_to(root)))
    return text


def _missing_file(path: str, folder: str) -> str:
    """Say as today's kustomize does what an older kubectl says in other words."""
    name = path.removeprefix(f"{ROOT}/").removeprefix(f"{folder}/")
    return (
        f"accumulating resources: accumulation err='accumulating resources from '{name}': "
        f"open {path}: no such file or directory': must build at directory: not a valid "
        f"directory: evalsymlink failure on '{path}' : lstat {path}: no such file or directory"
    )
