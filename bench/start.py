"""How long `script/run` takes: in a fresh clone (packages cached), and the second time."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from bench.figures import Figure
from tests.house_process import ROOT, free_port

READY = "Ctrl-C stops everything"
LIMIT_SECONDS = 600


def measure() -> list[Figure]:
    """Clone, start cold, stop, start warm, stop."""
    with tempfile.TemporaryDirectory(prefix="fluxgate-bench-") as folder:
        clone = Path(folder) / "fluxgate"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        cold, _ = _start(clone)
        warm, stop = _start(clone)
    return [
        Figure("script/run, fresh clone, until the address is printed", cold, "s", 60),
        Figure("script/run, second start", warm, "s", 15),
        Figure("Ctrl-C until everything has stopped", stop, "s", 8),
    ]


def _start(clone: Path) -> tuple[float, float]:
    """Seconds until it is ready, and seconds to stop."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FLUXGATE_", "VIRTUAL_ENV"))}
    log = clone / "bench.log"
    began = time.monotonic()
    process = subprocess.Popen(
        ["script/run"],
        cwd=clone,
        env=kept | {"PORT": str(free_port()), "SIMULATOR_PORT": str(free_port())},
        stdout=log.open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    while READY not in log.read_text():
        if process.poll() is not None or time.monotonic() - began > LIMIT_SECONDS:
            raise RuntimeError(log.read_text())
        time.sleep(0.05)
    ready = time.monotonic() - began
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait(30)
    return ready, time.monotonic() - began
