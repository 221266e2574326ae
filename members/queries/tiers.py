"""Where members stand: tier, what counts for it, what is lacking; and how it came to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from members.enums import MemberStatus, TierMoveKind, TierReason, TierSource
from members.models import Member, MemberTier, Tier, TierDay, TierMove
from members.queries import tier_facts, tier_schemes
from members.rules import tier_steps
from members.rules.tier_steps import Move, Standing
from members.rules.tiers import Almanac, Scheme, Span
from scrm.common import clock, display, money

# What has to be spent at an instant, in minor units, to earn so much growth; None where no rule says it plainly.
Spending = Callable[[int, datetime], int | None]
_spending: Spending | None = None


def register_spending(find: Spending) -> None:
    """Whoever knows the rules by which orders earn growth says here what is to be spent for it."""
    global _spending  # noqa: PLW0603  # set once, at start-up
    _spending = find


@dataclass(frozen=True, slots=True)
class Lacking:
    """So much is lacking to `needed`."""

    tier: Tier
    needed: int
    amount: int


@dataclass(frozen=True, slots=True)
class Stand:
    """One member's tier at an instant. Values are growth, minor units of money, or orders, as `basis` says."""

    at: datetime
    tier: Tier
    level: int
    source: str
    since: datetime | None
    expires_at: datetime | None
    basis: str
    value: int
    window: Span
    next: Lacking | None
    keeping: Lacking | None  # what keeps the earned tier when it expires; None: it does not, or that is there
    keep_by: datetime | None
    earned: Tier
    hand_until: datetime | None
    paid_until: datetime | None

    @property
    def sentence(self) -> str:
        """What brings the next tier."""
        if self.next is None:
            return _("This is the highest tier.")
        cost = _spending(self.next.amount, self.at) if self.basis == "growth" and _spending is not None else None
        if cost is not None:
            return lacking_sentence("spend", cost, self.next.tier.name)
        return lacking_sentence(self.basis, self.next.amount, self.next.tier.name)

    @property
    def keeping_sentence(self) -> str:
        """What keeps the tier."""
        if self.keeping is None or self.keep_by is None:
            return ""
        day = clock.shop_date(self.keep_by - timedelta(seconds=1)).isoformat()
        return {
            "growth": _("%(amount)s more growth by %(day)s keeps %(tier)s."),
            "spend": _("Spending another %(amount)s by %(day)s keeps %(tier)s."),
            "orders": _("%(amount)s more orders by %(day)s keep %(tier)s."),
        }[self.basis] % {"amount": amount(self.basis, self.keeping.amount), "tier": self.keeping.tier.name, "day": day}

    @property
    def progress(self) -> int:
        """How much of the way to the next tier is done, in per cent."""
        if self.next is None:
            return 100
        return max(0, min(100, 100 * (self.next.needed - self.next.amount) // self.next.needed))


def amount(basis: str, value: int) -> str:
    """A value as people read it."""
    return display.money(value) if basis == "spend" else display.integer(value)


def lacking_sentence(basis: str, lacking: int, tier: str) -> str:
    """So much brings a tier."""
    text = {
        "growth": _("%(amount)s more growth reaches %(tier)s."),
        "spend": _("Spending another %(amount)s reaches %(tier)s."),
        "orders": _("%(amount)s more orders reach %(tier)s."),
    }[basis]
    return text % {"amount": amount(basis, lacking), "tier": tier}


def reached_by(basis: str, value: int) -> str:
    """So much brings a tier to whoever has nothing yet."""
    text = {
        "growth": _("from %(amount)s growth"),
        "spend": _("from %(amount)s spent"),
        "orders": _("from %(amount)s orders"),
    }[basis]
    return text % {"amount": amount(basis, value)}


def standing(member_id: int, *, now: datetime) -> Stand | None:
    """Where a member stands; None while there is no ladder, or no such member."""
    return standings([member_id], now=now).get(member_id)


def standings(member_ids: Sequence[int], *, now: datetime) -> dict[int, Stand]:
    """The same for many, in a constant number of queries."""
    scheme = tier_schemes.current(now)
    if scheme is None or not member_ids:
        return {}
    tiers = tier_schemes.tiers()
    joined = dict(Member.objects.filter(pk__in=member_ids, status=MemberStatus.ACTIVE).values_list("pk", "joined_at"))
    rows = {row.member_id: row for row in MemberTier.objects.filter(member_id__in=joined)}
    zone = clock.shop_zone()
    almanacs = {pk: Almanac(scheme, clock.shop_date(at), zone) for pk, at in joined.items()}
    values = tier_facts.sums(scheme.basis, {pk: almanac.window_now(now) for pk, almanac in almanacs.items()})
    keepers = [pk for pk, row in rows.items() if row.earned_tier_id is not None and row.ends_at is not None]
    facts = tier_facts.of_members(scheme.basis, keepers) if keepers else {}
    found = {}
    for pk, almanac in almanacs.items():
        row = rows.get(pk)
        keeping = keep_by = None
        if row is not None and pk in facts:
            earned = _earned(row)
            wanted = tier_steps.retention(almanac, earned, now)
            if wanted is not None and scheme.downgrade != "keep":
                needed, span = wanted
                lacking = needed - facts[pk].total(span)
                keep_by = earned.decide_at
                if lacking > 0:
                    keeping = Lacking(tiers[earned.tier_id], needed, lacking)
        found[pk] = _stand(now, scheme, tiers, row, joined[pk], values[pk], almanac.window_now(now), keeping, keep_by)
    return found


def _stand(
    now: datetime,
    scheme: Scheme,
    tiers: dict[int, Tier],
    row: MemberTier | None,
    joined_at: datetime,
    value: int,
    window: Span,
    keeping: Lacking | None,
    keep_by: datetime | None,
) -> Stand:
    tier = tiers[row.tier_id if row is not None else scheme.base.tier_id]
    level = scheme.level(tier.pk)
    above = scheme.rung(level + 1)
    lacking = None
    if above.level > level:
        lacking = Lacking(tiers[above.tier_id], above.threshold, max(above.threshold - value, 0))
    earned_id = row.earned_tier_id if row is not None and row.earned_tier_id is not None else scheme.base.tier_id
    return Stand(
        at=now,
        tier=tier,
        level=level,
        source=row.source if row is not None else TierSource.EARNED.value,
        since=row.since if row is not None else joined_at,
        expires_at=row.expires_at if row is not None else None,
        basis=scheme.basis,
        value=value,
        window=window,
        next=lacking,
        keeping=keeping,
        keep_by=keep_by,
        earned=tiers[earned_id],
        hand_until=row.hand_until if row is not None else None,
        paid_until=row.paid_until if row is not None else None,
    )


def _earned(row: MemberTier) -> Standing:
    assert row.earned_tier_id is not None and row.earned_since is not None  # noqa: S101, PT018  # asked before
    return Standing(
        row.earned_tier_id, row.earned_since, row.ends_at, row.earned_expires_at, row.decide_at, row.basis_from,
        row.basis_to, row.needed, row.cycle,
    )  # fmt: skip


def tier_of(member_ids: Sequence[int], *, now: datetime) -> dict[int, int]:
    """The tier of each member, by id: for what is multiplied by tier. Empty while there is no ladder."""
    base = tier_schemes.base_id(now)
    if base is None:
        return {}
    known = dict(MemberTier.objects.filter(member_id__in=member_ids).values_list("member_id", "tier_id"))
    return {member_id: known.get(member_id, base) for member_id in member_ids}


@dataclass(frozen=True, slots=True)
class Happening:
    """A move as it was decided, or as it is seen now, in words."""

    at: datetime
    kind: str
    before: Tier | None
    after: Tier
    reason: str
    why: str
    actor: str = ""
    version: int | None = None


def history(member_id: int, *, most: int = 100) -> list[Happening]:
    """What was decided, the latest first."""
    tiers = tier_schemes.tiers()
    rows = TierMove.objects.filter(member_id=member_id).order_by("-number")[:most]
    return [
        Happening(
            row.at, row.get_kind_display(), tiers.get(row.before_id or 0), tiers[row.after_id],
            row.get_reason_display(), explain(row.facts), row.actor, row.scheme_version,
        )
        for row in rows
    ]  # fmt: skip


def explain(facts: dict[str, Any]) -> str:
    """The numbers behind a decision."""
    if "value" not in facts:
        return str(facts.get("why", ""))
    basis = str(facts.get("basis", "growth"))
    start, end = (datetime.fromisoformat(str(facts[name])) for name in ("from", "to"))
    last = clock.shop_date(end - timedelta(microseconds=1)).isoformat()
    words = {
        "value": amount(basis, int(facts["value"])), "needed": amount(basis, int(facts["needed"])), "to": last,
        "from": clock.shop_date(start).isoformat(),
    }  # fmt: skip
    if start.year <= 1900:
        return _("%(value)s of %(needed)s up to %(to)s") % words
    return _("%(value)s of %(needed)s from %(from)s to %(to)s") % words


@dataclass(frozen=True, slots=True)
class Replay:
    """A member's earned tier at an instant, from the facts as they are known now."""

    at: datetime
    tier: Tier | None
    expires_at: datetime | None
    moves: list[Happening]


def replay(member_id: int, *, at: datetime) -> Replay:
    """Play a member's facts through every version of the ladder up to an instant. What was set by hand, paid for or
    known only later is not in it: the history says what was decided.
    """
    schemes = tier_schemes.history(at)
    joined = Member.objects.filter(pk=member_id).values_list("joined_at", flat=True).first()
    if not schemes or joined is None:
        return Replay(at, None, None, [])
    tiers = tier_schemes.tiers()
    # What tiers are earned by may have changed from one version to the next.
    facts = tier_facts.of_member(member_id, {scheme.basis for _, scheme in schemes})
    found, moves = tier_steps.replay(
        schemes, facts, joined_on=clock.shop_date(joined), zone=clock.shop_zone(), until=at
    )
    tier_id = found.tier_id if found is not None else schemes[-1][1].base.tier_id
    return Replay(
        at, tiers[tier_id], found.expires_at if found is not None else None,
        [_happening(move, tiers, schemes[-1][1].basis) for move in reversed(moves)],
    )  # fmt: skip


def _happening(move: Move, tiers: dict[int, Tier], basis: str) -> Happening:
    facts = {
        "value": move.value, "needed": move.needed, "basis": basis,
        "from": move.span[0].isoformat(), "to": move.span[1].isoformat(),
    }  # fmt: skip
    return Happening(
        move.at, str(TierMoveKind(move.kind).label), tiers.get(move.before or 0), tiers[move.after],
        str(TierReason(move.reason).label), explain(facts),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Structure:
    """How many members had each tier at the end of each day."""

    days: list[date]
    tiers: list[Tier]
    counts: dict[int, list[int]]


def structure_over_time(*, days: int, now: datetime) -> Structure:
    """The daily counts of the last days, as the nightly task noted them."""
    since = clock.shop_date(now) - timedelta(days=days)
    rows = list(TierDay.objects.filter(day__gte=since).order_by("day").values_list("day", "tier_id", "members"))
    listed = sorted({day for day, _tier, _count in rows})
    tiers = tier_schemes.tiers()
    known = [tier for tier in tiers.values() if any(tier_id == tier.pk for _day, tier_id, _count in rows)]
    by = {(day, tier_id): count for day, tier_id, count in rows}
    return Structure(listed, known, {tier.pk: [by.get((day, tier.pk), 0) for day in listed] for tier in known})


def counts(scope: Q, *, now: datetime) -> dict[int, int]:
    """How many active members have each tier now, of those in the scope."""
    base = tier_schemes.base_id(now)
    if base is None:
        return {}
    visible = Member.objects.filter(scope, status=MemberStatus.ACTIVE)
    rows = MemberTier.objects.filter(member__in=visible).values_list("tier_id").annotate(n=Count("*"))
    found = dict(rows)
    rest = visible.count() - sum(found.values())
    found[base] = found.get(base, 0) + rest
    return found


def money_of(value: int) -> str:
    """A threshold of money as it is typed."""
    return money.to_decimal(value)
