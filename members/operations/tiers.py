"""The tiers of members: reached and kept by facts, lost by time, set by hand.

What becomes of a tier is decided by `members.rules.tier_steps` alone. It is asked for the members that a batch of facts
touched, in its transaction (`react`); for those whose time has come (`evaluate_due`); and for everybody when the ladder
was changed, and every night to be sure (`evaluate_everyone`), where one statement per range of members finds the few
of whom anything can be different.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _

from members.models import TierScheme
from members.operations import summaries, tier_effects, tier_rows
from members.operations.tier_effects import Change
from members.operations.tier_rows import State
from members.queries import tier_facts, tier_schemes
from members.rules import tier_steps
from members.rules.tier_holdings import Hand, Paid
from members.rules.tier_steps import Move
from members.rules.tiers import Almanac, Facts, Scheme, Span
from scrm.common import audit, clock
from scrm.common.errors import Invalid, NotFound
from scrm.common.gates import Signatures
from scrm.common.reactions import Facts as Batch
from scrm.common.transactions import atomic

TOPIC = "tier"
_CHUNK = 5_000
_RANGE = 100_000
_BASIS_TOPICS = {"growth": "points:growth", "spend": "order", "orders": "order"}
# The longest reason of a person.
LONGEST_REASON = 200


class _Unknown(Exception):
    """Another window than the one that was added up beforehand is asked for."""


def react(facts: Batch, _signatures: Signatures) -> None:
    """Tiers of the members whom a batch touched in what tiers are earned by. Inside its transaction."""
    if not facts.topics.intersection(_BASIS_TOPICS.values()):
        return
    scheme = tier_schemes.current(facts.now)
    if scheme is None:
        return
    touched = facts.touched(_BASIS_TOPICS[scheme.basis])
    if touched:
        _evaluate(scheme, touched, now=facts.now, fresh=True)


def evaluate_due(*, now: datetime, limit: int = 1_000) -> int:
    """Look at up to `limit` members whose tier can change by time alone; answers how many were looked at.

    Several may do so at once: each passes over the members that another one is busy with.
    """
    scheme = tier_schemes.current(now)
    if scheme is None:
        return 0
    with atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT member_id FROM members_membertier WHERE next_check_at <= %s ORDER BY next_check_at LIMIT %s",
                [now, limit],
            )
            due = [member_id for (member_id,) in cursor.fetchall()]
        held = summaries.hold(due, wait=False) if due else []
        _evaluate(scheme, held, now=now)
        return len(held)


def evaluate(*, member_ids: Collection[int], now: datetime) -> int:
    """Bring the tiers of these members up to date; answers how many changed. One transaction."""
    scheme = tier_schemes.current(now)
    if scheme is None:
        return 0
    with atomic():
        return _evaluate(scheme, member_ids, now=now)


def follow_move(*, from_member: int, to_member: int, now: datetime) -> None:
    """A ledger has moved, with the growth of any time: bring the tiers of both up to date. Inside its transaction.

    Reaching a tier by it brings the gifts of reaching one. What the tiers of the first had brought moved with the
    ledger: it is neither taken back with a tier that goes, nor given again with one that comes back.
    """
    scheme = tier_schemes.current(now)
    if scheme is not None and scheme.basis == "growth":
        for member_id in (from_member, to_member):
            _evaluate(scheme, [member_id], now=now, fresh=True, of_any_time=True, gifts=member_id == to_member)


def evaluate_everyone(*, now: datetime, report: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Bring everybody's tier up to date; answers how many changed. Safe to repeat: what is right is not written.

    The first time after the ladder was introduced members are placed without events and gifts; when it was changed,
    gifts are given where the version says so.
    """
    row = tier_schemes.row_in_effect(now)
    scheme = tier_schemes.current(now)
    if row is None or scheme is None:
        return 0
    gifts = row.applied_at is not None or row.gifts_on_change
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(id), 0) FROM members_member")
        highest: int = cursor.fetchone()[0]
    total = max(1, -(-(highest + 1) // _RANGE))
    changed = 0
    for number in range(total):
        found = _candidates(scheme, low=number * _RANGE, high=(number + 1) * _RANGE, now=now)
        for start in range(0, len(found), _CHUNK):
            with atomic():
                changed += _evaluate(scheme, found[start : start + _CHUNK], now=now, gifts=gifts)
        report(number + 1, total)
    with atomic():
        TierScheme.objects.filter(version__lte=row.version, applied_at=None).update(applied_at=now)
    return changed


def set_by_hand(*, member_id: int, tier_id: int, until: datetime, reason: str, now: datetime) -> None:
    """Give a member a tier until an instant, with a reason. Above what is earned, the higher counts; below, this one.

    Audited, and on the timeline. Raises `Invalid` (`reason_missing`, `bad_reason`, `unknown_tier`, `in_past`,
    `too_far`, `no_ladder`), `NotFound`.
    """
    if not reason.strip():
        raise Invalid(_("Say why."), code="reason_missing", field="reason")
    if len(reason) > LONGEST_REASON or not reason.replace("\n", " ").isprintable():
        raise Invalid(_("A reason is at most 200 characters."), code="bad_reason", field="reason")
    if until <= now:
        raise Invalid(_("This lies in the past."), code="in_past", field="until")
    if until > almost_never(now):
        raise Invalid(_("At most 10 years."), code="too_far", field="until")
    scheme = _scheme(now)
    if tier_id not in {rung.tier_id for rung in scheme.rungs}:
        raise Invalid(_("There is no such tier."), code="unknown_tier", field="tier")
    with atomic():
        state = _one(member_id)
        below = scheme.level(tier_id) < scheme.level(state.held(scheme, now).tier_id)
        audit.record(
            action="tier_set", object_type="members_member", object_id=member_id,
            detail={"tier": tier_id, "until": until.isoformat(), "reason": reason},
        )  # fmt: skip
        _settle(scheme, replace(state, hand=Hand(tier_id, now, until, below)), now=now, why=reason.strip())


def end_by_hand(*, member_id: int, now: datetime) -> None:
    """Take back what was set by hand: what is earned or paid for counts again. Raises `NotFound`."""
    with atomic():
        state = _one(member_id)
        if state.hand is not None:
            audit.record(action="tier_unset", object_type="members_member", object_id=member_id)
            _settle(_scheme(now), replace(state, hand=None), now=now)


def set_paid(*, member_id: int, paid: Paid | None, now: datetime) -> None:
    """The tier of the member's running memberships has changed. Inside a transaction that holds the member."""
    scheme = tier_schemes.current(now)
    states = tier_rows.read([member_id])
    if scheme is not None and states and states[0].paid != paid:
        _settle(scheme, replace(states[0], paid=paid), now=now)


def almost_never(now: datetime) -> datetime:
    """Later than anybody sets anything by hand."""
    return clock.day_start(clock.shop_date(now).replace(year=clock.shop_date(now).year + 10, day=1))


def _scheme(now: datetime) -> Scheme:
    found = tier_schemes.current(now)
    if found is None:
        raise Invalid(_("There are no tiers yet."), code="no_ladder")
    return found


def _one(member_id: int) -> State:
    summaries.hold([member_id])
    states = tier_rows.read([member_id])
    if not states:
        raise NotFound(_("There is no such member."), code="unknown_member")
    return states[0]


def _settle(scheme: Scheme, state: State, *, now: datetime, why: str = "") -> None:
    """Something else than facts has changed: bring the member up to date from there."""
    if state.tier_id is None:
        state = replace(state, tier_id=scheme.base.tier_id, since=now)
    tier_rows.write([state])
    _evaluate(scheme, [state.member_id], now=now, why=why)


def _candidates(scheme: Scheme, *, low: int, high: int, now: datetime) -> list[int]:
    """The members of a range of ids of whom anything can be different: one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH v AS MATERIALIZED ({tier_facts.at_most_sql(scheme.basis)})
            SELECT m.id FROM members_member m
            LEFT JOIN v ON v.member_id = m.id LEFT JOIN members_membertier t ON t.member_id = m.id
            WHERE m.id >= %(low)s AND m.id < %(high)s AND m.status = 'active' AND (
                width_bucket(COALESCE(v.value, 0), %(thresholds)s::bigint[])
                > COALESCE((%(levels)s::jsonb ->> t.earned_tier_id::text)::int, 1)
                OR t.next_check_at <= %(now)s
            )
            ORDER BY m.id
            """,  # fixed texts
            {
                "low": low, "high": high, "currency": tier_facts.growth_id(), "now": now,
                "start": _earliest(scheme, now),
                "thresholds": [rung.threshold for rung in scheme.rungs],
                "levels": tier_schemes.levels_json(scheme),
            },
        )  # fmt: skip
        return [member_id for (member_id,) in cursor.fetchall()]


def _earliest(scheme: Scheme, now: datetime) -> datetime:
    """Before this nothing counts for anybody's upgrade: bounds the years of membership by the longest one."""
    almanac = Almanac(scheme, clock.shop_date(now), clock.shop_zone())
    if scheme.window == "anniversary":
        return almanac.later(now, -366 if scheme.start == "at_once" else -732)
    end = now if scheme.start == "at_once" else almanac.period_start(now)
    return almanac.window(end)[0]


def _evaluate(
    scheme: Scheme,
    member_ids: Collection[int],
    *,
    now: datetime,
    fresh: bool = False,
    of_any_time: bool = False,
    gifts: bool = True,
    why: str = "",
) -> int:
    """Decide about these members, write what differs, and let follow what follows. Inside a transaction.

    `fresh`: facts have just come, so that what was taken away and what came late is looked at. `of_any_time`: whatever
    the window, they may be from before it.
    """
    if not member_ids:
        return 0
    summaries.hold(member_ids)
    zone = clock.shop_zone()
    states = tier_rows.read(member_ids)
    almanacs = {state.member_id: Almanac(scheme, state.joined_on, zone) for state in states}
    windows = {member_id: almanac.window_now(now) for member_id, almanac in almanacs.items()}
    sums = tier_facts.sums(scheme.basis, windows)
    refunded = fresh and scheme.on_refund == "at_once"
    late = set(almanacs) if of_any_time else _late(scheme, almanacs, now) if fresh else set()
    changes: list[Change] = []
    harder: list[State] = []
    for state in states:
        if state.member_id in late:
            harder.append(state)
            continue
        known = (windows[state.member_id], sums[state.member_id])
        try:
            changes.append(_decide(almanacs[state.member_id], state, _only(known), now=now, refunded=refunded))
        except _Unknown:
            harder.append(state)
    if harder:
        facts = tier_facts.of_members(scheme.basis, [state.member_id for state in harder])
        for state in harder:
            almanac, own = almanacs[state.member_id], facts[state.member_id]
            change = _decide(almanac, state, own.total, now=now, refunded=refunded)
            if state.member_id in late:
                change = _mended(almanac, change, own, now)
            changes.append(change)
    return tier_effects.apply(scheme, changes, now=now, gifts=gifts, why=why)


def _only(known: tuple[Span, int]) -> tier_steps.Values:
    """Values of the one window that was added up."""
    window, value = known

    def values(span: Span) -> int:
        if span != window:
            raise _Unknown
        return value

    return values


def _decide(almanac: Almanac, state: State, values: tier_steps.Values, *, now: datetime, refunded: bool) -> Change:
    standing, moves = tier_steps.step(almanac, state.standing, values, now=now, refunded=refunded)
    return _change(almanac, state, standing, moves, values, now)


def _change(
    almanac: Almanac,
    state: State,
    standing: tier_steps.Standing | None,
    moves: list[Move],
    values: tier_steps.Values,
    now: datetime,
) -> Change:
    after = replace(state, standing=standing).settled(almanac.scheme, now)
    notice = _notice(almanac, after, values, now)
    if notice is not None and standing is not None:
        after = replace(after, noticed_cycle=standing.cycle)
    noticed = standing is not None and after.noticed_cycle == standing.cycle
    due = [
        tier_steps.next_check(almanac, standing, values, now=now, noticed=noticed),
        after.hand.until if after.hand is not None else None,
        after.paid.until if after.paid is not None else None,
    ]
    after = replace(after, next_check_at=min((at for at in due if at is not None), default=None))
    return Change(state, after, moves, notice)


def _notice(almanac: Almanac, after: State, values: tier_steps.Values, now: datetime) -> tier_effects.Notice | None:
    """The tier expires soon, and what keeps it is not there yet: said once a term, N days before."""
    standing = after.standing
    if standing is None or standing.expires_at is None or after.noticed_cycle == standing.cycle:
        return None
    at = almanac.notice(standing.expires_at)
    if at is None or not at <= now < standing.expires_at or almanac.scheme.downgrade == "keep":
        return None
    wanted = tier_steps.retention(almanac, standing, now)
    if wanted is None or after.source != "earned":
        return None
    needed, span = wanted
    value = values(span)
    return None if value >= needed else tier_effects.Notice(standing.expires_at, value, needed, span)


def _late(scheme: Scheme, almanacs: dict[int, Almanac], now: datetime) -> set[int]:
    """Members whose new facts are from before what is looked at now: they are played through from the beginning."""
    if scheme.window not in ("calendar", "anniversary") or not almanacs:
        return set()
    starts = {member_id: almanac.period_start(now) for member_id, almanac in almanacs.items()}
    return set(tier_facts.late(scheme.basis, list(starts), before=max(starts.values()), now=now))


def _mended(almanac: Almanac, change: Change, facts: Facts, now: datetime) -> Change:
    """What came late may have earned a higher tier than was decided; a lower one is never the result."""
    scheme, state = almanac.scheme, change.before
    schemes = tier_schemes.history(now)
    known = {scheme.basis: facts} | tier_facts.of_member(
        state.member_id, {version.basis for _at, version in schemes} - {scheme.basis}
    )
    replayed, _moves = tier_steps.replay(schemes, known, joined_on=state.joined_on, zone=almanac.zone, until=now)
    decided = change.after.standing
    level = 1 if decided is None else scheme.level(decided.tier_id)
    if replayed is None or scheme.level(replayed.tier_id) <= level:
        return change
    cycle = (decided.cycle if decided is not None else 0) + 1
    standing = replace(replayed, cycle=cycle)
    start = standing.basis_from or almanac.window_now(now)[0]
    span = (start, standing.basis_to or now)
    move = Move(
        "upgraded", "late", decided.tier_id if decided is not None else scheme.base.tier_id, standing.tier_id,
        standing.since, facts.total(span), standing.needed, span, cycle,
    )  # fmt: skip
    return _change(almanac, state, standing, [*change.moves, move], facts.total, now)
