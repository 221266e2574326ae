"""The fields of the condition language over tiers, growth in the ladder's window, and paid memberships."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.utils.translation import gettext_lazy as _

from members.models import MembershipPlan
from members.queries import tier_facts, tier_schemes
from members.rules.tiers import MOMENT, Almanac, Scheme
from scrm.common import clock
from scrm.common.conditions import (
    Choice,
    Column,
    Context,
    Field,
    FieldType,
    Leaf,
    Row,
    Rows,
    Sql,
    bind,
    compose,
)
from scrm.common.conditions.fields import Source
from scrm.common.conditions.flips import earliest
from scrm.common.conditions.sql import FALSE, TRUE

TIERS = _("Membership")
_TIER = frozenset({"tier"})
_GROWTH = frozenset({"tier", "points:growth", "order", "profile"})
_MEMBERSHIP = frozenset({"membership"})
_NEVER = Sql("NULL::bigint")
# One subquery each, looked up once per query: a condition can be kept compiled while the ladder changes.
_NOW = "(SELECT s.id FROM members_tierscheme s WHERE s.effective_from <= {} ORDER BY s.version DESC LIMIT 1)"


def fields() -> list[Field]:
    """In the order in which the builder offers them."""
    return [
        Field("tier", _("Tier"), TIERS, FieldType.ENUM, _tier, choices=choices, topics=_TIER),
        Field("tier.level", _("Level of the tier"), TIERS, FieldType.INTEGER, _level, topics=_TIER),
        Field("tier.since", _("Has the tier since"), TIERS, FieldType.DATETIME, _own("since"), topics=_TIER),
        Field("tier.expires_at", _("The tier expires"), TIERS, FieldType.DATETIME, _own("expires_at"), topics=_TIER),
        Field(
            "growth.value", _("What counts for the tier"), TIERS, FieldType.INTEGER, _value,
            always_set=True, topics=_GROWTH, turns=_value_turns,
        ),
        Field(
            "growth.lacking", _("Lacking to the next tier"), TIERS, FieldType.INTEGER, _lacking,
            topics=_GROWTH, turns=_value_turns,
        ),
        Field(
            "membership.plan", _("Paid membership"), TIERS, FieldType.SET, _plans, choices=_plan_choices,
            topics=_MEMBERSHIP, turns=_plan_turns,
        ),
    ]  # fmt: skip


def choices() -> Sequence[Choice]:
    """The tiers of the ladder, from the lowest."""
    return [Choice(tier.pk, tier.name) for tier in tier_schemes.tiers().values()]


def _plan_choices() -> Sequence[Choice]:
    return [Choice(pk, name) for pk, name in MembershipPlan.objects.order_by("pk").values_list("pk", "name")]


def _base(context: Context) -> Sql:
    """The tier of everybody without a row; NULL while there is no ladder."""
    return compose(
        f"(SELECT r.tier_id FROM members_tierrung r WHERE r.level = 1 AND r.scheme_id = {_NOW})", bind(context.as_of)
    )


def _held(context: Context) -> Sql:
    return compose(
        "COALESCE((SELECT mt.tier_id FROM members_membertier mt WHERE mt.member_id = m.id), {})", _base(context)
    )


def _tier(context: Context) -> Source:
    held = _held(context)
    return Column(held, compose("{} IS NOT NULL", held))


def _level(context: Context) -> Source:
    level = compose("(SELECT ti.level FROM members_tier ti WHERE ti.id = {})", _held(context))
    return Column(level, compose("{} IS NOT NULL", level))


def _own(column: str) -> Callable[[Context], Row]:
    """Of members of whom something is written; nobody's lowest tier expires."""
    return lambda _context: Row("members_membertier mt", Sql("mt.member_id = m.id"), Sql(f"mt.{column}"))


def _plans(context: Context) -> Rows:
    return Rows(
        "members_membership ms",
        compose(
            "ms.member_id = m.id AND ms.state = 'active' AND ms.starts_at <= {} AND ms.ends_at > {}",
            bind(context.as_of), bind(context.as_of),
        ),
        Sql("ms.plan_id"),
    )  # fmt: skip


def _plan_turns(_leaf: Leaf, context: Context) -> Sql:
    """When a term begins or ends."""
    at = bind(context.as_of)
    return compose(
        "(SELECT min(CASE WHEN ms.starts_at > {} THEN ms.starts_at ELSE ms.ends_at END) FROM members_membership ms"
        " WHERE ms.member_id = m.id AND ms.state = 'active' AND ms.ends_at > {})",
        at, at,
    )  # fmt: skip


def _scheme(context: Context) -> Scheme | None:
    return tier_schemes.current(context.as_of)


def _almanac(scheme: Scheme, context: Context) -> Almanac:
    return Almanac(scheme, context.today, clock.shop_zone())


def _joined() -> Sql:
    return compose("(m.joined_at AT TIME ZONE {})::date", bind(str(clock.shop_zone())))


def _years(context: Context) -> Sql:
    """How many anniversaries of joining there have been; 29 February is the 28th in other years."""
    joined = _joined()
    years = compose("GREATEST({} - EXTRACT(year FROM {})::int, 0)", bind(context.today.year), joined)
    return compose(
        "({} - (({} + make_interval(years => {}))::date > {} AND {} > 0)::int)",
        years, joined, years, bind(context.today), years,
    )  # fmt: skip


def _midnight(day: Sql) -> Sql:
    return compose("(({})::timestamp AT TIME ZONE {})", day, bind(str(clock.shop_zone())))


def _anniversary(context: Context, later: int) -> Sql:
    return _midnight(compose("({} + make_interval(years => {} + {}))::date", _joined(), _years(context), bind(later)))


def _start(scheme: Scheme, context: Context) -> Sql:
    """Where the window begins in which the member's facts count now."""
    if scheme.window == "anniversary":
        return _anniversary(context, 0)
    return compose("{}::timestamptz", bind(_almanac(scheme, context).window_now(context.as_of)[0]))


def _sum(scheme: Scheme, context: Context) -> Sql:
    # The window's bounds stand in a row of their own, which the sum refers to several times.
    one = tier_facts.sum_sql(scheme.basis, member="m.id", start="w.start_at", end="w.end_at")
    return compose(
        f"(SELECT {one} FROM (SELECT {{}} AS start_at, {{}}::timestamptz AS end_at) w)",
        _start(scheme, context), bind(context.as_of + MOMENT),
    )  # fmt: skip


def _value(context: Context) -> Source:
    scheme = _scheme(context)
    if scheme is None:
        return Column(Sql("0::bigint"), TRUE)
    return Column(_sum(scheme, context), TRUE)


def _lacking(context: Context) -> Source:
    """To the step above the tier that the member has; unset for those at the top."""
    scheme = _scheme(context)
    if scheme is None:
        return Column(_NEVER, FALSE)
    above = compose(
        "(SELECT r.threshold FROM members_tierrung r WHERE r.scheme_id = " + _NOW + " AND r.level = {} + 1)",
        bind(context.as_of), compose("(SELECT ti.level FROM members_tier ti WHERE ti.id = {})", _held(context)),
    )  # fmt: skip
    value = compose("GREATEST({} - {}, 0)", above, _sum(scheme, context))
    return Column(value, compose("{} IS NOT NULL", above))


def _value_turns(_leaf: Leaf, context: Context) -> Sql | None:
    """When a window moves on, growth expires or becomes known, or another version of the ladder comes into effect."""
    scheme = _scheme(context)
    at = bind(context.as_of)
    versions = compose("(SELECT min(s.effective_from) FROM members_tierscheme s WHERE s.effective_from > {})", at)
    if scheme is None:
        return versions
    almanac = _almanac(scheme, context)
    instants: list[Sql | None] = [versions]
    match scheme.window:
        case "calendar":
            instants.append(compose("{}::timestamptz", bind(almanac.period_end(context.as_of))))
        case "anniversary":
            instants.append(_anniversary(context, 1))
        case "rolling":
            # Only for those who have something that can leave.
            instants.append(
                compose(
                    "CASE WHEN {} <> 0 THEN {}::timestamptz END",
                    _sum(scheme, context),
                    bind(clock.day_end(context.today)),
                )
            )
    if scheme.basis == "growth":
        instants.append(
            compose(
                "(SELECT min(CASE WHEN GREATEST(l.earned_at, l.activates_at) > {}"
                " THEN GREATEST(l.earned_at, l.activates_at) ELSE l.expires_at END) FROM members_pointslot l"
                " JOIN members_pointscurrency c ON c.id = l.currency_id AND c.key = 'growth'"
                " WHERE l.member_id = m.id AND l.open"
                " AND (GREATEST(l.earned_at, l.activates_at) > {} OR l.expires_at > {}))",
                at,
                at,
                at,
            )
        )
    return earliest(instants)
