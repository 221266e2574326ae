"""Model tags: the statements say what the formulas say; what is published is tags, timelines and figures."""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics.enums import ModelKey
from analytics.models import ModelRun, ModelScore, ModelValue
from analytics.operations import model_tags
from analytics.rules.model_tags import category, channel, churn, hour, price, promotion
from analytics.rules.model_tags.conclusions import Conclusion
from members.models import Event, EventType, Member, Order, OrderLine, Product
from scrm.common import clock
from scrm.common.access import SYSTEM
from tags.models import MemberTag
from tests.factories import NOW, make_member, make_source

pytestmark = pytest.mark.django_db

AS_OF = date(2026, 11, 21)
_numbers = itertools.count(1)


def at(ago: int, hour_of_day: int = 12) -> datetime:
    """An instant of the shop day so many days before the day of the run."""
    return clock.day_start(AS_OF - timedelta(days=ago)) + timedelta(hours=hour_of_day, minutes=30)


def buy(
    member: Member,
    ago: int,
    *lines: tuple[str, int],
    hour_of_day: int = 12,
    channel: str = "",
    discount: int = 0,
    **values: Any,
) -> Order:
    """An order with lines of (category, unit price in minor units)."""
    paid_at = at(ago, hour_of_day)
    values.setdefault("state", "paid")
    order = Order.objects.create(
        member=member, source=values.pop("source", None) or make_source(), external_number=f"M{next(_numbers)}",
        amount=sum(unit for _, unit in lines) or 100, discount=discount, channel=channel,
        ordered_at=paid_at, paid_at=paid_at, version_at=paid_at, **values,
    )  # fmt: skip
    for number, (name, unit) in enumerate(lines, 1):
        product = Product.objects.get_or_create(sku=f"{name}-{unit}", defaults={"category": name})[0]
        OrderLine.objects.create(
            member=member, order=order, line_number=number, product=product, quantity=1,
            unit_price=unit / 100, amount=unit,
        )  # fmt: skip
    return order


def happen(member: Member, ago: int, hour_of_day: int, *, kind: str = "page.viewed", source: str = "shop", **what: Any):
    Event.objects.create(
        member=member, source=make_source(source), type=EventType.objects.get_or_create(key=kind)[0],
        message_id=f"m{next(_numbers)}", occurred_at=at(ago, hour_of_day), properties=what,
    )  # fmt: skip


def compute(*models: ModelKey, as_of: date = AS_OF) -> dict[ModelKey, ModelRun]:
    runs = model_tags.run(
        models=models or None, as_of=as_of, actor=SYSTEM, now=max(NOW, at(-1) if as_of > AS_OF else NOW)
    )
    return {ModelKey(run.model): run for run in runs}


def found(model: ModelKey) -> dict[int, Conclusion]:
    return {
        row.member_id: Conclusion(row.value, row.score, row.evidence, tuple(row.others))
        for row in ModelScore.objects.filter(model=model)
    }


def tags_of(member: Member, model: ModelKey) -> set[str]:
    wanted = ModelValue.objects.filter(model=model).values_list("tag_id", flat=True)
    return set(MemberTag.objects.filter(member=member, tag_id__in=wanted).values_list("tag__name", flat=True))


# The statements against the formulas ---------------------------------------------------------------------------------

CATEGORIES = ["茶", "香", "衣"]
CHANNELS = ["", "mini", "shop", "tmal"]
ORDERS = st.tuples(
    st.sampled_from([0, 1, 40, 90, 91, 179, 180, 400, 729, 730]),  # days ago, over the window's end
    st.integers(0, 23),
    st.sampled_from(CHANNELS),
    st.sampled_from([0, 0, 300]),
    st.lists(st.tuples(st.sampled_from(CATEGORIES), st.sampled_from([500, 900, 1500, 2900])), max_size=4),
)
EVENTS = st.tuples(
    st.sampled_from([0, 3, 90, 364, 365]),
    st.integers(0, 23),
    st.sampled_from(["page.viewed", "message.opened", "message.clicked", "tag.added"]),
)
SHOPS = st.lists(st.tuples(st.lists(ORDERS, max_size=7), st.lists(EVENTS, max_size=5)), min_size=1, max_size=7)


def age(instant: datetime) -> int:
    return (AS_OF - clock.shop_date(instant)).days


def expected(model: ModelKey, population: dict[str, Any], member: Member) -> Conclusion | None:
    """The pure formula over the member's facts, read one by one."""
    window = {"price": 730, "category": 730, "hour": 365, "channel": 730, "promotion": 730, "churn": 730}[model]
    orders = [o for o in Order.objects.filter(member=member, counts=True) if 0 <= age(o.paid_at) < window]
    events = [
        e for e in Event.objects.filter(member=member).select_related("type", "source")
        if 0 <= age(e.occurred_at) < window
    ]  # fmt: skip
    answers = [e for e in events if e.type.key in ("message.opened", "message.clicked")]
    lines = [(o, line) for o in orders for line in o.lines.select_related("product")]
    match model:
        case ModelKey.PRICE:
            cuts = {(c["currency"], c["category"]): c["list"] for c in population["cuts"]}
            return price.conclude(
                [(o.source.currency, line.product.category, int(line.unit_price * 10_000)) for o, line in lines], cuts
            )
        case ModelKey.CATEGORY:
            return category.conclude(
                [(line.product.category, age(o.paid_at)) for o, line in lines], population["shares"]
            )
        case ModelKey.HOUR:
            facts = [(clock_hour(o.paid_at), age(o.paid_at), False) for o in orders]
            facts += [
                (clock_hour(e.occurred_at), age(e.occurred_at), e in answers)
                for e in events
                if e in answers or not e.source.key.startswith("scrm.")
            ]
            return hour.conclude(facts, population["shares"]) if population["shares"] else None
        case ModelKey.CHANNEL:
            facts = [(o.channel or (o.store.kind if o.store else ""), age(o.paid_at)) for o in orders]
            facts += [(e.properties.get("channel", ""), age(e.occurred_at)) for e in answers]
            return channel.conclude(facts, population["shares"])
        case ModelKey.PROMOTION:
            return promotion.conclude(
                discounted=sum(o.discount > 0 for o in orders), orders=len(orders), common=population["common"]
            )
        case ModelKey.CHURN:
            days = sorted({age(o.paid_at) for o in orders})
            if not days or "base" not in population:
                return None
            table = churn.Table(population["base"], {int(k): v for k, v in population["cells"].items()})
            return churn.conclude(
                days=len(days), span=days[-1] - days[0], recency=days[0], typical_gap=population["gap"], table=table
            )


def clock_hour(instant: datetime) -> int:
    return instant.astimezone(clock.shop_zone()).hour


@pytest.fixture
def small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Populations of a handful teach something, too."""
    monkeypatch.setattr(price, "CATEGORY_MINIMUM", 2)
    monkeypatch.setattr(churn, "FIT_MEMBERS", 2)
    monkeypatch.setattr(churn, "FIT_OUTCOMES", 1)


@pytest.mark.usefixtures("small_numbers")
@settings(
    max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(shop=SHOPS)
def test_the_statements_say_what_the_formulas_say(shop):
    with transaction.atomic():
        members = []
        for orders, events in shop:
            member = make_member()
            members.append(member)
            for ago, hour_of_day, via, discount, lines in orders:
                buy(member, ago, *lines, hour_of_day=hour_of_day, channel=via, discount=discount)
            for ago, hour_of_day, kind in events:
                inside = kind != "page.viewed"
                happen(
                    member, ago, hour_of_day, kind=kind, source="scrm.campaigns" if inside else "shop", channel="sms"
                )
        runs = compute()
        for model, run in runs.items():
            wanted = {m.pk: expected(model, run.population, m) for m in members}
            assert found(model) == {key: row for key, row in wanted.items() if row is not None}, model
        transaction.set_rollback(True)
