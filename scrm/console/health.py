"""GET /healthz: database, broker, worker and beat told apart, for people and for load balancers."""

from __future__ import annotations

import logging
from collections.abc import Callable

import redis
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponsePermanentRedirect, JsonResponse
from django.templatetags.static import static

from scrm.common import clock
from scrm.common.access import page
from scrm.common.queues import Queues
from scrm.common.tasks import BEAT_KEY

logger = logging.getLogger(__name__)

# Beat ticks every 10 s and a worker writes the time down; three missed ticks mean that one of them is down.
BEAT_MISSING_AFTER = 35.0


@page(allow=None)
def health(request: HttpRequest) -> JsonResponse:
    """200 and `"status": "ok"` when all four answer; else 503 and which one does not."""
    parts = {"database": _check(_database), "broker": _check(_broker), "worker": _check(_worker), "beat": _check(_beat)}
    healthy = all(value == "ok" for value in parts.values())
    return JsonResponse({"status": "ok" if healthy else "degraded", **parts}, status=200 if healthy else 503)


@page(allow=None)
def favicon(request: HttpRequest) -> HttpResponsePermanentRedirect:
    """Browsers ask for it by themselves on pages that name no icon."""
    return HttpResponsePermanentRedirect(static("console/mark.svg"))


class _Down(Exception):
    """Says in a word or two what is wrong; shown to anybody, so it names no host."""


def _check(probe: Callable[[], None]) -> str:
    try:
        probe()
    except _Down as down:
        return str(down)
    except (DatabaseError, redis.RedisError) as error:
        logger.warning("health: %s: %s", probe.__name__, error)
        return "unreachable"
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _broker() -> None:
    with _client() as client:
        client.ping()


def _worker() -> None:
    """A worker holds a blocking read on the broker while it waits, and writes the beat's time when it works."""
    if _beat_age() > BEAT_MISSING_AFTER and _waiting_workers() == 0:
        raise _Down("no worker")


def _beat() -> None:
    """Without a worker its ticks pile up in the queue: then it is the worker that is missing."""
    if _beat_age() > BEAT_MISSING_AFTER and _queued_ticks() == 0:
        raise _Down("silent")


def _beat_age() -> float:
    seen = cache.get(BEAT_KEY)
    return float("inf") if seen is None else clock.now().timestamp() - seen


def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def _queued_ticks() -> int:
    with _client() as client:
        return int(client.llen(Queues.DEFAULT.value))


def _waiting_workers() -> int:
    with _client() as client:
        return sum(1 for entry in client.client_list() if entry.get("cmd", "").lower() == "brpop")
