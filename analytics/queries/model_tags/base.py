"""What the models' statements share: whose facts, over which days, and the shape of the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.db.backends.utils import CursorWrapper

from analytics.enums import ModelKey
from scrm.common import clock

# With more members than this, what everybody does is taken from a fixed sample of about so many.
SAMPLE = 200_000
HELD_OUT_DAYS = 90

Population = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose facts are read: a statement that answers ids of active members, and its parameters."""

    sql: str
    params: dict[str, Any]

    @property
    def cte(self) -> str:
        return f"scope AS MATERIALIZED ({self.sql})"


def id_range(low: int, high: int) -> Scope:
    """Members with low < id ≤ high."""
    return Scope(
        "SELECT id FROM members_member WHERE id > %(id_above)s AND id <= %(id_upto)s AND status = 'active'",
        {"id_above": low, "id_upto": high},
    )


def sample(cursor: CursorWrapper, most: int = SAMPLE) -> Scope:
    """Everybody, or every n-th id when there are more than `most`."""
    cursor.execute("SELECT coalesce(max(id), 0) FROM members_member")
    stride = max(1, -(-int(cursor.fetchone()[0]) // most))
    return Scope(
        "SELECT id FROM members_member WHERE status = 'active' AND id %% %(id_stride)s = 0",
        {"id_stride": stride},
    )


def days(as_of: date, window: int, prefix: str = "") -> dict[str, Any]:
    """The parameters of a stretch of `window` shop days that ends with `as_of`."""
    return {
        f"{prefix}as_of": as_of,
        f"{prefix}since": clock.day_start(as_of - timedelta(days=window - 1)),
        f"{prefix}until": clock.day_end(as_of),
        "zone": settings.TIME_ZONE,
    }


def age(column: str, prefix: str = "") -> str:
    """Days between the shop day of an instant and the day of the run."""
    return f"%({prefix}as_of)s::date - ({column} AT TIME ZONE %(zone)s)::date"


def orders(columns: str, *, joins: str = "", prefix: str = "") -> str:
    """The counting orders of the scope in the stretch of the parameters with `prefix`."""
    return f"""
        SELECT o.member_id, {columns} FROM scope JOIN members_order o ON o.member_id = scope.id {joins}
        WHERE o.counts AND o.paid_at >= %({prefix}since)s AND o.paid_at < %({prefix}until)s
    """


# The lines of an order with their products' categories; lines without one say nothing.
LINES = """
    JOIN members_orderline l ON l.order_id = o.id
    JOIN members_product p ON p.id = l.product_id AND p.category <> ''
"""
# Answers to messages, as they stand on timelines.
ANSWERS = ("message.opened", "message.clicked")


def shown(score: str) -> str:
    """Two digits, halves upwards: `conclusions.shown`."""
    return f"floor(({score}) * 100 + 0.5) / 100"


@dataclass(frozen=True, slots=True)
class ModelSql:
    """One model over the tables.

    `learn` reads what everybody does, as JSON; `parameters` are those of `scores` given that. `scores` is a statement
    with a CTE `scope` before it: (member_id, value, others, score, evidence) of those who are not unknown.
    `later` measures, on a stretch after the conclusions of a CTE `concluded`, (value, facts, hits, hits by chance).
    """

    key: ModelKey
    learn: Callable[[CursorWrapper, Scope, date], Population]
    parameters: Callable[[Population, date], dict[str, Any]]
    scores: str
    later: str = ""
    later_parameters: Callable[[Population], dict[str, Any]] = lambda _population: {}


def shares(weights: dict[str, int], most: int = 0) -> dict[str, float]:
    """Everybody's shares; only of the `most` heaviest when given."""
    ranked = sorted(((weight, name) for name, weight in weights.items() if weight > 0), reverse=True)
    kept = ranked[:most] if most else ranked
    total = sum(weight for weight, _ in kept)
    return {name: weight / total for weight, name in kept}
