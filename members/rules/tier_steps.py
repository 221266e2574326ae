"""What becomes of a member's earned tier: reached, kept, lost. Pure, and the only place that decides it.

`step` brings a standing from what it was to an instant; `replay` does so from the beginning, from facts alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo

from members.rules.tiers import MOMENT, Almanac, Facts, Rung, Scheme, Span

Values = Callable[[Span], int]
# No clock jumps further than so many terms at once.
MOST_TERMS = 1_000


@dataclass(frozen=True, slots=True)
class Standing:
    """An earned tier. `ends_at` is its end without, `expires_at` with the days of extension; None: it never ends.

    What becomes of it is decided at `decide_at`, after the days of grace. It was earned by at least `needed` in the
    window `basis`, whose end is open where the window has no end of its own.
    """

    tier_id: int
    since: datetime
    ends_at: datetime | None = None
    expires_at: datetime | None = None
    decide_at: datetime | None = None
    basis_from: datetime | None = None
    basis_to: datetime | None = None
    needed: int = 0
    cycle: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """What happened: `value` against `needed` in the window `span`."""

    kind: str  # a TierMoveKind
    reason: str  # a TierReason
    before: int | None
    after: int
    at: datetime
    value: int
    needed: int
    span: Span
    cycle: int


def step(
    almanac: Almanac, standing: Standing | None, values: Values, *, now: datetime, refunded: bool = False
) -> tuple[Standing | None, list[Move]]:
    """Bring a standing up to an instant; None stands for the lowest tier that nothing was ever decided about.

    `refunded`: something was taken away since; what was earned by it is looked at again where the scheme says so.
    A tier is never lost before it is decided on, whatever the scheme has become meanwhile.
    """
    moves: list[Move] = []
    for _ in range(MOST_TERMS):
        if standing is None or standing.ends_at is None or standing.ends_at > now:
            break
        decided = _at_the_end(almanac, standing, values, now)
        if decided is None:
            break
        standing, move = decided
        moves.append(move)
    if refunded and almanac.scheme.on_refund == "at_once" and standing is not None:
        lost = _refunded(almanac, standing, values, now)
        if lost is not None:
            standing, move = lost
            moves.append(move)
    risen = _risen(almanac, standing, values, now)
    if risen is not None:
        standing, move = risen
        moves.append(move)
    return standing, moves


def next_check(
    almanac: Almanac, standing: Standing | None, values: Values, *, now: datetime, noticed: bool
) -> datetime | None:
    """The next instant at which time alone can change something: a notice, an end, a decision, a period that begins."""
    scheme = almanac.scheme
    instants: list[datetime | None] = []
    if standing is not None:
        instants += [standing.ends_at, standing.decide_at]
        if not noticed and scheme.downgrade != "keep":
            instants.append(almanac.notice(standing.expires_at))
    if scheme.start == "next_period":
        level = 1 if standing is None else scheme.level(standing.tier_id)
        if scheme.reached(values(almanac.window_now(now))).level > level:
            instants.append(almanac.period_end(now))
    return min((instant for instant in instants if instant is not None and instant > now), default=None)


def retention(almanac: Almanac, standing: Standing, now: datetime) -> tuple[int, Span] | None:
    """What keeps a tier when it ends, and the window in which it is earned, as far as it has come; None: it never ends.

    What comes in the days of extension and of grace still counts.
    """
    if standing.ends_at is None or standing.decide_at is None:
        return None
    start, end = almanac.window(standing.ends_at)
    rung = almanac.scheme.rung(almanac.scheme.level(standing.tier_id))
    return rung.retention, (start, min(now + MOMENT, max(end, standing.decide_at)))


def replay(
    schemes: Sequence[tuple[datetime, Scheme]],
    facts: Mapping[str, Facts],
    *,
    joined_on: date,
    zone: tzinfo,
    until: datetime,
) -> tuple[Standing | None, list[Move]]:
    """What a member's tier was at an instant, and how it came to be, from facts as they are known now.

    `schemes` are the versions in order, each with the instant from which it counts; `facts` are by what versions count.
    """
    begun = [(at, scheme) for at, scheme in schemes if at <= until]
    if not begun:
        return None, []
    standing: Standing | None = None
    moves: list[Move] = []
    for number, (at, scheme) in enumerate(begun):
        almanac = Almanac(scheme, joined_on, zone)
        known = facts[scheme.basis]
        values = known.total
        end = begun[number + 1][0] if number + 1 < len(begun) else until
        times = [at, *(instant for instant in known.instants if at < instant < end)]
        last = at
        for now in [*times, end]:
            # Whatever time alone brings between two facts.
            due = next_check(almanac, standing, values, now=last, noticed=True)
            while due is not None and due < now:
                standing, more = step(almanac, standing, values, now=due)
                moves += more
                last, due = due, next_check(almanac, standing, values, now=due, noticed=True)
            if now == end and end != until:
                break
            standing, more = step(almanac, standing, values, now=now)
            moves += [replace(move, kind="introduced") for move in more] if now == begun[0][0] else more
            last = now
    return standing, moves


def _at_the_end(almanac: Almanac, standing: Standing, values: Values, now: datetime) -> tuple[Standing, Move] | None:
    """A tier has ended: kept as soon as what keeps it is there, else decided on after the days of grace."""
    scheme = almanac.scheme
    assert standing.ends_at is not None and standing.decide_at is not None  # noqa: S101, PT018  # it has ended
    decide_at = standing.decide_at
    start, end = almanac.window(standing.ends_at)
    span = (start, max(end, min(now + MOMENT, decide_at)))
    value = values(span)
    level = scheme.level(standing.tier_id)
    rung = scheme.rung(level)
    if value >= rung.retention:
        kept_at = standing.ends_at if values((start, end)) >= rung.retention else min(now, decide_at)
        kept = _new(almanac, standing, rung, kept_at, almanac.renewed(standing.ends_at), span, rung.retention)
        return kept, _move("retained", "retention", standing, kept, kept_at, value, rung.retention, span)
    if now < decide_at:
        return None
    again = almanac.window(decide_at)
    earned_again = scheme.reached(values(again)) if scheme.start == "at_once" else scheme.base
    if earned_again.level >= level:
        # What the next window has brought already is as good.
        kept = _new(almanac, standing, rung, decide_at, almanac.ends(decide_at), again, rung.threshold)
        return kept, _move("retained", "reached", standing, kept, decide_at, values(again), rung.threshold, again)
    if scheme.downgrade == "keep":
        kept = _new(almanac, standing, rung, decide_at, almanac.renewed(standing.ends_at), span, 0)
        return kept, _move("retained", "policy", standing, kept, decide_at, value, rung.retention, span)
    target = scheme.rung(level - 1) if scheme.downgrade == "one" else _below(scheme, value, level)
    if earned_again.level > target.level:
        lower = _new(almanac, standing, earned_again, decide_at, almanac.ends(decide_at), again, earned_again.threshold)
    else:
        needed = min(target.threshold, value)
        lower = _new(almanac, standing, target, decide_at, almanac.renewed(standing.ends_at), span, needed)
    return lower, _move("downgraded", "expired", standing, lower, decide_at, value, rung.retention, span)


def _below(scheme: Scheme, value: int, level: int) -> Rung:
    """The level that a value earns, below the one that it did not keep."""
    return min(scheme.reached(value), scheme.rung(level - 1), key=lambda one: one.level)


def _refunded(almanac: Almanac, standing: Standing, values: Values, now: datetime) -> tuple[Standing, Move] | None:
    """What it was earned by is not there any more: down to what is still earned."""
    scheme = almanac.scheme
    level = scheme.level(standing.tier_id)
    if level == 1 or standing.basis_from is None:
        return None
    span = (standing.basis_from, min(standing.basis_to or now + MOMENT, now + MOMENT))
    value = values(span)
    if value >= standing.needed:
        return None
    reached = scheme.reached(values(almanac.window_now(now))) if scheme.start == "at_once" else scheme.base
    if reached.level >= level:
        return None
    target = max(_below(scheme, value, level), reached, key=lambda one: one.level)
    lower = replace(
        standing, tier_id=target.tier_id, since=now, needed=min(target.threshold, value), cycle=standing.cycle + 1
    )
    if target.level == 1:
        lower = replace(lower, ends_at=None, expires_at=None, decide_at=None)
    return lower, _move("downgraded", "refund", standing, lower, now, value, standing.needed, span)


def _risen(almanac: Almanac, standing: Standing | None, values: Values, now: datetime) -> tuple[Standing, Move] | None:
    """A higher step is reached: at once, or by what the last period brought when the next one has begun."""
    scheme = almanac.scheme
    at = now if scheme.start == "at_once" else almanac.period_start(now)
    span = almanac.window_now(now) if scheme.start == "at_once" else almanac.window(at)
    value = values(span)
    rung = scheme.reached(value)
    if rung.level <= (1 if standing is None else scheme.level(standing.tier_id)):
        return None
    higher = _new(almanac, standing, rung, at, almanac.ends(at), span, rung.threshold)
    before = standing.tier_id if standing is not None else scheme.base.tier_id
    return higher, Move("upgraded", "reached", before, rung.tier_id, at, value, rung.threshold, span, higher.cycle)


def _new(
    almanac: Almanac,
    former: Standing | None,
    rung: Rung,
    since: datetime,
    ends: datetime | None,
    span: Span,
    needed: int,
) -> Standing:
    if rung.level == 1:
        ends = None
    same = former is not None and former.tier_id == rung.tier_id
    closed = almanac.scheme.window in ("calendar", "anniversary")
    return Standing(
        tier_id=rung.tier_id,
        since=former.since if same and former is not None else since,
        ends_at=ends,
        expires_at=almanac.expires(ends),
        decide_at=almanac.decides(ends),
        basis_from=span[0],
        # What comes later in the same period makes up for what is refunded of it.
        basis_to=max(almanac.period_end(span[1] - MOMENT), span[1]) if closed else None,
        needed=needed,
        cycle=(former.cycle if former is not None else 0) + 1,
    )


def _move(
    kind: str, reason: str, before: Standing, after: Standing, at: datetime, value: int, needed: int, span: Span
) -> Move:
    return Move(kind, reason, before.tier_id, after.tier_id, at, value, needed, span, after.cycle)
