"""Ring the open pages through Redis; without Redis they notice by the database's versions.

The message is a doorbell: whoever hears it asks the database. A lost one costs a second.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from functools import lru_cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

CHANNEL = "fluxgate.live"
# A write must not wait for a bell: short timeouts, and quiet for a while after a failure.
TIMEOUT_SECONDS = 0.2
QUIET_SECONDS = 5.0
_quiet_until = 0.0


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def publish(scopes: Sequence[str]) -> None:
    """Tell the listening processes that these scopes moved; never raises."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        _client(settings.REDIS_URL).publish(CHANNEL, json.dumps(list(scopes)))
    except (redis.RedisError, OSError) as error:
        _quiet_until = time.monotonic() + QUIET_SECONDS
        log.warning("Redis does not answer (%s); pages notice changes within a second.", error)
