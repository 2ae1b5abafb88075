"""`script/run` from a user's point of view: starts all, survives a loss, stops all, keeps data."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.house_process import House


def eventually(true: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def test_the_house_starts_survives_the_loss_of_redis_stops_and_keeps_its_data(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    with House(data) as house:
        assert set(house.accounts) == {"viewer", "author", "approver", "admin"}
        passwords = {account.password for account in house.accounts.values()}
        assert len(passwords) == 4
        assert (data / "demo-accounts.txt").stat().st_mode & 0o077 == 0
        assert (data / "secret-key").stat().st_mode & 0o077 == 0
        assert httpx.get(house.url + "/healthz").text == "ok\n"
        [before] = house.pids("redis")
        os.kill(before, signal.SIGKILL)
        assert httpx.get(house.url + "/sign-in/").status_code == 200
        eventually(lambda: house.pids("redis") not in ([], [before]), "Redis is started again")
        parts = [pid for part in ("redis", "worker", "web", "beat") for pid in house.pids(part)]
        assert len(parts) >= 4
    for pid in parts:
        assert subprocess.run(["ps", "-p", str(pid)], capture_output=True).returncode == 1
    with House(data) as again:
        assert {account.password for account in again.accounts.values()} == passwords
