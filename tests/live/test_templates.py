"""Every live element can fetch itself: it has an id, and its template a part of that name."""

from __future__ import annotations

import re
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parent.parent.parent / "templates"
LIVE_TAG = re.compile(r"<[a-z]+\b[^<]*?\{% live [^%]*%\}[^<]*?>")


def test_every_live_element_is_a_part_of_its_page() -> None:
    seen = 0
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text()
        parts = set(re.findall(r"\{% partialdef ([\w-]+)", text))
        for tag in LIVE_TAG.findall(text):
            seen += 1
            identity = re.search(r'\bid="([^"]+)"', tag)
            assert identity, f"{path.relative_to(TEMPLATES)}: {tag} has no id."
            # An id that carries a value ("new-since-{{ id }}") is answered by the view itself.
            known = identity[1] in parts or ("{{" in identity[1] and parts)
            assert known, f"{path.relative_to(TEMPLATES)}: no part {identity[1]}."
    assert seen
