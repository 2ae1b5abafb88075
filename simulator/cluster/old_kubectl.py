"""Making a tree fit for the kustomize 2.0.3 that kubectl carried up to 1.20 (Debian 12 has it).

That release takes directories only under `bases`; today's repositories list them as `resources`.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
from pathlib import Path

import yaml

_SECONDS = 30.0


@functools.cache
def is_old(program: str) -> bool:
    """Tell whether a kubectl is one of those."""
    done = subprocess.run(
        [program, "version", "--client", "--output=json"],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    try:
        version = json.loads(done.stdout)["clientVersion"]
    except (ValueError, KeyError):
        return False
    minor = re.match(r"\d+", version.get("minor") or "")
    return version.get("major") == "1" and minor is not None and int(minor[0]) < 21


def adapt(root: Path) -> None:
    """Move directories from `resources` to `bases` in every kustomization file of a tree."""
    for name in ("kustomization.yaml", "kustomization.yml", "Kustomization"):
        for file in root.rglob(name):
            _adapt(file)


def _adapt(file: Path) -> None:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return  # kustomize itself says what is wrong with it
    if not isinstance(document, dict) or not isinstance(document.get("resources"), list):
        return
    folders = [item for item in document["resources"] if (file.parent / str(item)).is_dir()]
    if folders:
        document["bases"] = [*(document.get("bases") or []), *folders]
        document["resources"] = [item for item in document["resources"] if item not in folders]
        file.write_text(yaml.safe_dump(document), encoding="utf-8")
