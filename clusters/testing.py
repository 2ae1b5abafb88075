"""Test a connection: asked for on a page, done by a worker, told check by check."""

from __future__ import annotations

import copy
import logging
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from access.models import User
from arm import ArmError, Check, Priority
from audit.services import record
from clusters.gateways import gateway_for
from clusters.models import Connection
from clusters.problems import next_step, problem_of
from clusters.sync import sync_soon
from live.services import bump

log = logging.getLogger(__name__)

TAKES_AT_MOST = timedelta(minutes=3)
UNANSWERED = timedelta(seconds=3)  # nobody took it so long: the sweep process does


@transaction.atomic
def connection_test_ask(*, by: User, connection: Connection) -> None:
    """Ask for a test; a worker is rung after commit, and the sweep does it when none answers."""
    Connection.objects.filter(pk=connection.pk).update(
        test_asked_at=timezone.now(), test_begun_at=None
    )
    record(
        action="connection.tested",
        actor=by,
        object_type="connection",
        object_id=connection.pk,
        object_name=connection.name,
    )
    bump("connections")
    transaction.on_commit(lambda: _ring(connection.pk))


def _ring(connection_id: int) -> None:
    from clusters.tasks import connection_test

    try:
        connection_test.apply_async((connection_id,), retry=False)
    except Exception as error:  # the broker is gone: tests_overdue finds it
        log.warning("Could not ring a worker (%s)", type(error).__name__)


def tests_overdue() -> None:
    """Do the tests that nobody took: for the sweep that runs without a broker. NETWORK."""
    now = timezone.now()
    waiting = Connection.objects.filter(test_asked_at__lte=now - UNANSWERED).filter(
        Q(checked_at=None) | Q(checked_at__lt=F("test_asked_at"))
    )
    for pk in waiting.values_list("pk", flat=True):
        connection_test_run(pk)


def connection_test_run(connection_id: int) -> bool:
    """Do the test that was asked for, if nobody else does; whether it was done here. NETWORK."""
    now = timezone.now()
    free = Q(test_begun_at=None) | Q(test_begun_at__lt=now - TAKES_AT_MOST)
    rows = Connection.objects.filter(free, pk=connection_id, test_asked_at__isnull=False)
    if not rows.update(test_begun_at=now):
        return False
    connection = Connection.objects.get(pk=connection_id)
    if not connection.is_testing:
        return False
    found = checks_of(connection)
    with transaction.atomic():
        Connection.objects.filter(pk=connection_id).update(
            checks=[asdict(check) for check in found], checked_at=timezone.now()
        )
        if connection.enabled and all(check.ok for check in found):
            sync_soon(connection_id, sweep=True)
        bump("connections")
    return True


def checks_of(connection: Connection) -> list[Check]:
    """Everything that the portal needs of Azure, tried in order. NETWORK; raises nothing of ARM."""
    try:
        gateway = gateway_for(connection, priority=Priority.INTERACTIVE)
    except ArmError as error:
        return [Check("sign_in", False, error.message, error.code)]
    if connection.subscription_ids:
        return gateway.test_connection()
    try:
        visible = [str(it["subscriptionId"]) for it in gateway.list_subscriptions()]
    except ArmError as error:
        first = [it for it in gateway.test_connection() if it.name in {"endpoint", "sign_in"}]
        return [*first, Check("subscription", False, error.message, error.code)]
    if not visible:
        first = [it for it in gateway.test_connection() if it.name in {"endpoint", "sign_in"}]
        message = _("The identity sees no subscription in the tenant.")
        return [*first, Check("subscription", False, message, "NoSubscription")]
    whole = copy.copy(connection)
    whole.subscription_ids = visible
    return gateway_for(whole, priority=Priority.INTERACTIVE).test_connection()


# --- For the page ---------------------------------------------------------------------------
@dataclass(frozen=True)
class Finding:
    """One check in words: what was tried, what Azure said, what to do."""

    name: str
    title: str
    ok: bool
    detail: str
    code: str
    scope: str
    todo: str
    # A provider that can be registered from here: (subscription, namespace).
    register: tuple[str, str] | None = None


def findings(connection: Connection) -> list[Finding]:
    """The last test's checks for people; what failed comes with its next step."""
    return [_finding(check) for check in connection.checks]


def _finding(check: dict[str, Any]) -> Finding:
    name, ok, code = check["name"], check["ok"], check.get("code", "")
    scope = check.get("scope", "")
    register = None
    if name == "provider" and not ok:
        parts = scope.strip("/").split("/")
        register = (parts[1], parts[-1]) if len(parts) == 4 else None
    return Finding(
        name=name,
        title=_TITLES[name]() if name in _TITLES else name,
        ok=ok,
        detail=check.get("detail", ""),
        code=code,
        scope=scope,
        todo="" if ok else _todo(name, code, check.get("detail", "")),
        register=register,
    )


_TITLES = {
    "endpoint": lambda: _("The endpoint answers"),
    "sign_in": lambda: _("The identity signs in"),
    "subscription": lambda: _("The subscription is visible"),
    "provider": lambda: _("The resource provider is registered"),
    "permission": lambda: _("The identity may read, write and delete"),
    "graph": lambda: _("Resource Graph answers"),
}


def _todo(name: str, code: str, detail: str) -> str:
    match name:
        case "endpoint":
            return next_step("unreachable")
        case "sign_in":
            if code == "Unreachable":
                return next_step("unreachable")
            from arm import SignInFailed

            return next_step(problem_of(SignInFailed(code, detail)))
        case "subscription":
            return _("Correct the subscription id, or give the identity Reader on it.")
        case "provider":
            return _("Register it: without it Azure refuses what is installed or configured there.")
        case "permission":
            return _(
                "Give the identity a role with these actions on the clusters' resource groups."
            )
        case "graph":
            return _("Let the identity read the subscriptions, or read by listing each cluster.")
    return ""
