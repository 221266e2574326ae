"""One key, one effect: the answer of a request is stored in the transaction of what it did, and replayed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.utils.translation import gettext as _

from scrm.common.errors import Conflict, DomainError, Invalid
from scrm.common.models import IdempotencyRecord
from scrm.common.transactions import atomic

KEPT_FOR = timedelta(hours=24)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Answer(NamedTuple):
    status: int
    body: bytes
    replayed: bool


def once(
    *,
    actor: str,
    key: str,
    method_path: str,
    body: bytes,
    work: Callable[[], tuple[int, bytes]],
    now: datetime,
) -> Answer:
    """Do `work` unless this actor has done it under this key; then its answer again.

    The key is claimed before the work. When the work raises, nothing is kept and the key stays free. Raises
    `DomainError` (`bad_idempotency_key`) for a malformed key, `Conflict` (`in_flight`) while another request holds it,
    `Invalid` (`idempotency_key_reused`) when it was used for another request.
    """
    if not _KEY.fullmatch(key):
        raise DomainError(_("An Idempotency-Key is 1 to 255 visible ASCII characters."), code="bad_idempotency_key")
    digest = hashlib.sha256(body).hexdigest()
    method_path = method_path[:255]
    with atomic():
        if not _claim(actor, key):
            raise Conflict(_("A request with this key is being worked on."), code="in_flight")
        known = IdempotencyRecord.objects.filter(actor=actor, key=key).first()
        if known is not None and known.created_at > now - KEPT_FOR:
            if (known.body_digest, known.method_path) != (digest, method_path):
                raise Invalid(_("This Idempotency-Key was used for another request."), code="idempotency_key_reused")
            return Answer(known.status, bytes(known.answer), replayed=True)
        if known is not None:
            known.delete()
        status, answer = work()
        IdempotencyRecord.objects.create(
            actor=actor,
            key=key,
            method_path=method_path,
            body_digest=digest,
            status=status,
            answer=answer,
            created_at=now,
        )
    return Answer(status, answer, replayed=False)


def purge(*, now: datetime) -> int:
    """Delete answers that are older than a day. Returns how many."""
    with atomic():
        return IdempotencyRecord.objects.filter(created_at__lt=now - KEPT_FOR).delete()[0]


def _claim(actor: str, key: str) -> bool:
    number = int.from_bytes(hashlib.sha256(f"{actor}\0{key}".encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        return bool(cursor.fetchone()[0])
