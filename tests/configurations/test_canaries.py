"""Recognisable secrets of every kind, followed through everything that could keep or show them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Thread
from typing import Any

import pytest
import redis
from cryptography.fernet import Fernet
from django.apps import apps
from django.test import Client
from django.urls import reverse

from access.models import User
from changes import outbox
from changes.models import Change, Problem
from clusters.models import Cluster
from configurations import services
from configurations.models import Configuration, Draft, SecretVersion
from configurations.wizard.source_fields import secret_fields
from live import notify
from portal.celery import app
from simulator.faults import Fault
from simulator.inprocess import InProcessSimulator
from tests.arm.test_throttle import running_redis
from tests.clusters.conftest import _sample_identity, azure, connection, simulator
from tests.configurations.test_apply import arc, carry_out, read_all
from tests.configurations.test_secrets import GUID, WAYS, coded, sent_secrets
from tests.configurations.test_wizard import BASICS, INFRA, Wizard
from tests.factories.changes import approve

__all__ = ["_sample_identity", "arc", "azure", "connection", "simulator"]

pytestmark = pytest.mark.django_db(transaction=True)  # commits ring the bells, as in production
ClientOf = Callable[[User | None], Client]

PRINCIPAL = {
    **WAYS["account key"][0],
    "blob_sign_in": "principal",
    "blob_client_id": GUID,
    "blob_tenant_id": GUID,
    "blob_client_secret": "x",
}
SOURCES = {**{way: source for way, (source, _wanted) in WAYS.items()}, "principal": PRINCIPAL}


def with_canaries(source: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """The source with secrets that nothing else contains, and every form in which they exist."""
    typed, needles = dict(source), []
    for name in secret_fields().keys() & source.keys():
        if "-----BEGIN" in source[name]:  # has to be a real key or certificate
            needles += [line for line in source[name].splitlines() if len(line) > 40]
        else:
            typed[name] = f"canary-{name}-5e1c"
            needles.append(typed[name])
        needles.append(coded(typed[name]))
    return typed, needles


def unpacked(text: str) -> Iterator[str]:
    """The text, and what is base64 in it: the body of a Celery message, say."""
    yield text
    for run in re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", text):
        with suppress(ValueError):
            yield base64.b64decode(run + "=" * (-len(run) % 4)).decode(errors="replace")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[list[str]]:
    """Every command that a real Redis gets: bells, messages, buckets, whatever it is told."""
    commands: list[str] = []
    with running_redis() as path:
        settings.REDIS_URL = f"unix://{path}"
        for name in ("broker_url", "broker_write_url"):
            monkeypatch.setattr(app.conf, name, f"redis+socket://{path}")
        monkeypatch.setattr(outbox, "_quiet_until", 0.0)
        monkeypatch.setattr(notify, "_quiet_until", 0.0)
        server = redis.Redis(unix_socket_path=path)

        def listen() -> None:
            with suppress(redis.RedisError, OSError), server.monitor() as monitor:
                listening.append(True)
                commands.extend(str(it["command"]) for it in monitor.listen())

        listening: list[bool] = []
        thread = Thread(target=listen, daemon=True)
        thread.start()
        while not listening:
            server.ping()
        yield commands
        for key in server.keys("*"):
            commands.append(f"{key!r} {server.dump(key)!r}")


def proposed(client: Client, cluster: Cluster, name: str, source: dict[str, str]) -> Draft:
    wizard = Wizard(client, cluster)
    draft = wizard.begin()
    wizard.post(draft, "basics", **{**BASICS, "name": name}, go="next")
    wizard.post(draft, "source", **source, go="next")
    wizard.post(draft, "kustomizations", do="add")
    wizard.post(draft, "kustomizations", **INFRA, do="save")
    draft.refresh_from_db()
    assert services.draft_violations(draft) == []
    return draft


def read(client: Client, url: str) -> str:
    answer = client.get(url)
    # A form that cannot say this source (azurerm has no OCI) has no file.
    assert answer.status_code == 200 or "face=" in url, url
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return str(body.decode())


def pages_of(change: Change, configuration: Configuration) -> Iterator[str]:
    """Every page, file and export that could speak of the configuration."""
    yield from (reverse(f"audit:{name}") for name in ("list", "export_csv", "export_json_lines"))
    yield reverse("changes:detail", args=[change.pk])
    for name in ("detail", "diff", "specification", "raw", "history", "changes", "send_again"):
        yield reverse(f"configurations:{name}", args=[configuration.pk])
    for face in ("az", "bicep", "azurerm", "azapi", "arm", "flux", "rest"):
        yield reverse("configurations:face", args=[configuration.pk]) + f"?face={face}&of=desired"
        yield reverse("changes:face", args=[change.pk]) + f"?face={face}"


def columns() -> Iterator[str]:
    """Every row of every table, but for the encrypted token."""
    for model in apps.get_models():
        fields = [it.attname for it in model._meta.concrete_fields if it.name != "token"]
        for row in model._default_manager.values(*fields):
            yield json.dumps(row, default=str)


def test_no_secret_of_any_kind_is_anywhere_but_in_its_token(
    heard: list[str],
    arc: Cluster,
    author: User,
    approver: User,
    client_of: ClientOf,
    simulator: InProcessSimulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    client, seen, needles = client_of(author), [], []
    # The first write meets a bad day: an exception, a failure, and a second try.
    simulator.core.faults.add(Fault(kind="reset_before", method="PUT", path="fluxconfig"))
    for number, (way, plain) in enumerate(SOURCES.items()):
        source, its = with_canaries(plain)
        needles += its
        name = f"canary-{number}"
        draft = proposed(client, arc, name, source)
        for step in ("source", "review"):
            seen.append(read(client, reverse(f"configurations:draft_{step}", args=[draft.pk])))
        change = services.draft_submit(draft=draft, reason="Private")
        approve(approver, change)
        carry_out(change, simulator)
        assert change.state == Change.State.APPLIED, way
        assert sent_secrets(simulator, name), f"{way}: no secret arrived, so nothing is proven"
        read_all()
        configuration = Configuration.objects.get(name=name)
        seen += [read(client, url) for url in pages_of(change, configuration)]

    # Then its key is lost: a failure with a name.
    SecretVersion.objects.update(token=Fernet(Fernet.generate_key()).encrypt(b"x").decode())
    again = services.configuration_propose(
        author=author, configuration=configuration, verb=Change.Verb.SEND_AGAIN, reason="Again"
    )
    approve(approver, again)
    carry_out(again, simulator)
    assert again.operations.get().problem == Problem.SECRET_LOST
    seen.append(read(client, reverse("changes:detail", args=[again.pk])))

    assert any("operation_advance" in text for it in heard for text in unpacked(it))
    assert "DEBUG" in caplog.text
    seen += [*columns(), *heard, caplog.text]
    seen += [json.dumps(entry) for entry in simulator.core.journal.list()]
    for text in (it for whole in seen for it in unpacked(whole)):
        for needle in needles:
            assert needle not in text
