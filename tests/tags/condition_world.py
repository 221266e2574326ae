"""Thirty members of every sort, for tests that compare answers about them."""

# ruff: noqa: E501

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from analytics.models import MemberStage, RfmModel, RfmScore
from members.models import Consent, Event, EventType, Member, MemberSummary, Order, OrderLine, Product, Refund
from tags.models import MemberTag, Segment, SegmentMember, Tag, TagGroup
from tests.factories import NOW, make_member, make_order, make_region, make_source, make_store

SHANGHAI = ZoneInfo("Asia/Shanghai")
TODAY = NOW.astimezone(SHANGHAI).date()


class World:
    """Thirty members of every sort, and what the evaluator needs to know about them."""

    def __init__(self) -> None:
        chance = random.Random(7)
        region = make_region()
        self.stores = [make_store("S001", region=region), make_store("S002")]
        self.sources = [make_source("shop"), make_source("pos")]
        self.types = [EventType.objects.create(key=key).key for key in ("page_view", "add_to_cart")]
        self.products = [Product.objects.create(sku=f"P{i}", category=name) for i, name in enumerate(("茶", "咖啡"))]
        group = TagGroup.objects.create(name="兴趣")
        self.tags = [Tag.objects.create(group=group, name=name) for name in ("母婴", "运动", "数码")]
        model = RfmModel.objects.filter(is_default=True).first() or RfmModel.objects.create(
            name="默认", is_default=True
        )
        self.segment = Segment.objects.create(name="下过单", condition={"field": "order.count", "op": "ge", "value": 1})
        self.snapshot = Segment.objects.create(name="快照", kind="snapshot", condition=None)
        self.members = []
        for i in range(30):
            member = make_member(
                name=chance.choice(["王芳", "李娜 100%", "张_伟", ""]),
                gender=chance.choice(["", "f", "m"]),
                city=chance.choice(["上海", "杭州", "成都", ""]),
                birth_on=chance.choice(
                    [None, date(1990, 11, 21), date(1992, 2, 29), date(2000, 12, 1), date(1985, 11, 20)]
                ),
                store=chance.choice([None, *self.stores]),
                source=chance.choice([None, *self.sources]),
                joined_at=NOW - timedelta(days=chance.choice([0, 1, 29, 30, 31, 400]), seconds=chance.choice([0, 1])),
                phone=f"+861380000{i:04d}" if chance.random() < 0.5 else None,
                email=f"m{i}@example.com" if chance.random() < 0.5 else None,
                status="erased" if i == 29 else "active",
            )
            for _ in range(chance.choice([0, 0, 1, 2, 4])):
                amount = chance.choice([0, 5_000, 19_900, 100_000])
                order = make_order(
                    member,
                    amount=amount,
                    refunded_amount=chance.choice([0, 0, amount, amount // 2]),
                    paid_at=NOW - timedelta(days=chance.choice([0, 5, 30, 31, 90, 400])),
                    source=chance.choice(self.sources),
                    store=chance.choice([None, *self.stores]),
                    channel=chance.choice(["", "mini", "pos"]),
                )
                OrderLine.objects.create(
                    member=member, order=order, line_number=1, quantity=1, amount=amount, unit_price=Decimal(amount) / 100,
                    product=chance.choice(self.products),
                )  # fmt: skip
            if chance.random() < 0.2:
                Refund.objects.create(
                    member=member, source=self.sources[0], external_number=f"R{i}", amount=3_000,
                    refunded_at=NOW - timedelta(days=3),
                )  # fmt: skip
                MemberSummary.objects.filter(member=member).update(
                    net_amount=MemberSummary.objects.get(member=member).net_amount - 3_000
                )
            for number in range(chance.choice([0, 1, 3])):
                Event.objects.create(
                    member=member, source=self.sources[0], message_id=f"{i}-{number}",
                    type=EventType.objects.get(key=chance.choice(self.types)),
                    occurred_at=NOW - timedelta(days=chance.choice([1, 7, 40]), hours=chance.choice([0, 3])),
                )  # fmt: skip
            for tag in self.tags:
                if chance.random() < 0.4:
                    MemberTag.objects.create(
                        member=member, tag=tag,
                        expires_at=chance.choice([None, NOW, NOW - timedelta(days=1), NOW + timedelta(days=1)]),
                    )  # fmt: skip
            for channel in ("email", "sms"):
                state = chance.choice([None, "granted", "withdrawn"])
                if state:
                    Consent.objects.create(member=member, channel=channel, purpose="marketing", state=state, at=NOW)
            if chance.random() < 0.5:
                RfmScore.objects.create(
                    model=model, member=member, last_paid_at=NOW, frequency=1, monetary=1,
                    r=chance.randint(1, 5), f=chance.randint(1, 5), m=chance.randint(1, 5),
                    rfm_class=chance.choice(["important_value", "general_keep"]), layer=chance.choice(["champions", "lost"]),
                )  # fmt: skip
            if chance.random() < 0.6:
                MemberStage.objects.create(
                    member=member, stage=chance.choice(["new", "lost"]), stage_since=TODAY, aipl="purchase", aipl_since=TODAY,
                )  # fmt: skip
            if chance.random() < 0.4:
                SegmentMember.objects.create(segment=self.snapshot, member=member)
            self.members.append(member)
        self.rows = {member.pk: self.facts(member) for member in Member.objects.filter(status="active")}

    def facts(self, member: Member) -> dict[str, Any]:
        summary = MemberSummary.objects.get(member=member)
        score = RfmScore.objects.filter(member=member).first()
        stage = MemberStage.objects.filter(member=member).first()
        orders = Order.objects.filter(member=member, counts=True)
        return {
            "id": member.pk,
            "name": member.name or None, "gender": member.gender or None, "city": member.city or None,
            "birthday": member.birth_on, "joined_at": member.joined_at,
            "store": member.store_id, "source": member.source_id,
            "region": member.store.region_id if member.store else None,
            "identity": {row.kind for row in member.identities.all()},
            "consent": {row.channel: row.state for row in Consent.objects.filter(member=member)},
            "tag": {row.tag_id for row in MemberTag.objects.filter(member=member) if row.expires_at is None or row.expires_at > NOW},
            "orders": [
                {
                    "net": o.net_amount, "at": o.paid_at, "source": o.source_id, "store": o.store_id,
                    "channel": o.channel, "category": {line.product.category for line in o.lines.all()},
                }
                for o in orders
            ],
            "refunds": [{"amount": r.amount, "at": r.refunded_at, "source": r.source_id} for r in Refund.objects.filter(member=member, order=None)],
            "events": [{"type": e.type.key, "at": e.occurred_at} for e in Event.objects.filter(member=member).select_related("type")],
            "summary": summary, "score": score, "stage": stage,
            "snapshot": SegmentMember.objects.filter(segment=self.snapshot, member_id=member.pk).exists(),
        }  # fmt: skip
