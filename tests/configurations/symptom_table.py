"""Write the table of docs/troubleshooting.md anew from the rule book: `python -m` this module."""

from __future__ import annotations

import os
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
_BEGIN, _END = "<!-- symptoms:", "<!-- end of symptoms -->"


def table() -> str:
    """One row an entry: name, cause, first steps, and where the rule comes from."""
    from configurations.rulebook import RULES

    lines = ["| symptom | cause | what to do | from |", "|---|---|---|---|"]
    for rule in sorted(RULES, key=lambda rule: rule.code):
        steps = " ".join(str(step) for step in rule.steps).replace("|", "\\|")
        lines.append(f"| `{rule.code}` | {rule.title} | {steps} | {rule.source} |")
    return "\n".join(lines)


def parts() -> tuple[str, str, str]:
    """The document before, within and after the table."""
    text = DOCUMENT.read_text(encoding="utf-8")
    begin = text.index("\n", text.index(_BEGIN)) + 1
    end = text.index(_END)
    return text[:begin], text[begin:end].strip(), text[end:]


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    import django

    django.setup()
    before, _old, after = parts()
    DOCUMENT.write_text(f"{before}{table()}\n{after}", encoding="utf-8")
