"""The fields of the condition language over messages: what reached a member, was opened and clicked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.utils.translation import gettext_lazy as _

from campaigns.enums import ChannelKind
from campaigns.models import Campaign
from scrm.common.conditions import (
    Aggregate,
    Choice,
    Context,
    Field,
    FieldType,
    Leaf,
    Param,
    Sql,
    bind,
    compose,
    register,
)
from scrm.common.conditions.flips import count_turns, counts_of

MESSAGES = _("Messages")
_TOPICS = frozenset({"message"})
_ARRIVED = "'delivered', 'opened', 'clicked', 'replied'"
# When a message came into each state, and what tells that it did.
_MOMENTS = {
    "sent": ("g.handed_at", f"g.handed_at IS NOT NULL AND g.state IN ({_ARRIVED}, 'handed')"),
    "delivered": ("g.handed_at", f"g.handed_at IS NOT NULL AND g.state IN ({_ARRIVED})"),
    "opened": ("g.opened_at", "g.opened_at IS NOT NULL"),
    "clicked": ("g.clicked_at", "g.clicked_at IS NOT NULL"),
}


def _moment(context: Context) -> tuple[str, str]:
    return _MOMENTS[str(context.params.get("state", "sent"))]


def _messages(context: Context) -> Sql:
    column, reached = _moment(context)
    tests = [Sql(f"g.member_id = m.id AND {reached}")]
    for key, narrowed in (("campaign", "g.campaign_id"), ("channel", "g.channel")):
        if key in context.params:
            tests.append(compose(f"{narrowed} = ANY({{}})", bind(context.params[key])))
    if context.window is not None:
        tests += [Sql(f"{column} {sign} %s", (bound,)) for sign, bound in context.window.bounds(context.as_of)]
    return Sql(
        "FROM campaigns_message g WHERE " + " AND ".join(test.text for test in tests),
        tuple(value for test in tests for value in test.params),
    )


def _count(context: Context) -> Aggregate:
    messages = _messages(context)
    return Aggregate(compose("(SELECT count(*) {})", messages), compose("EXISTS (SELECT 1 {})", messages))


def _last(context: Context) -> Aggregate:
    messages = _messages(context)
    return Aggregate(
        compose(f"(SELECT max({_moment(context)[0]}) {{}})", messages),
        compose("EXISTS (SELECT 1 {})", messages),
        zero=False,
    )


def _turns(leaf: Leaf, context: Context) -> Sql | None:
    counts = counts_of(leaf) if leaf.field.type == FieldType.INTEGER else [1]
    return count_turns(_messages(replace(context, window=None)), _moment(context)[0], counts, context)


def _states() -> Sequence[Choice]:
    return [
        Choice("sent", _("Sent")),
        Choice("delivered", _("Delivered")),
        Choice("opened", _("Opened")),
        Choice("clicked", _("Clicked")),
    ]


def _campaigns() -> Sequence[Choice]:
    return [Choice(pk, name) for pk, name in Campaign.objects.order_by("-pk").values_list("pk", "name")]


def _channels() -> Sequence[Choice]:
    return [Choice(kind.value, kind.label) for kind in ChannelKind]


_NARROWING = (
    Param("state", _("State"), choices=_states, many=False),
    Param("campaign", _("Campaign"), choices=_campaigns),
    Param("channel", _("Channel"), choices=_channels),
)

register(
    Field(
        "message.count", _("Message count"), MESSAGES, FieldType.INTEGER, _count,
        always_set=True, windowed=True, params=_NARROWING, topics=_TOPICS, turns=_turns,
    ),
    Field(
        "message.last_at", _("Last message"), MESSAGES, FieldType.DATETIME, _last,
        windowed=True, params=_NARROWING, topics=_TOPICS, turns=_turns,
    ),
)  # fmt: skip
