"""The wire server, and accounts and gateways that lead to it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from arm import Account, ClientSecret, Gateway, Priority, Throttle, Timeouts, custom
from arm.account import FluxApiVersion
from tests.arm.wire import SUBSCRIPTION, TENANT, WireServer

CLIENT_SECRET = "canary-client-secret-7f3a"


@pytest.fixture(scope="package")
def wire_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WireServer]:
    server = WireServer(tmp_path_factory.mktemp("wire"))
    yield server
    server.close()


@pytest.fixture
def wire(wire_server: WireServer) -> WireServer:
    wire_server.reset()
    return wire_server


@pytest.fixture(params=["2025-04-01", "2023-05-01"])
def flux_api_version(request: pytest.FixtureRequest) -> FluxApiVersion:
    version: FluxApiVersion = request.param
    return version


AccountFactory = Callable[..., Account]


@pytest.fixture
def make_account(wire: WireServer) -> AccountFactory:
    def make(**changes: object) -> Account:
        arguments = {
            "cloud": custom(arm_endpoint=wire.url, authority=wire.url),
            "tenant_id": TENANT,
            "subscription_ids": (SUBSCRIPTION,),
            "sign_in": ClientSecret("client", CLIENT_SECRET),
            "ca_file": str(wire.ca_file),
            **changes,
        }
        return Account(**arguments)  # type: ignore[arg-type]

    return make


@pytest.fixture
def gateway(make_account: AccountFactory, flux_api_version: FluxApiVersion) -> Gateway:
    """Once for each version of the flux API."""
    account = make_account(flux_api_version=flux_api_version)
    return Gateway(account, throttle=Throttle(), priority=Priority.APPLY)


@pytest.fixture
def plain_gateway(make_account: AccountFactory) -> Gateway:
    """For what does not depend on the flux API's version."""
    return Gateway(make_account(), throttle=Throttle(), priority=Priority.APPLY)


@pytest.fixture
def stranger(make_account: AccountFactory) -> Gateway:
    """One that has not signed in yet; tokens are kept by account, for the whole run."""
    account = make_account(sign_in=ClientSecret(f"client-{uuid.uuid4()}", CLIENT_SECRET))
    return Gateway(account, throttle=Throttle(), priority=Priority.APPLY)


SHORT = Timeouts(connect=30, read=0.5)
"""For tests of silence alone: on a busy machine an ordinary answer may take longer."""
