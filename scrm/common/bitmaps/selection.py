"""Selecting members by a plan, among those that a scope leaves; the changed ones by SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyroaring import BitMap

from scrm.common.bitmaps import cache, solving
from scrm.common.bitmaps.plans import Plan, Stored, stored_parts
from scrm.common.bitmaps.solving import Unready, View

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Selection:
    """What the plans select among members that did not change, and the members that did: SQL has to answer for them.

    `everyone` are those of the scope; `sets` has one set per plan, in their order.
    """

    everyone: BitMap
    sets: list[BitMap]
    changed: BitMap
    view: View


def select(scope: Sequence[Plan], plans: Sequence[Plan], *, beside: Iterable[Stored] = ()) -> Selection:
    """Answer `plans` among the members that are in all of `scope`. Raises `Unready` when bitmaps cannot answer.

    `beside` are parts of plans that the caller will ask the view for, so that it is of the same instant.
    """
    parts = [*beside, *(part for plan in (*scope, *plans) for part in stored_parts(plan))]
    for _ in range(_TRIES):
        view = solving.open_view(parts)
        try:
            first, *narrower = scope
            everyone = view.members(first)
            for plan in narrower:
                everyone = view.solve(plan, everyone)
            if view.changed:
                everyone = everyone - view.changed
            return Selection(everyone, [view.solve(plan, everyone) for plan in plans], view.changed, view)
        except cache.Gone:  # built anew twice since: begin again with what holds now
            continue
    raise Unready
