"""The fields of the condition language over benefits: claimed, used, still to be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.utils.translation import gettext_lazy as _

from members.models import Benefit
from members.rules.benefits import OWED
from scrm.common.conditions import Aggregate, Choice, Context, Field, FieldType, Leaf, Param, Sql, bind, compose
from scrm.common.conditions.flips import count_turns, counts_of

BENEFITS = _("Benefits")
_TOPICS = frozenset({"benefit"})


def _rows(context: Context, test: str, column: str) -> Sql:
    """The claims that a leaf looks at: of the benefits it names, with the time of `column` in its window."""
    # A reward that waits for its code is not claimed yet.
    tests = [Sql(f"b.member_id = m.id AND b.period <> '{OWED}' AND {test}")]
    if "benefit" in context.params:
        tests.append(compose("b.benefit_id = ANY({})", bind(context.params["benefit"])))
    if context.window is not None:
        tests += [Sql(f"{column} {sign} %s", (bound,)) for sign, bound in context.window.bounds(context.as_of)]
    return Sql(
        "FROM members_memberbenefit b WHERE " + " AND ".join(test.text for test in tests),
        tuple(value for test in tests for value in test.params),
    )


def _claimed_rows(context: Context) -> Sql:
    return _rows(context, "b.state <> 'voided'", "b.claimed_at")


def _redeemed_rows(context: Context) -> Sql:
    return _rows(context, "b.state = 'redeemed'", "b.redeemed_at")


def _unused_rows(context: Context) -> Sql:
    rows = _rows(context, "b.state = 'claimed'", "b.claimed_at")
    return compose("{} AND (b.expires_at IS NULL OR b.expires_at > {})", rows, bind(context.as_of))


def _count_of(rows: Sql) -> Aggregate:
    return Aggregate(compose("(SELECT count(*) {})", rows), compose("EXISTS (SELECT 1 {})", rows))


def _claimed(context: Context) -> Aggregate:
    return _count_of(_claimed_rows(context))


def _redeemed(context: Context) -> Aggregate:
    return _count_of(_redeemed_rows(context))


def _unused(context: Context) -> Aggregate:
    return _count_of(_unused_rows(context))


def _expires(context: Context) -> Aggregate:
    """When the first of the unused claims lapses; unset without one that does."""
    rows = compose("{} AND b.expires_at IS NOT NULL", _unused_rows(context))
    return Aggregate(
        compose("(SELECT min(b.expires_at) {})", rows), compose("EXISTS (SELECT 1 {})", rows), zero=False
    )  # fmt: skip


def _claimed_turns(leaf: Leaf, context: Context) -> Sql | None:
    return count_turns(_claimed_rows(replace(context, window=None)), "b.claimed_at", counts_of(leaf), context)


def _redeemed_turns(leaf: Leaf, context: Context) -> Sql | None:
    return count_turns(_redeemed_rows(replace(context, window=None)), "b.redeemed_at", counts_of(leaf), context)


def _unused_turns(_leaf: Leaf, context: Context) -> Sql:
    """When the next claim lapses."""
    return compose("(SELECT min(b.expires_at) {})", _unused_rows(context))


def _benefits() -> Sequence[Choice]:
    return [Choice(pk, name) for pk, name in Benefit.objects.order_by("pk").values_list("pk", "name")]


_WHICH = (Param("benefit", _("Benefit"), choices=_benefits),)


def fields() -> list[Field]:
    """The fields in the order in which the builder offers them."""
    return [
        Field("benefit.claimed", _("Benefits claimed"), BENEFITS, FieldType.INTEGER, _claimed, always_set=True,
              windowed=True, params=_WHICH, topics=_TOPICS, turns=_claimed_turns),
        Field("benefit.redeemed", _("Benefits used"), BENEFITS, FieldType.INTEGER, _redeemed, always_set=True,
              windowed=True, params=_WHICH, topics=_TOPICS, turns=_redeemed_turns),
        Field("benefit.unused", _("Benefits still to be used"), BENEFITS, FieldType.INTEGER, _unused, always_set=True,
              params=_WHICH, topics=_TOPICS, turns=_unused_turns),
        Field("benefit.expires_at", _("Next unused benefit expires"), BENEFITS, FieldType.DATETIME, _expires,
              params=_WHICH, topics=_TOPICS, turns=_unused_turns),
    ]  # fmt: skip
