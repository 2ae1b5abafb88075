"""What the answers hold is tests/audit/test_history_page.py's matter: here everybody has a page."""

from __future__ import annotations

from tests.rights.matrix import Row

ROWS = [
    Row(url="audit:list"),
    Row(url="audit:export_csv"),
    Row(url="audit:export_json_lines"),
]
