"""What this process remembers of stored bitmaps: the ones used last, up to a number of bytes.

A version never changes, so nothing remembered can be out of date; it can only be no longer asked for.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import Any

from django.conf import settings
from django.db import connection

from scrm.common.bitmaps.stored import unpack

Place = tuple[int, str]  # version and name


class Gone(Exception):
    """A newer version took the place of what was asked for."""


class _Memory:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[Place, tuple[Any, int]] = OrderedDict()
        self.bytes = 0

    def find(self, places: Iterable[Place]) -> dict[Place, Any]:
        found = {}
        with self._lock:
            for place in places:
                if (entry := self._held.get(place)) is not None:
                    self._held.move_to_end(place)
                    found[place] = entry[0]
        return found

    def keep(self, place: Place, value: Any, size: int) -> None:
        with self._lock:
            if (old := self._held.pop(place, None)) is not None:
                self.bytes -= old[1]
            self._held[place] = value, size
            self.bytes += size
            while self.bytes > settings.BITMAP_CACHE_BYTES and len(self._held) > 1:
                _, (_, dropped) = self._held.popitem(last=False)
                self.bytes -= dropped

    def forget(self) -> None:
        with self._lock:
            self._held.clear()
            self.bytes = 0


_memory = _Memory()


def load(places: Collection[Place]) -> dict[Place, Any]:
    """What is stored at all of the places, in one query for those not remembered. Raises `Gone`.

    Callers never change what they get: others hold it too.
    """
    found = _memory.find(places)
    missing = [place for place in places if place not in found]
    if not missing:
        return found
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT b.version, b.name, b.data FROM common_bitmapblob b
            JOIN unnest(%s::bigint[], %s::text[]) AS w (version, name) ON w.version = b.version AND w.name = b.name
            """,
            [[version for version, _ in missing], [name for _, name in missing]],
        )
        for version, name, data in cursor:
            value, size = unpack(name, bytes(data))
            _memory.keep((version, name), value, size)
            found[version, name] = value
    if len(found) < len(set(places)):
        raise Gone
    return found


def one(place: Place) -> Any:
    """What is stored at one place. Raises `Gone`."""
    return load([place])[place]


def held_bytes() -> int:
    """About how many bytes this process holds."""
    return _memory.bytes


def forget() -> None:
    """Drop everything remembered."""
    _memory.forget()
