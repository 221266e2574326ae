"""How many members there are, for those who may see them."""

from __future__ import annotations

from django.core.cache import cache
from django.db import connection

from members.queries import scopes
from scrm.common.access import Actor

# Counting a large table takes a noticeable part of a page's time: from here on a count may be half a minute old.
LARGE = 200_000
KEEP_SECONDS = 30


def scope_key(actor: Actor) -> str:
    """Names the set of members that an actor sees, for keys of cached figures."""
    return f"{actor.scope}:{actor.region_id}:{actor.store_id}:{actor.staff_id}" if actor.scope != "all" else "all"


def count_members(actor: Actor) -> int:
    """Active members in the actor's scope."""
    key = f"analytics:members:{scope_key(actor)}"
    kept = cache.get(key)
    if isinstance(kept, int):
        return kept
    visible, params = scopes.member_sql(actor)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM members_member m WHERE m.status = 'active' AND {visible}",
            params,
        )
        count = int(cursor.fetchone()[0])
    if count >= LARGE:
        cache.set(key, count, KEEP_SECONDS)
    return count
