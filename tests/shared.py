"""Reference data that may lie beside the checkout; tests skip what needs it where it is absent."""

from __future__ import annotations

from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared"
