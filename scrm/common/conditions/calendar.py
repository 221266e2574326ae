"""When time alone moves a date or an instant across a bound: SQL expressions over its value.

Bounds are walked on the shop's calendar (`durations.Duration`), in both directions not always monotone: a month
before 29, 30 and 31 March is 28 February at the same hour, and the hour that a change of the clocks repeats is walked
twice. Every expression here is exact where the calendar is plain and a little early, in steps, where it is not; it is
never late and always after `as_of`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from scrm.common import clock
from scrm.common.conditions.durations import Duration
from scrm.common.conditions.sql import Sql, bind, compose

# Beyond this the clamping of months and a change of the clocks no longer matter.
_CLAMP = timedelta(days=4)
_CHANGE = timedelta(hours=3)
# How far before the bound of a window a fact may stand and still come back into it.
RETURNING = timedelta(days=5)
_STEADY_YEARS = 30


def next_midnight(as_of: datetime) -> datetime:
    """The first instant of the next shop day."""
    return clock.day_end(clock.shop_date(as_of))


def midnight_of(day: Sql) -> Sql:
    """The first instant of a shop day."""
    return compose("(({})::timestamp AT TIME ZONE {})", day, bind(str(clock.shop_zone())))


def entering(value: Sql, as_of: datetime) -> Sql:
    """The instant itself, while it is to come."""
    return compose("(SELECT x.v FROM (SELECT {} AS v) x WHERE x.v > {})", value, bind(as_of))


def crossing(value: Sql, span: Duration, sign: int, as_of: datetime) -> Sql:
    """When `span` before (sign 1) or after (-1) the present passes an instant: about `span` after or before it."""
    if span.unit == "hour":
        return compose(
            "(SELECT x.c FROM (SELECT {} + {}::interval AS c) x WHERE x.c > {})",
            value, bind(timedelta(hours=sign * span.n)), bind(as_of),
        )  # fmt: skip
    zone = bind(str(clock.shop_zone()))
    shifted = compose(
        f"((y.v AT TIME ZONE {{}}) + make_interval({'months' if span.unit == 'month' else 'days'} => {{}}))"
        " AT TIME ZONE {}",
        zone, bind(sign * (span.n * 7 if span.unit == "week" else span.n)), zone,
    )  # fmt: skip
    monthly = span.unit == "month"
    steady = (
        _is_steady(str(clock.shop_zone()), as_of.year) and (span.n if monthly else span.n / 28) < 12 * _STEADY_YEARS
    )
    if steady and not monthly:
        return compose(
            "(SELECT x.c FROM (SELECT {} AS c FROM (SELECT {} AS v) y) x WHERE x.c > {})",
            shifted, value, bind(as_of),
        )  # fmt: skip
    after = _CLAMP if monthly else _CHANGE
    changing = Sql("FALSE") if steady else _changing(after)
    clamped = compose("EXTRACT(day FROM x.v AT TIME ZONE {}) >= 28", zone) if monthly else Sql("FALSE")
    same_hour = compose(
        "(({}::date + (w.v AT TIME ZONE {})::time) AT TIME ZONE {})", bind(clock.shop_date(as_of)), zone, zone
    )
    return compose(
        """(SELECT CASE
              WHEN {} < w.c - w.early THEN w.c - w.early
              WHEN NOT w.changing AND NOT w.clamped THEN NULL
              WHEN {} >= w.c + {}::interval THEN NULL
              WHEN w.changing THEN {}
              ELSE LEAST({}, CASE WHEN {} > {} THEN {} END)
            END
            FROM (SELECT x.*, {} AS changing, {} AS clamped,
                         CASE WHEN {} THEN {}::interval ELSE '0'::interval END AS early
                  FROM (SELECT y.v, {} AS c FROM (SELECT {} AS v) y) x) w)""",
        bind(as_of), bind(as_of), bind(after), bind(_next_quarter(as_of)),
        bind(next_midnight(as_of)), same_hour, bind(as_of), same_hour,
        changing, clamped, changing, bind(_CHANGE), shifted, value,
    )  # fmt: skip


def _changing(after: timedelta) -> Sql:
    """Whether the clocks change near the instant `x.v` or near `x.c`, the one it is moved to."""
    zone = bind(str(clock.shop_zone()))

    def differs(name: str, later: timedelta) -> Sql:
        return compose(
            f"((x.{name} + {{}}::interval) AT TIME ZONE {{}}) - ((x.{name} - {{}}::interval) AT TIME ZONE {{}})"
            " <> {}::interval",
            bind(later + _CHANGE), zone, bind(_CHANGE), zone, bind(later + 2 * _CHANGE),
        )  # fmt: skip

    return compose("({} OR {})", differs("v", timedelta(days=1)), differs("c", after))


def day_crossing(value: Sql, span: Duration, sign: int, today: date) -> Sql:
    """The same for a date: the midnight at which `today - span` reaches it, or `today + span` gets past it."""
    monthly = span.unit == "month"
    days = span.n * 7 if span.unit == "week" else span.n
    if monthly:
        moved = compose("(y.v + make_interval(months => {}))::date", bind(sign * span.n))
        late = 5
    else:
        moved = compose("y.v + {}::int", bind(days if sign > 0 else 1 - days))
        late = 0
    reached = midnight_of(Sql("x.c"))
    return compose(
        "(SELECT CASE WHEN x.c > {}::date THEN {} WHEN x.c + {}::int > {}::date THEN {} END"
        " FROM (SELECT {} AS c FROM (SELECT {} AS v) y) x)",
        bind(today), reached, bind(late), bind(today), bind(clock.day_end(today)), moved, value,
    )  # fmt: skip


def day_begins(value: Sql, today: date, *, later: int = 0) -> Sql:
    """The midnight at which a date, or the day so many days after it, begins; NULL when it has."""
    return compose(
        "(SELECT {} FROM (SELECT {} + {}::int AS c) x WHERE x.c > {}::date)",
        midnight_of(Sql("x.c")), value, bind(later), bind(today),
    )  # fmt: skip


def anniversary(value: Sql, today: date, *, before: int, after: int) -> Sql:
    """The midnight at which a date's anniversary comes within `before` days, or is more than `after` days past."""
    year = bind(today.year)
    one = compose("(x.v + make_interval(years => {}::int - EXTRACT(year FROM x.v)::int + k))::date", year)
    near = compose(
        "(SELECT min(d) FROM (SELECT {} AS a FROM generate_series(-1, 2) AS k) y,"
        " LATERAL (VALUES (y.a - {}::int), (y.a + {}::int)) AS z (d) WHERE z.d > {}::date)",
        one, bind(before), bind(after + 1), bind(today),
    )  # fmt: skip
    return compose("(SELECT {} FROM (SELECT {} AS v) x WHERE x.v IS NOT NULL)", midnight_of(near), value)


def _next_quarter(as_of: datetime) -> datetime:
    """The clocks of the world change, and are apart, by whole quarters of an hour."""
    utc = as_of.astimezone(UTC)
    return utc.replace(minute=utc.minute // 15 * 15, second=0, microsecond=0) + timedelta(minutes=15)


@lru_cache(maxsize=32)
def _is_steady(zone: str, year: int) -> bool:
    """Whether the zone's clocks have not changed for a generation, nor are known to."""
    place = ZoneInfo(zone)
    return (
        len(
            {
                datetime(one, month, 1, tzinfo=UTC).astimezone(place).utcoffset()
                for one in range(max(year - _STEADY_YEARS - 3, 1), min(year + _STEADY_YEARS, 9_990))
                for month in range(1, 13)
            }
        )
        == 1
    )
