"""Chunks of long work side by side: threads of this process, each with a connection to Postgres of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import islice
from typing import TypeVar

from django.db import connection

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_lanes(work: Callable[[Item], Result], items: Iterable[Item], lanes: int) -> Generator[tuple[Item, Result]]:
    """Each item with what `work` made of it, in the order of the items, up to `lanes` of them at work at once.

    `work` commits by itself and acts for whoever acts here. An item is drawn when a lane is free, at most `lanes`
    beyond the last that was answered. What `work` raises is raised here in its turn; before that, and when the caller
    stops asking, what is at work is finished, so up to `lanes` items are done that were never answered: `work` must
    bear to be repeated. Inside a transaction, which no other connection could see into, everything is done here.
    """
    if connection.in_atomic_block:
        yield from ((item, work(item)) for item in items)
        return

    def lane(item: Item) -> Result:
        try:
            return work(item)
        finally:
            connection.close()

    rest, busy = iter(items), deque[tuple[Item, Future[Result]]]()
    with ThreadPoolExecutor(lanes, thread_name_prefix="lane") as pool:

        def start(number: int) -> None:
            busy.extend((item, pool.submit(copy_context().run, lane, item)) for item in islice(rest, number))

        start(lanes)
        while busy:
            item, future = busy.popleft()
            result = future.result()
            start(1)
            yield item, result
