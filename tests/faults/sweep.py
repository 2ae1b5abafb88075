"""`manage.py sweep` with the journal kind beside it: `python -m tests.faults.sweep`."""

from __future__ import annotations

import sys

from django.core.management import execute_from_command_line

import tests.faults.worker  # noqa: F401 (sets Django up, registers the kind)

if __name__ == "__main__":
    execute_from_command_line(["manage.py", "sweep", *sys.argv[1:]])
