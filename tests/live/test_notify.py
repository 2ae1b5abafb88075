"""The bell rings through Redis, and a missing Redis costs a write nearly nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import redis

from live import notify


@pytest.fixture(autouse=True)
def _not_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "_quiet_until", 0.0)


def test_the_scopes_reach_a_subscriber(redis_socket: str, settings: object) -> None:
    settings.REDIS_URL = redis_socket  # type: ignore[attr-defined]
    with redis.Redis.from_url(redis_socket) as client, client.pubsub() as channel:
        channel.subscribe(notify.CHANNEL)
        assert channel.get_message(timeout=5)["type"] == "subscribe"
        notify.publish(["change:7", "changes"])
        message = channel.get_message(timeout=5)
    assert json.loads(message["data"]) == ["change:7", "changes"]


def test_without_redis_it_never_raises_and_then_keeps_quiet(
    tmp_path: Path, settings: object, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"  # type: ignore[attr-defined]
    for _ in range(3):
        notify.publish(["changes"])
    assert len([line for line in caplog.messages if "Redis does not answer" in line]) == 1
    assert notify._quiet_until > time.monotonic()


def test_it_rings_again_after_the_quiet_time(
    redis_socket: str, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "unix:///nowhere/redis.sock"  # type: ignore[attr-defined]
    notify.publish(["changes"])
    settings.REDIS_URL = redis_socket  # type: ignore[attr-defined]
    monkeypatch.setattr(notify, "_quiet_until", time.monotonic() - 0.001)
    with redis.Redis.from_url(redis_socket) as client, client.pubsub() as channel:
        channel.subscribe(notify.CHANNEL)
        channel.get_message(timeout=5)
        notify.publish(["changes"])
        assert channel.get_message(timeout=5) is not None
