"""Bring what the parts share up to date, in one process so that a second start is quick.

`python -m portal.prepare [--demo]`: migrations, static files, the connection that the
environment names and, with --demo, the demo accounts.
"""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command


def main(*, demo: bool) -> None:
    """Idempotent: changes only what is out of date."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    collect_static()
    call_command("setup_connection")
    if demo:
        call_command("setup_demo", verbosity=0)


def collect_static() -> None:
    """Copy, hash and compress the static files when one of them has changed."""
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    found = sha256()
    for folder in settings.STATICFILES_DIRS:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                state = path.stat()
                found.update(f"{path}:{state.st_size}:{state.st_mtime_ns}\n".encode())
    if stamp.exists() and stamp.read_text() == found.hexdigest():
        return
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    stamp.write_text(found.hexdigest())


if __name__ == "__main__":
    main(demo="--demo" in sys.argv[1:])
