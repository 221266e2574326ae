"""How far ahead a new event can move the next instant at which time turns a condition, without asking the rows.

The stored instant of a member may be early, never late: an early one costs one more look. Three kinds of conditions
are told apart, so that most batches of events schedule by arithmetic instead of by queries:

- monotone: events only ever make it truer ("at least 3 in 7 days", "weighs at least 2.5"). While it is true, more
  events only put off its end; while it is false, time alone makes it no truer. Only when it *becomes* true the instant
  is computed.
- windowed: it asks whether there are events in the last while, in any sense ("none in 7 days"). Beside the instant
  known so far, the first that can matter is when the new event leaves the window.
- exact: the rest. The instant is computed anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from scrm.common import conditions
from scrm.common.conditions import FieldType, Leaf, Node
from scrm.common.conditions.durations import Duration
from scrm.common.conditions.topics import topics_of


class Mode(StrEnum):
    MONOTONE = "m"
    WINDOWED = "w"
    EXACT = "x"


@dataclass(frozen=True, slots=True)
class Bound:
    """How to schedule after new events; `shortest` and `longest` are the windows that a fact stays in, in hours."""

    mode: Mode
    shortest: timedelta | None = None
    longest: timedelta | None = None


# Of these every event of the window counts alike, so that a new one matters until it leaves.
_PRESENCE = frozenset({"event", "event.distinct", "event.amount", "event.first_at", "event.last_at", "event.sequence"})
_GROWING = frozenset({"event.count", "event.distinct", "event.weight"})
_AT_LEAST = frozenset({"ge", "gt"})
# A shift of the clocks, and what the calendar does to the ends of months.
_CLOCKS = timedelta(hours=3)
_MONTHS = timedelta(days=5)


def bound_of(node: Node) -> Bound:
    """How a condition is scheduled."""
    leaves = [leaf for leaf in conditions.leaves(node) if _is_about_events(leaf)]
    if all(_grows(leaf) for leaf in leaves) and _is_positive(node):
        return Bound(Mode.MONOTONE)
    if not all(_is_presence(leaf) for leaf in leaves):
        return Bound(Mode.EXACT)
    spans = [span for leaf in leaves for span in _spans(leaf)]
    if not spans:
        return Bound(Mode.WINDOWED)
    return Bound(Mode.WINDOWED, min(_least(span) for span in spans), max(_most(span) for span in spans))


def _is_about_events(leaf: Leaf) -> bool:
    return any(topic.startswith("event:") for topic in topics_of(leaf))


def _grows(leaf: Leaf) -> bool:
    """Whether one more event can only make the leaf true."""
    if leaf.field.key in ("event", "event.sequence"):
        return leaf.op == "true"
    return leaf.field.key in _GROWING and leaf.op in _AT_LEAST


def _is_positive(node: Node) -> bool:
    """Whether no event leaf stands under a negation."""
    if isinstance(node, Leaf):
        return True
    if node.op == "none" and any(_is_about_events(leaf) for leaf in conditions.leaves(node)):
        return False
    return all(_is_positive(child) for child in node.children)


def _is_presence(leaf: Leaf) -> bool:
    if leaf.field.key == "event.count":
        # At least one is the same as any.
        return (leaf.op, leaf.value) in (("ge", 1), ("gt", 0), ("lt", 1), ("le", 0), ("eq", 0), ("ne", 0))
    if leaf.field.key not in _PRESENCE:
        return False
    dated = leaf.field.type in (FieldType.DATE, FieldType.DATETIME)
    return not dated or leaf.op not in ("in_next", "anniversary_next", "anniversary_last", "anniversary_within")


def _spans(leaf: Leaf) -> list[Duration]:
    found = []
    if leaf.window is not None and leaf.window.last is not None:
        found.append(leaf.window.last)
    if leaf.op in ("in_last", "at_least_ago"):
        found.append(leaf.value)
    return found


def _least(span: Duration) -> timedelta:
    match span.unit:
        case "hour":
            return timedelta(hours=span.n)
        case "month":
            return timedelta(days=28 * span.n) - _MONTHS
        case _:
            return timedelta(days=span.n * (7 if span.unit == "week" else 1)) - _CLOCKS


def _most(span: Duration) -> timedelta:
    match span.unit:
        case "hour":
            return timedelta(hours=span.n)
        case "month":
            return timedelta(days=31 * span.n) + _MONTHS
        case _:
            return timedelta(days=span.n * (7 if span.unit == "week" else 1)) + _CLOCKS
