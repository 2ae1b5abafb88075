"""The HTTPS door: uvicorn on localhost, with the agents' thread beside it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from simulator.app import create_app
from simulator.arm.credentials import door_path
from simulator.certificates import Certificates
from simulator.core import Simulator
from simulator.http import RESET, Document

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_TICK_SECONDS = 0.2
_SAVE_SECONDS = 5.0

Peer = tuple[str, int]


class _Connections:
    """The open connections by peer, so that one can be cut."""

    def __init__(self) -> None:
        self._transports: dict[Peer, asyncio.Transport] = {}

    def protocol(self) -> type[asyncio.Protocol]:
        connections = self._transports

        class Protocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                peer = transport.get_extra_info("peername")
                self._peer: Peer = (str(peer[0]), int(peer[1]))
                connections[self._peer] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                connections.pop(self._peer, None)
                super().connection_lost(exc)

        return Protocol

    def cut(self, peer: Peer) -> None:
        transport = self._transports.get(peer)
        if transport is not None:
            transport.abort()

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Offer each request a way to cut its own connection."""

        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope.get("client"):
                peer: Peer = tuple(scope["client"])
                extensions = {**(scope.get("extensions") or {}), RESET: lambda: self.cut(peer)}
                scope = {**scope, "extensions": extensions}
            await app(scope, receive, send)

        return wrapped


class _Server(uvicorn.Server):
    """Writes the settings file once the port is open, and ends at once when asked to."""

    def __init__(self, config: uvicorn.Config, simulator: Simulator) -> None:
        super().__init__(config)
        self._simulator = simulator

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            announce(self._simulator, port)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals, and do not raise them again afterwards: the state is to be kept."""
        before = {sig: signal.signal(sig, self.handle_exit) for sig in _SIGNALS}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)

    def handle_exit(self, sig: int, frame: Any) -> None:
        super().handle_exit(sig, frame)
        self.force_exit = True


def serve(simulator: Simulator, certificates: Certificates, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    connections = _Connections()
    config = uvicorn.Config(
        connections.wrap(create_app(simulator)),
        host="127.0.0.1",
        port=port,
        http=connections.protocol(),
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        ssl_certfile=str(certificates.server),
        ssl_keyfile=str(certificates.server),
        timeout_graceful_shutdown=1,
    )
    stopping = threading.Event()
    agents = threading.Thread(
        target=_run_agents, args=(simulator, stopping), name="agents", daemon=True
    )
    agents.start()
    server = _Server(config, simulator)
    try:
        server.run()
    finally:
        stopping.set()
        agents.join(timeout=2)
        simulator.close()


def _run_agents(simulator: Simulator, stopping: threading.Event) -> None:
    saved = time.monotonic()
    while not stopping.wait(_TICK_SECONDS):
        simulator.settle()
        simulator.agents.start_due()
        if time.monotonic() - saved > _SAVE_SECONDS:
            saved = time.monotonic()
            simulator.agents.save()


def settings_of(simulator: Simulator, port: int) -> Document:
    """Return what a client needs to know: the content of ``simulator.json``."""
    base = f"https://localhost:{port}"
    identity = simulator.identity
    return {
        "arm_endpoint": base,
        "authority": base,
        "tenant_id": identity.tenant_id,
        "client_id": identity.portal.client_id,
        "client_secret": identity.portal.secret,
        "object_id": identity.portal.object_id,
        "sign_in_client_id": identity.sign_in.client_id,
        "sign_in_client_secret": identity.sign_in.secret,
        "oidc_configuration": f"{base}/{identity.tenant_id}/v2.0/.well-known/openid-configuration",
        "people": [
            {"name": p.name, "user_name": p.user_name, "object_id": p.object_id, "role": p.role}
            for p in identity.people
        ],
        "subscription_ids": [s.name for s in simulator.store.of_type("subscriptions")],
        "ca_file": str(simulator.ca_file),
        "control_endpoint": f"{base}/_control",
        "kubeconfigs": {},
        "pid": os.getpid(),
    }


def announce(simulator: Simulator, port: int) -> Document:
    """Write ``simulator.json`` and the kubeconfigs, readable by the owner alone, and print it."""
    settings = settings_of(simulator, port)
    for cluster in simulator.clusters_with_door():
        path = simulator.data_directory / f"kubeconfig-{cluster.name}"
        config = simulator.router.credentials.kubeconfig(cluster, str(settings["arm_endpoint"]))
        _write(path, config)
        settings["kubeconfigs"][cluster.name] = {
            "path": str(path),
            "server": settings["arm_endpoint"] + door_path(cluster),
        }
    _write(simulator.data_directory / "simulator.json", settings)
    print(json.dumps(settings, indent=1), flush=True)
    return settings


def _write(path: Path, content: Document) -> None:
    """Replace a file as a whole, so that a reader never sees half of it."""
    unfinished = path.with_name(path.name + ".new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
    unfinished.replace(path)
