"""What a member is entitled to now, how much of it is left, and why or why not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import NamedTuple

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from members.enums import BenefitKind, BenefitState, MemberStatus
from members.models import Benefit, BenefitRule, Member
from members.models.benefits import FREED
from members.queries import benefit_tiers, benefit_words
from members.queries.benefit_tiers import Standing
from members.rules import benefits as rules
from members.rules.benefits import Span
from scrm.common import clock, conditions
from scrm.common.errors import DomainError, NotFound


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A benefit for one member at one instant.

    `refusal` is empty when the member may claim or use it now, else a stable code: not_active, not_entitled,
    condition_broken, no_birthday, not_birthday, quota_reached, out_of_codes; `why` says so in words. `span` is the
    quota's period, None where no rule fits; `used` counts claims in it. `quota` and `left` None: as often as they like.
    """

    benefit: Benefit
    refusal: str
    why: str
    span: Span | None = None
    quota: int | None = None
    used: int = 0

    @property
    def holds(self) -> bool:
        return not self.refusal

    @property
    def left(self) -> int | None:
        return None if self.quota is None else max(0, self.quota - self.used)

    @property
    def renews_at(self) -> datetime | None:
        """When the quota begins anew; None: never, or there is none."""
        ends = self.span.after if self.span is not None else None
        return None if ends is None or self.quota is None else clock.day_start(ends)


def entitled(member_id: int, *, now: datetime) -> list[Entitlement]:
    """Every benefit in use, for this member, those that can be had first. Six queries. Raises `NotFound`."""
    found = _Answer(member_id, active(), now).all()
    return sorted(found, key=lambda one: (not one.holds, one.refusal != "quota_reached", one.benefit.pk))


def one(member_id: int, *, benefit: Benefit, now: datetime) -> Entitlement:
    """One benefit (with its rules), for this member. Raises `NotFound` when there is no such active member."""
    return _Answer(member_id, [benefit], now).all()[0]


def active() -> list[Benefit]:
    """The benefits in use with their rules; some dozens."""
    return list(
        Benefit.objects.filter(state=BenefitState.ACTIVE).select_related("partner").prefetch_related("rules").order_by("pk")
    )  # fmt: skip


def by_key(key: str) -> Benefit:
    """A benefit with its rules. Raises `NotFound` (`unknown_benefit`)."""
    found = Benefit.objects.select_related("partner").prefetch_related("rules").filter(key=key).first()
    if found is None:
        raise NotFound(_("There is no such benefit."), code="unknown_benefit")
    return found


class Multiplier(NamedTuple):
    """`percent`: 200 is twice the points."""

    percent: int
    benefit: str  # its key
    name: str


def multipliers(member_ids: Collection[int], *, now: datetime, currency: str = "points") -> dict[int, Multiplier]:
    """The largest multiplier of this currency that each member is entitled to; who has none is left out.

    For whoever books points: two queries where there are no multipliers, else four, for all members together.
    """
    offered = [
        benefit
        for benefit in active()
        if benefit.kind == BenefitKind.POINTS_MULTIPLIER
        and benefit.parameters.get("currency") == currency
        and benefit_words.is_open(benefit, now)
    ]
    if not offered or not member_ids:
        return {}
    tests, broken = _tests(offered, now)
    offered = [benefit for benefit in offered if benefit.pk not in broken]
    truths = _truths(sorted(member_ids), tests)
    standings = benefit_tiers.standings(truths.keys(), now=now)
    best: dict[int, Multiplier] = {}
    for member_id, fulfilled in truths.items():
        for benefit in offered:
            if _rule(benefit, standings.get(member_id)) is None or not fulfilled.get(benefit.pk, True):
                continue
            percent = int(benefit.parameters["percent"])
            if member_id not in best or percent > best[member_id].percent:
                best[member_id] = Multiplier(percent, benefit.key, benefit.name)
    return best


class _Answer:
    """What is asked once about a member, for all of the benefits in question."""

    def __init__(self, member_id: int, benefits: Sequence[Benefit], now: datetime) -> None:
        self.benefits, self.now, self.today = benefits, now, clock.shop_date(now)
        self.member_id = member_id
        tests, self.broken = _tests(benefits, now)
        self.fulfilled = _truths([member_id], tests).get(member_id)
        if self.fulfilled is None:
            raise NotFound(_("There is no such member."))
        self.standing = benefit_tiers.standings([member_id], now=now).get(member_id)
        self.born: date | None = None
        if any(benefit.kind == BenefitKind.BIRTHDAY_GIFT for benefit in benefits):
            self.born = Member.objects.values_list("birth_on", flat=True).get(pk=member_id)

    @cached_property
    def tier_names(self) -> dict[str, str]:
        return benefit_tiers.names()

    def all(self) -> list[Entitlement]:
        found = [self._before_counting(benefit) for benefit in self.benefits]
        counted = [answer for answer in found if answer.span is not None]
        used = _used(self.member_id, counted)
        stocked = _in_stock([answer.benefit.pk for answer in counted if _needs_code(answer.benefit)], self.now)
        return [self._after_counting(answer, used, stocked) for answer in found]

    def _before_counting(self, benefit: Benefit) -> Entitlement:
        """All refusals but those of the quota and of the stock."""
        closed = benefit_words.closed_words(benefit, self.now)
        if closed:
            return Entitlement(benefit, "not_active", closed)
        rule = _rule(benefit, self.standing)
        if rule is None:
            return Entitlement(benefit, "not_entitled", self._tier_words(benefit))
        if benefit.pk in self.broken:
            why = _("The condition of this benefit names something that is no longer there.")
            return Entitlement(benefit, "condition_broken", why)
        if not self.fulfilled.get(benefit.pk, True):  # type: ignore[union-attr]  # checked when made
            why = _("Only for whom this holds: %(condition)s.") % {"condition": benefit_words.condition_words(benefit)}
            return Entitlement(benefit, "not_entitled", why)
        if benefit.kind == BenefitKind.BIRTHDAY_GIFT:
            return self._birthday(benefit)
        cycle = self.standing.cycle if self.standing is not None else None
        return Entitlement(benefit, "", "", rules.span(rule.period, self.today, cycle), rule.quota)

    def _birthday(self, benefit: Benefit) -> Entitlement:
        if self.born is None:
            return Entitlement(benefit, "no_birthday", _("The member's birthday is not known."))
        span = rules.birthday_span(benefit.parameters["window"], self.born, self.today)
        if span is None:
            when = {
                "month": _("in the month of the birthday"),
                "week": _("in the week of the birthday"),
                "day": _("on the birthday"),
            }[benefit.parameters["window"]]
            return Entitlement(benefit, "not_birthday", _("It is given %(when)s.") % {"when": when})
        return Entitlement(benefit, "", "", span, 1)

    def _tier_words(self, benefit: Benefit) -> str:
        needed = [rule.tier for rule in benefit.rules.all() if rule.tier]
        if not needed:
            return _("This benefit is for nobody yet.")
        names = self.tier_names
        ordered = [key for key in names if key in needed] + [key for key in needed if key not in names]
        wanted = pgettext("between values", ", ").join(names.get(key, key) for key in ordered)
        if self.standing is None:
            return _("Needs the tier %(tiers)s; the member has none.") % {"tiers": wanted}
        return _("Needs the tier %(tiers)s; the member's is %(tier)s.") % {"tiers": wanted, "tier": self.standing.name}

    def _after_counting(
        self, answer: Entitlement, used: Mapping[tuple[int, str], int], stocked: Collection[int]
    ) -> Entitlement:
        if answer.span is None:
            return answer
        answer = replace(answer, used=used.get((answer.benefit.pk, answer.span.key), 0))
        if answer.quota is not None and answer.used >= answer.quota:
            return replace(answer, refusal="quota_reached", why=benefit_words.used_up(answer.quota, answer.renews_at))
        if _needs_code(answer.benefit) and answer.benefit.pk not in stocked:
            return replace(answer, refusal="out_of_codes", why=_("There is no code left."))
        return answer


def _rule(benefit: Benefit, standing: Standing | None) -> BenefitRule | None:
    """The rule that a member goes by: that of the tier, else that for everybody."""
    given = {rule.tier: rule for rule in benefit.rules.all()}
    found = given.get(standing.key) if standing is not None else None
    return found or given.get("")


def entitled_by_tier(benefit: Benefit, standing: Standing | None) -> bool:
    """Whether a rule of the benefit covers a member of this tier (None: of no tier)."""
    return _rule(benefit, standing) is not None


def _needs_code(benefit: Benefit) -> bool:
    return benefit.kind == BenefitKind.PARTNER_CODE


def _tests(benefits: Sequence[Benefit], now: datetime) -> tuple[list[tuple[int, conditions.Sql]], set[int]]:
    """The conditions as SQL by benefit, and the benefits whose condition cannot be read any more."""
    tests, broken = [], set()
    for benefit in benefits:
        if benefit.condition is None:
            continue
        try:
            tests.append((benefit.pk, conditions.compile_condition(conditions.parse(benefit.condition), as_of=now)))
        except DomainError:
            broken.add(benefit.pk)
    return tests, broken


def _truths(member_ids: Sequence[int], tests: Sequence[tuple[int, conditions.Sql]]) -> dict[int, dict[int, bool]]:
    """For each active one of the members, which conditions hold, by benefit. One statement."""
    columns = "".join(f", ({test.text})" for _pk, test in tests)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT m.id{columns} FROM members_member m WHERE m.id = ANY(%s) AND m.status = %s",
            [*(value for _pk, test in tests for value in test.params), list(member_ids), MemberStatus.ACTIVE.value],
        )
        return {
            row[0]: {pk: bool(holds) for (pk, _test), holds in zip(tests, row[1:], strict=True)}
            for row in cursor.fetchall()
        }


def _used(member_id: int, answers: Sequence[Entitlement]) -> dict[tuple[int, str], int]:
    """How many claims take up each quota, by benefit and period. One statement."""
    if not answers:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT benefit_id, period, count(*) FROM members_memberbenefit
            WHERE member_id = %s AND benefit_id = ANY(%s) AND period = ANY(%s) AND NOT state = ANY(%s)
            GROUP BY benefit_id, period
            """,
            [
                member_id,
                [answer.benefit.pk for answer in answers],
                list({answer.span.key for answer in answers if answer.span is not None}),
                FREED,
            ],
        )
        return {(benefit_id, period): count for benefit_id, period, count in cursor.fetchall()}


def _in_stock(benefit_ids: Sequence[int], now: datetime) -> set[int]:
    """Those of the benefits that have a free code."""
    if not benefit_ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT v.id FROM unnest(%s::bigint[]) AS v (id)
            WHERE EXISTS (SELECT FROM members_benefitcode c WHERE c.benefit_id = v.id AND c.state = 'free'
                          AND (c.expires_at IS NULL OR c.expires_at > %s))
            """,
            [list(benefit_ids), now],
        )
        return {row[0] for row in cursor.fetchall()}
