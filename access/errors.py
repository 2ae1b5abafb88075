"""What people administration refuses."""

from __future__ import annotations


class AccessRefusedError(Exception):
    """The act breaks a rule of its own; `str()` says which one, translated, for the page."""
