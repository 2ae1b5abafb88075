"""The in-process door: the same application without sockets.

``create_simulator(...)`` gives a handle whose ``session()`` is a ``requests.Session`` that reaches
the simulator. For an Azure client: ``RequestsTransport(session=handle.session(),
session_owner=False)``.
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from starlette.types import ASGIApp, Message, Scope
from urllib3.response import HTTPResponse

from simulator.app import create_app
from simulator.clock import Clock
from simulator.control import Control
from simulator.core import Simulator
from simulator.factory import build_simulator
from simulator.http import RESET, Document
from simulator.server import settings_of

PORT = 8443
ENDPOINT = f"https://localhost:{PORT}"


class SimulatorAdapter(BaseAdapter):
    """Dispatches the requests of a session to the application, on a thread of its own."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="simulator", daemon=True
        )
        self._thread.start()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send a request; raises ``ConnectionError`` and ``ReadTimeout`` as over sockets."""
        read_timeout = timeout[1] if isinstance(timeout, tuple) else timeout
        seconds = getattr(read_timeout, "read_timeout", read_timeout)
        call = asyncio.run_coroutine_threadsafe(self._call(request), self._loop)
        try:
            status, headers, body = call.result(seconds)
        except TimeoutError as error:
            call.cancel()
            raise requests.ReadTimeout("The simulator did not answer.", request=request) from error
        except ConnectionResetError as error:
            raise requests.ConnectionError(error, request=request) from error
        return _response(request, status, headers, body, self)

    async def _call(
        self, request: requests.PreparedRequest
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        content = _content(request.body)
        start: Message = {}
        parts: list[bytes] = []
        cut = False

        def reset() -> None:
            nonlocal cut
            cut = True

        async def receive() -> Message:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                parts.append(message.get("body", b""))

        await self._app(_scope(request, reset), receive, send)
        if cut or not start:
            raise ConnectionResetError("Connection reset by peer")
        return start["status"], list(start["headers"]), b"".join(parts)

    def close(self) -> None:
        """Do nothing: sessions come and go, while the adapter serves them all."""

    def shut_down(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5)
            self._loop.close()


def _content(body: Any) -> bytes:
    if hasattr(body, "read"):
        body = body.read()
    return body.encode() if isinstance(body, str) else bytes(body or b"")


def _scope(request: requests.PreparedRequest, reset: Any) -> Scope:
    url = urlsplit(str(request.url))
    headers = [
        (name.lower().encode(), str(value).encode()) for name, value in request.headers.items()
    ]
    headers.append((b"host", url.netloc.encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method or "GET",
        "scheme": "https",
        "path": unquote(url.path) or "/",
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": (url.hostname or "localhost", url.port or 443),
        "extensions": {RESET: reset},
    }


def _response(
    request: requests.PreparedRequest,
    status: int,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    adapter: BaseAdapter,
) -> requests.Response:
    text_headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    response = requests.Response()
    response.status_code = status
    response.headers = CaseInsensitiveDict(text_headers)
    response.raw = HTTPResponse(
        io.BytesIO(body),
        headers=dict(text_headers),
        status=status,
        preload_content=False,
        original_response=None,
    )
    response.url = str(request.url)
    response.request = request
    response.encoding = "utf-8"
    response.connection = adapter  # type: ignore[assignment]
    return response


class InProcessSimulator:
    """A simulator inside this process. Nothing moves by itself: ``step`` and
    ``run_until_idle`` move the agents; ARM's own operations settle at the next request.
    """

    def __init__(self, core: Simulator) -> None:
        self.core = core
        self.app = create_app(core)
        self.control = Control(core)
        self.clock = core.clock
        self._adapter = SimulatorAdapter(self.app)

    @property
    def settings(self) -> Document:
        """The keys of ``simulator.json``."""
        return settings_of(self.core, PORT)

    def session(self) -> requests.Session:
        """Return a session that reaches the simulator at every address."""
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", self._adapter)
        session.mount("http://", self._adapter)
        return session

    def step(self) -> bool:
        """Do what is due now; tell whether anything changed."""
        return self.core.step()

    def run_until_idle(
        self,
        *,
        quiet: timedelta = timedelta(seconds=60),
        limit: timedelta = timedelta(minutes=30),
    ) -> None:
        """Move the clock and the agents until nothing changes any more for ``quiet``."""
        self.core.run_until_idle(quiet=quiet, limit=limit)

    def close(self) -> None:
        self._adapter.shut_down()
        self.core.close()

    def __enter__(self) -> InProcessSimulator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def create_simulator(
    data_dir: Path,
    *,
    seed: str = "tutorial",
    repos: Mapping[str, Path] | None = None,
    pace: float = 0.0,
    clock: Clock | None = None,
    throttle: bool = False,
) -> InProcessSimulator:
    """Make a simulator for a test: immediate and unthrottled unless asked otherwise."""
    core = build_simulator(
        Path(data_dir), seed=seed, repositories=repos, pace=pace, throttle=throttle, clock=clock
    )
    return InProcessSimulator(core)
