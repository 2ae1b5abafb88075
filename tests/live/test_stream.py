"""The stream of a real server: it ticks, only for its own reader, and ends when it should."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import httpx
import pytest

from tests.live.conftest import Portal

EVENTS = "/live/events"


def lines_of(response: httpx.Response) -> Iterator[str]:
    """Lines of the stream; the first says that the portal listens."""
    lines = response.iter_lines()
    for line in lines:
        if line == ": listening":
            break
    return lines


def next_tick(lines: Iterator[str]) -> dict[str, object]:
    for line in lines:
        if line.startswith("data: "):
            found: dict[str, object] = json.loads(line.removeprefix("data: "))
            return found
    raise AssertionError("The stream ended without a tick.")


def _ticks(portal: Portal) -> None:
    token = portal.token("ann", "configuration:12", "configurations")
    with (
        portal.client("ann") as client,
        client.stream("GET", EVENTS, params={"token": token}) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        lines = lines_of(response)
        portal.bump("configuration:12")
        assert next_tick(lines) == {"scope": "configuration:12", "version": 1}
        portal.bump("configuration:99", "clusters")  # not on this page
        portal.bump("configurations", "configuration:12")
        heard = [next_tick(lines), next_tick(lines)]
        assert {"scope": "configuration:12", "version": 2} in heard
        assert {"scope": "configurations", "version": 1} in heard


def test_a_bump_in_another_process_reaches_the_open_page(portal: Portal) -> None:
    _ticks(portal)


def test_so_it_does_without_redis(mortal_portal: Portal) -> None:
    _ticks(mortal_portal)


def test_what_moved_between_page_and_stream_is_told_first(portal: Portal) -> None:
    portal.bump("changes")
    token = portal.token("ann", "changes")
    portal.bump("changes")
    with (
        portal.client("ann") as client,
        client.stream("GET", EVENTS, params={"token": token}) as response,
    ):
        assert next_tick(lines_of(response)) == {"scope": "changes", "version": 2}


def test_a_token_serves_only_the_person_it_was_made_for(portal: Portal) -> None:
    token = portal.token("ann", "changes")
    with portal.client("bob") as bob, portal.client() as nobody, portal.client("ann") as ann:
        assert bob.get(EVENTS, params={"token": token}).status_code == 403
        assert nobody.get(EVENTS, params={"token": token}).status_code == 302
        assert ann.get(EVENTS, params={"token": token[:-2] + "xx"}).status_code == 403
        assert ann.get(EVENTS).status_code == 403


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
def test_the_server_stops_although_a_stream_is_open(mortal_portal: Portal, number: int) -> None:
    """uvicorn waits for open answers without end unless told otherwise; the hub ends them."""
    portal = mortal_portal
    token = portal.token("ann", "changes")
    with (
        portal.client("ann") as client,
        client.stream("GET", EVENTS, params={"token": token}) as response,
    ):
        lines = lines_of(response)
        portal.bump("changes")
        next_tick(lines)
        portal.process.send_signal(number)
        assert [line for line in lines if line.startswith("data:")] == []
        portal.process.wait(30)
