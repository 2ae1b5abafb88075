"""Carry out one check: from what a configuration asks for to a report that can be stored."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from changes.content import digest_of
from configurations.reading import kustomizations_of
from configurations.source_checks.addresses import place_of
from configurations.source_checks.build import build
from configurations.source_checks.fetch import Checkout, fetch
from configurations.source_checks.findings import findings_in, listed
from configurations.source_checks.problems import CheckRefused
from configurations.source_checks.sandbox import Deadline

MOST_OBJECTS = 500  # kept of one kustomization; all are counted

Report = dict[str, Any]
Subject = dict[str, Any]


def subject_of(properties: Mapping[str, Any]) -> Subject:
    """What a check depends on, of a configuration's properties: source, reference and paths."""
    git = properties.get("gitRepository") or {}
    reference = {name: value for name, value in (git.get("repositoryRef") or {}).items() if value}
    return {
        "kind": properties.get("sourceKind") or "GitRepository",
        "url": git.get("url") or "",
        "reference": reference,
        "signs_in": bool(
            git.get("localAuthRef")
            or (git.get("provider") or "Generic") != "Generic"
            or properties.get("configurationProtectedSettings")
        ),
        "paths": {
            name: entry.get("path") or "" for name, entry in kustomizations_of(properties).items()
        },
    }


def digest_of_subject(subject: Subject) -> str:
    return digest_of(subject)


def checked(subject: Subject) -> Report:
    """NETWORK: {commit, reference, links, submodules, results, problem}; raises nothing expected.

    `problem` ({code, message, detail}) says why the source could not be fetched. Each of `results`
    has name, path, objects (kind, namespace, name), count, findings, and its own problem.
    """
    deadline = Deadline(settings.SOURCE_CHECKS["seconds"])
    with tempfile.TemporaryDirectory(prefix="fluxgate-check-") as name:
        folder = Path(name)
        try:
            place = place_of(subject["url"])
            found = fetch(place, subject["reference"], folder, deadline)
        except CheckRefused as refused:
            return {"results": [], "problem": _problem(refused)}
        results = [
            _result(found, name, path, folder, deadline) for name, path in subject["paths"].items()
        ]
    return {
        "commit": found.commit,
        "reference": found.reference,
        "links": found.links,
        "submodules": found.submodules,
        "results": results,
        "problem": None,
    }


def _result(found: Checkout, name: str, path: str, folder: Path, deadline: Deadline) -> Report:
    result: Report = {"name": name, "path": path, "objects": [], "count": 0, "findings": []}
    try:
        objects = build(found.root, path, folder, deadline)
    except CheckRefused as refused:
        return {**result, "problem": _problem(refused)}
    return {
        **result,
        "objects": [listed(it) for it in objects[:MOST_OBJECTS]],
        "count": len(objects),
        "findings": findings_in(objects)[:MOST_OBJECTS],
        "problem": None,
    }


def _problem(refused: CheckRefused) -> dict[str, str]:
    return {"code": refused.code, "message": refused.message, "detail": refused.detail}


def crashed() -> Report:
    """The report of a check that ended in an error of ours; the log has it."""
    message = _("The check broke off. The worker's log says why.")
    return {"results": [], "problem": {"code": "crashed", "message": message, "detail": ""}}
