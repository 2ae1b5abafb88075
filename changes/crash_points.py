"""Named places where the fault tests kill a worker.

A crash that matters lands between two lines of the engine; a test cannot time that from the
outside. With FLUXGATE_CRASH_POINT unset, as everywhere outside those tests, this does nothing.
"""

from __future__ import annotations

import os
import signal

CRASH_POINTS = (
    "after_claim",
    "before_intent",
    "after_intent",
    "before_send",
    "after_send",  # Azure has accepted, nothing is recorded
    "after_record",
    "while_polling",
    "before_finish",
)


# In the web process: committed, and no bell has rung.
BEFORE_BELL = "before_bell"


def crash_point(name: str) -> None:
    """Die here, as by `kill -9`, if the environment names this point."""
    if os.environ.get("FLUXGATE_CRASH_POINT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
