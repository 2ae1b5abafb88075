"""What workers do for this app; ids only, the database says the rest."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from configurations import observe, secrets
from configurations import sync_now as syncs
from configurations.source_checks import services as source_checks


@shared_task(ignore_result=True)
def observe_due() -> None:
    """What beat asks for every second: read what is watched and due."""
    observe.observe_due()


@shared_task(ignore_result=True)
def observe_one(configuration_id: int) -> None:
    """Read one configuration from Azure."""
    observe.observe_one(configuration_id)


@shared_task(ignore_result=True)
def secrets_clean_up() -> None:
    """What beat asks for every hour: delete the secrets that nothing can send any more."""
    secrets.secrets_clean_up()


_CHECK_SECONDS = int(settings.SOURCE_CHECKS["seconds"])


@shared_task(
    ignore_result=True, soft_time_limit=_CHECK_SECONDS + 20, time_limit=_CHECK_SECONDS + 40
)
def source_check_run(check_id: int) -> None:
    """Check one source; in a queue of its own."""
    source_checks.check_run(check_id)


@shared_task(ignore_result=True)
def sync_now(request_id: int) -> None:
    """Tell Flux to sync a configuration now."""
    syncs.sync_run(request_id)
