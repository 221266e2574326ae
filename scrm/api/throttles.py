"""How many requests a key may make per minute. Counted in Redis, over all web processes."""

from __future__ import annotations

import functools
import logging
import time
from typing import TYPE_CHECKING

import redis
from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from scrm.common.models import ApiKey

if TYPE_CHECKING:  # the framework's views import the classes named in the settings
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)
WINDOW = 60  # seconds


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5)


class KeyRateThrottle(BaseThrottle):
    """A fixed window of one minute per key; beyond `per_minute` 429 with `Retry-After`."""

    def __init__(self) -> None:
        self.rest = 0.0

    def allow_request(self, request: Request, view: APIView) -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            return True
        window, passed = divmod(time.time(), WINDOW)
        self.rest = WINDOW - passed
        name = f"rate:{key.pk}:{int(window)}"
        try:
            with _client().pipeline(transaction=False) as pipe:
                pipe.incr(name)
                pipe.expire(name, 2 * WINDOW)
                count = int(pipe.execute()[0])
        except redis.RedisError:
            # Without Redis facts still have to come in: the limit protects, it does not guarantee.
            logger.warning("rate limits are off: Redis does not answer")
            return True
        return count <= key.per_minute

    def wait(self) -> float:
        return self.rest
