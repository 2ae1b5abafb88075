"""The list page at 1,000 and 20,000 configurations: queries, time and growth."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from bench.figures import Figure, percentile

ROUNDS = 40
PROGRAM = "bench.lists"


def measure() -> list[Figure]:
    """Each size in a process and a database of its own."""
    small, large = _in_fresh_database(1_000), _in_fresh_database(20_000)
    figures = []
    for rows, (queries, median, p95, size) in ((1_000, small), (20_000, large)):
        figures += [
            Figure(f"list page at {rows:,} configurations: queries", queries, "queries", 6),
            Figure(f"list page at {rows:,} configurations: p50", median, "ms"),
            Figure(f"list page at {rows:,} configurations: p95", p95, "ms"),
            Figure(f"list page at {rows:,} configurations: size", size, "kB"),
        ]
    growth = large[1] / small[1]
    return [
        *figures,
        Figure("list page, growth of the median from 1k to 20k", growth, "times", 1.3),
    ]


def _in_fresh_database(rows: int) -> tuple[float, float, float, float]:
    with tempfile.TemporaryDirectory(prefix="fluxgate-bench-") as folder:
        environment = os.environ | {
            "FLUXGATE_DATA": folder,
            "FLUXGATE_SECRET_KEY": "bench",
            "FLUXGATE_ENCRYPTION_KEYS": "dGVzdC1vbmx5LXRlc3Qtb25seS10ZXN0LW9ubHktMTI=",
        }
        # Planted by one process and asked by another, as a sync and a page are.
        for step in ("plant", "ask"):
            done = subprocess.run(
                [sys.executable, "-m", PROGRAM, step, str(rows)],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(done.stderr[-4000:])
        queries, median, p95, size = map(float, done.stdout.split()[-4:])
        return queries, median, p95, size


def _main(step: str, rows: int) -> None:
    """Plant `rows` configurations, or ask for the list as a signed-in person would."""
    import time

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext
    from django.urls import reverse

    from access.models import User
    from bench.planting import plant
    from live.services import bump
    from portal.prepare import collect_static

    if step == "plant":
        call_command("migrate", verbosity=0)
        collect_static()
        plant(rows)
        return
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.get(username="bench"))
    url = reverse("configurations:list")
    for _warm in range(3):
        client.get(url)
    times, queries = [], 0
    for _round in range(ROUNDS):
        # Something moved: no cached body and no cached count answers.
        bump("configurations")
        with CaptureQueriesContext(connection) as captured:
            began = time.perf_counter()
            answer = client.get(url)
            times.append((time.perf_counter() - began) * 1000)
        queries = max(queries, len(captured.captured_queries))
        assert answer.status_code == 200
    print(queries, percentile(times, 0.5), percentile(times, 0.95), len(answer.content) / 1000)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
