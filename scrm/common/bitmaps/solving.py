"""Answering a plan: from bitmaps where they are true, and from the rows for members that changed since.

`open_view` reads in one statement, so in one snapshot, which versions hold and who changed since: triggers note a
change in the transaction that makes it, and folding replaces notes by a new version in one transaction. Of everybody
else the bitmaps of those versions say what the rows said at that instant.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any

import numpy as np
from pyroaring import BitMap

from scrm.common import statements
from scrm.common.bitmaps import cache, families, numbers, rows
from scrm.common.bitmaps.families import ALL_KEYS, USUAL_KEY
from scrm.common.bitmaps.plans import Asked, Every, Having, Plan, Some, Stored, Within, Without, is_asked
from scrm.common.bitmaps.stored import CATALOGUE, TOUCHED, Codes, NumbersIndex, Overlay, ValuesIndex, bitmap, ids_of
from scrm.common.conditions import Sql, join
from scrm.common.conditions.compiler import compile_leaf

# SQL is asked about so many members by naming them; about more than that, by asking about everybody.
MOST_NAMED = 20_000
# Beyond this the list of changes is too long to be worth it: nobody folds, or a bulk load is on its way.
MOST_CHANGED = 50_000
_MOST_NOTES = 5_000


class Unready(Exception):
    """The bitmaps cannot answer now; the rows can."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The versions that hold."""

    base: int | None
    overlay: int | None


class View:
    """The bitmaps as of one instant, and the members whom they do not speak for."""

    def __init__(self, slots: dict[tuple[str, str], Slot], changed: BitMap) -> None:
        self._slots = slots
        self.changed = changed

    def stored(self, part: Stored) -> BitMap:
        """The members of a leaf of the plan. May be a set that others hold too: never change it."""
        slot = self._slots.get((part.family, part.key))
        if slot is None:  # of a complete family: nobody
            return BitMap()
        base = BitMap() if slot.base is None else _of_base(slot.base, part)
        if slot.overlay is None:
            return base
        touched: BitMap = cache.one((slot.overlay, TOUCHED))
        return (base - touched) | _of_overlay(cache.one((slot.overlay, f"{part.column}+")), part)

    def members(self, plan: Plan) -> BitMap:
        """The members of a plan that is one leaf. May be a set that others hold too: never change it."""
        if not isinstance(plan, Having | Within):
            raise TypeError("only a leaf stands for itself")
        return self.stored(plan)

    def solve(self, plan: Plan, among: BitMap) -> BitMap:
        """The members of `among` that the plan selects."""
        match plan:
            case Having() | Within():
                return among & self.stored(plan)
            case Asked():
                return among & asked(plan, among)
            case Every(parts):
                return self._every(parts, among)
            case Some(parts):
                return self._some(parts, among)
            case Without(parts):
                return self._without(parts, among)

    def _direct(self, plan: Plan) -> BitMap | None:
        """The members of a plan so simple that it is not worth looking among others only; None for other plans."""
        match plan:
            case Having() | Within():
                return self.stored(plan)
            case Every((Having() as first, Without((Within() as exception,)))):
                members, excepted = self.stored(first), self.stored(exception)
                return members - excepted if excepted else members
            case Some(parts) if parts:
                sets = [found for part in parts if (found := self._direct(part)) is not None]
                if len(sets) < len(parts):
                    return None
                return sets[0] if len(sets) == 1 else BitMap.union(*sets)
        return None

    def _every(self, parts: Sequence[Plan], among: BitMap) -> BitMap:
        direct, rest, questions = [among], [], []
        for part in parts:
            if isinstance(part, Asked):
                questions.append(part)
            elif (found := self._direct(part)) is not None:
                direct.append(found)
            else:
                rest.append(part)
        # The smallest first: each further step has less to do.
        left = reduce(and_, sorted(direct, key=len))
        for part in sorted(rest, key=lambda part: (is_asked(part), not isinstance(part, Without))):
            left = self.solve(part, left) if left else left
        if not questions or not left:
            return left
        if any(one.stack != questions[0].stack for one in questions):
            return reduce(lambda found, one: self.solve(one, found), questions, left)
        leaves = tuple(leaf for one in questions for leaf in one.leaves)
        return self.solve(Asked(leaves, questions[0].as_of, questions[0].stack), left)

    def _some(self, parts: Sequence[Plan], among: BitMap) -> BitMap:
        found, rest = BitMap(), []
        for part in parts:
            if (direct := self._direct(part)) is None:
                rest.append(part)
            else:
                found = found | direct
        found = among & found
        for part in sorted(rest, key=is_asked):
            found = found | self.solve(part, among - found if is_asked(part) else among)
        return found

    def _without(self, parts: Sequence[Plan], among: BitMap) -> BitMap:
        left = among
        for part in sorted(parts, key=is_asked):
            direct = self._direct(part)
            left = left - (self.solve(part, left) if direct is None else direct)
        return left


def open_view(parts: Iterable[Stored]) -> View:
    """The bitmaps that answer `parts`, as of now. Raises `Unready`."""
    wanted = {(part.family, part.key) for part in parts}
    keyed = {family for family, _ in wanted if families.get(family).key is not None}
    asked_for = [*wanted, *((family, ALL_KEYS) for family in keyed)]
    listed = "\x1f".join(f"{family}\x1e{key}" for family, key in asked_for)
    found = statements.read(_look(), {"asked": listed})
    slots = {(row[0], row[1]): Slot(row[2], row[3]) for row in found if not row[4]}
    notes = [row[5] for row in found if row[4]]
    for family, key in wanted:
        if ((family, ALL_KEYS) if family in keyed else (family, key)) not in slots:
            raise Unready
    if len(notes) >= _MOST_NOTES or any(note is None for note in notes):
        raise Unready
    changed = BitMap()
    for note in notes:
        changed.update(note)
    if len(changed) > MOST_CHANGED:
        raise Unready
    return View(slots, changed)


@functools.cache
def _look() -> str:
    """The statement of `open_view`, for any parts: planning it takes as long as running it."""
    usual = "".join(
        f" WHEN '{family.name}' THEN ({family.usual_key})" for family in families.every() if family.usual_key
    )
    key = f"CASE WHEN l.asked = '{USUAL_KEY}' THEN CASE l.family{usual} END ELSE l.asked END" if usual else "l.asked"
    return f"""
        WITH w (family, asked, key) AS MATERIALIZED (
            SELECT l.family, l.asked, {key} FROM (
                SELECT split_part(one, E'\\x1e', 1) AS family, split_part(one, E'\\x1e', 2) AS asked
                FROM unnest(string_to_array(%(asked)s, E'\\x1f')) AS one
            ) l
        )
        SELECT w.family, w.asked, s.base, s.overlay, FALSE, NULL::bigint[]
        FROM w JOIN common_bitmapslot s ON s.family = w.family AND s.key = w.key
        UNION ALL
        (SELECT w.family, w.asked, NULL, NULL, TRUE, c.member_ids
         FROM w JOIN common_bitmapchange c ON c.family = w.family AND c.key = w.key LIMIT {_MOST_NOTES})
    """


class _Shelf:
    """The parts of one version."""

    def __init__(self, version: int) -> None:
        self._version = version

    def members(self, name: str) -> BitMap:
        found: BitMap = cache.one((self._version, name))
        return found

    def codes(self, name: str) -> Codes:
        found: Codes = cache.one((self._version, name))
        return found


def catalogue_column(version: int, column: str) -> ValuesIndex | NumbersIndex:
    """What a base says about a column. Raises `Unready` when it has too many values to be indexed."""
    found: ValuesIndex | NumbersIndex | None = cache.one((version, CATALOGUE)).columns.get(column)
    if found is None:
        raise Unready
    return found


def _of_base(version: int, part: Stored) -> BitMap:
    index = catalogue_column(version, part.column)
    if isinstance(part, Within):
        assert isinstance(index, NumbersIndex)  # noqa: S101  # the plan follows the kind of the column
        return numbers.within(_Shelf(version), part.column, index, part.ranges)
    if part.test is None:
        present: BitMap = cache.one((version, part.column))
        return present
    assert isinstance(index, ValuesIndex)  # noqa: S101
    chosen = [n for n, value in enumerate(index.values) if part.test(value)]
    places = [(version, f"{part.column}={n}") for n in chosen]
    found = list(cache.load(places).values())
    return found[0] if len(found) == 1 else BitMap.union(BitMap(), *found)


def _of_overlay(pairs: Overlay, part: Stored) -> BitMap:
    if isinstance(part, Within):
        held = np.zeros(len(pairs.codes), np.bool_)
        for low, high in part.ranges:
            inside = np.ones(len(pairs.codes), np.bool_)
            if low is not None:
                inside &= pairs.codes >= low
            if high is not None:
                inside &= pairs.codes < high
            held |= inside
        return bitmap(pairs.ids[held])
    if part.test is None:
        return bitmap(pairs.ids)
    chosen = [n for n, value in enumerate(pairs.values) if part.test(value)]
    return bitmap(pairs.ids[np.isin(pairs.codes, chosen)])


def asked(plan: Asked, among: BitMap) -> BitMap:
    """The active members for whom the leaves hold, by SQL: of `among` when they are few, else of everybody."""
    tests = join(" AND ", [compile_leaf(leaf, as_of=plan.as_of, stack=plan.stack) for leaf in plan.leaves])
    return matching(tests, among if len(among) <= MOST_NAMED else None)


def matching(test: Sql, among: BitMap | None) -> BitMap:
    """The active members that pass a test over alias `m`; only those of `among` are looked at when it is given."""
    if among is not None and not among:
        return BitMap()
    named = "" if among is None else "m.id = ANY(%s) AND "
    params: list[Any] = [] if among is None else [ids_of(among).tolist()]
    (ids,) = rows.integers(
        f"SELECT m.id FROM members_member m WHERE {named}m.status = 'active' AND ({test.text})",
        [*params, *test.params],
        1,
    )
    return bitmap(ids)
