"""The same tests of this folder on PostgreSQL, where claims take another way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

SERVER = os.environ.get("TEST_POSTGRESQL_URL", "postgres://root@127.0.0.1")
ROOT = Path(__file__).parents[2]
FILES = ["test_states.py", "test_reviews.py", "test_engine.py", "test_races.py"]


@pytest.mark.postgresql
@pytest.mark.skipif(
    os.environ.get("DATABASE_URL", "").startswith("postgres"), reason="All of them run on it now."
)
def test_the_engine_holds_on_postgresql() -> None:
    try:
        psycopg.connect(f"{SERVER}/postgres".replace("postgres://", "postgresql://", 1)).close()
    except psycopg.OperationalError as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"No PostgreSQL: {missing}")
    files = [f"tests/changes/{name}" for name in FILES]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", *files],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": f"{SERVER}/changes_{os.getpid()}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
