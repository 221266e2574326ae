"""Random people: plain records for the oracle, and the same as rows for the database."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from analytics.models import MemberStage, ModelScore, RfmModel, RfmScore
from campaigns.models import Campaign, Message
from members.models import (
    Attribute,
    CheckIn,
    CheckInCalendar,
    Consent,
    Event,
    EventType,
    Identity,
    Member,
    MemberSummary,
    Order,
    OrderLine,
    Product,
    Refund,
    Task,
    TaskCompletion,
    TaskProgress,
)
from members.rules import checkins as checkin_rules
from scrm.common import clock
from tags.models import MemberTag, Segment, SegmentMember, Tag, TagGroup
from tests.campaigns.building import sandbox
from tests.factories import make_region, make_source, make_staff, make_store
from tests.properties.oracle import Oracle, Record

NOW = datetime(2027, 2, 28, 4, 0, tzinfo=UTC)
# Days ago and hours at which things happen: few, so that they meet the ends of windows.
DAYS = (-3, 0, 0, 1, 2, 7, 28, 29, 30, 31, 59, 90, 91, 364, 365, 366, 730)
HOURS = (0, 0, 1, 12, 15, 16, 24)
CITIES = ("", "上海", "杭州", "Sh_anghai", "100%")
TYPES = ("page", "visit", "cart", "pay")
ATTRIBUTES = {"pet": "choice", "children": "number", "due": "date", "vip": "yes_no", "note": "text"}
PETS = ["猫", "狗"]
_numbers = itertools.count(1)


class World:
    """A shop with random members, in the database and as records."""

    def __init__(self, seed: int, members: int) -> None:
        self.chance = random.Random(seed)
        self.regions = [make_region("east"), make_region("west")]
        self.stores = [
            make_store("S1", region=self.regions[0]),
            make_store("S2", region=self.regions[1]),
            make_store("S3"),
        ]
        self.staff = [make_staff(store=self.stores[0]), make_staff()]
        self.sources = [make_source("shop"), make_source("pos")]
        self.types = {key: EventType.objects.get_or_create(key=key)[0] for key in TYPES}
        self.products = [
            Product.objects.create(sku=f"P{number}", category=category)
            for number, category in enumerate(("茶", "茶", "香", ""))
        ]
        groups = [TagGroup.objects.create(name=name) for name in ("兴趣", "等级")]
        self.tags = [Tag.objects.create(group=groups[number % 2], name=f"T{number}") for number in range(4)]
        for key, kind in ATTRIBUTES.items():
            Attribute.objects.create(key=key, label=key, type=kind, choices=PETS if kind == "choice" else [])
        self.models = [
            RfmModel.objects.filter(is_default=True).first() or RfmModel.objects.create(name="默认", is_default=True),
            RfmModel.objects.create(name="另一个", is_default=False),
        ]
        self.list = Segment.objects.create(name="名单", kind="static")
        inner: Any = {"all": [{"field": "order.count", "op": "ge", "value": 1, "window": {"last": 30}}]}
        self.dynamic = Segment.objects.create(name="近期买家", condition=inner)
        outer = {"any": [
            {"field": "segment", "op": "any_of", "value": [self.dynamic.pk, self.list.pk]},
            {"field": "city", "op": "eq", "value": "上海"},
        ]}  # fmt: skip
        self.nested = Segment.objects.create(name="套", condition=outer)
        self.tasks = [
            Task.objects.create(
                key=f"t{number}", name=f"任务{number}", kind="order", needed=2,
                state="active" if number < 2 else "paused", ends_at=NOW + timedelta(days=2) if number else None,
            )
            for number in range(3)
        ]  # fmt: skip
        self.calendars = [CheckInCalendar.objects.create(key=f"c{number}", name=f"签到{number}") for number in range(2)]
        account = sandbox()
        self.campaigns = [
            Campaign.objects.create(name=f"C{number}", segment=self.list, account=account, channel="sandbox")
            for number in range(2)
        ]
        self.oracle = Oracle(
            zone=clock.shop_zone(),
            groups={tag.pk: tag.group_id for tag in self.tags},
            regions={store.pk: store.region_id for store in self.stores},
            trees={self.dynamic.pk: inner, self.nested.pk: outer},
            attributes=ATTRIBUTES,
            default_model=self.models[0].pk,
            tasks={task.pk: task.ends_at if task.state == "active" else NOW.replace(year=1990) for task in self.tasks},
        )
        self.people = [self.person() for _ in range(members)]
        for person in self.people:
            self.store(person)

    def pick(self, *choices: Any) -> Any:
        return self.chance.choice(choices)

    def instant(self) -> datetime:
        return NOW - timedelta(days=self.pick(*DAYS), hours=self.pick(*HOURS), seconds=self.pick(0, 0, 1))

    def day(self) -> date:
        return NOW.date() - timedelta(days=self.pick(*DAYS))

    def person(self) -> Record:
        pick, chance = self.pick, self.chance
        return {
            "gender": pick("", "f", "m"), "city": pick(*CITIES), "province": pick("", "浙江省"),
            "country": pick("", "中国"),
            "name": pick("", "王小明", "小王", "Ann%"),
            "birthday": pick(
                None, date(1996, 2, 29), date(1990, 2, 28), date(1990, 3, 1), date(2000, 12, 31), date(1985, 1, 1),
                self.day(),
            ),
            "joined_at": self.instant(),
            "store": pick(None, *(store.pk for store in self.stores)),
            "owner": pick(None, *(staff.pk for staff in self.staff)),
            "source": pick(None, *(source.pk for source in self.sources)),
            "identities": chance.sample(["unionid", "app_user", "device"], pick(0, 1, 2)),
            "consents": {
                channel: pick("granted", "withdrawn") for channel in ("email", "sms", "wecom") if pick(True, False)
            },
            "attributes": {
                key: value
                for key, value in {
                    "pet": pick(None, "猫", "狗", ""), "children": pick(None, 0, 2, 3.0, 2.5, "2", "two", True, [2]),
                    "due": pick(None, "2027-02-28", "2027-03-31", "2028-02-29", "2027-02-30", "soon", 20270301),
                    "vip": pick(None, True, False, "true", "yes", 1), "note": pick(None, "", "abc", 5, True, {"a": 1}),
                }.items()
                if value is not None or pick(True, False)
            },
            "orders": [self.order() for _ in range(pick(0, 0, 1, 2, 4))],
            "refunds": [
                {"amount": pick(100, 3_000), "at": self.instant(), "source": pick(*self.sources).pk}
                for _ in range(pick(0, 0, 0, 1))
            ],
            "events": [self.event() for _ in range(pick(0, 1, 3, 6))],
            "messages": [self.message(number) for number in range(pick(0, 0, 1, 2))],
            "tags": {tag.pk: self.assignment() for tag in self.tags if chance.random() < 0.4},
            "lists": {self.list.pk} if chance.random() < 0.3 else set(),
            "scores": {
                model.pk: {
                    "r": pick(1, 3, 5), "f": pick(1, 3, 5), "m": pick(1, 3, 5),
                    "class": pick("important_value", "general_keep"), "layer": pick("champions", "lost"),
                }
                for model in self.models
                if chance.random() < 0.6
            },
            "stages": pick({}, {"lifecycle": pick("new", "lost"), "aipl": pick("purchase", "interest")}),
            "models": self.conclusions(),
            "doings": self.doings(), "begun": {
                task.pk: self.pick(None, NOW, NOW + timedelta(days=1), self.instant())
                for task in self.tasks
                if chance.random() < 0.5
            },
            "checkins": self.checkins(),
        }  # fmt: skip

    def order(self) -> Record:
        amount = self.pick(0, 100, 1_000, 9_999, 20_000)
        refunded = self.pick(0, 0, 0, amount, amount // 2)
        state = self.pick("paid", "completed", "shipped", "closed", "created")
        paid = state in ("paid", "completed", "shipped")
        return {
            "amount": amount, "refunded": refunded, "net": amount - refunded, "state": state,
            "paid_at": self.instant() if paid else None,
            "counts": paid and (refunded == 0 or amount > refunded),
            "source": self.pick(*(source.pk for source in self.sources)),
            "store": self.pick(None, *(store.pk for store in self.stores)), "channel": self.pick("", "mini", "pos"),
            "lines": [
                {"product": product.sku, "category": product.category, "id": product.pk}
                for product in self.chance.sample(self.products, self.pick(0, 1, 2))
            ],
        }  # fmt: skip

    def event(self) -> Record:
        properties = {
            "title": self.pick(None, "", "育儿入门", "育儿食谱", "首页", 5, True),
            "price": self.pick(None, 99, 100.5, "100", "abc", "", False),
            "product": self.pick(None, {"sku": "A"}, {"sku": "B"}, {"sku": None}, "A"),
        }
        return {
            "type": self.pick(*TYPES), "at": self.instant(), "amount": self.pick(None, 0, 100, 5_050),
            "properties": {key: value for key, value in properties.items() if value is not None or self.pick(0, 1)},
        }  # fmt: skip

    def message(self, number: int) -> Record:
        state = self.pick("pending", "handed", "delivered", "opened", "clicked", "failed")
        handed = state not in ("pending",)
        at = self.instant()
        return {
            "campaign": self.campaigns[number % 2].pk, "channel": "sandbox", "state": state,
            "handed_at": at if handed else None,
            "opened_at": at + timedelta(hours=1) if state in ("opened", "clicked") else None,
            "clicked_at": at + timedelta(hours=2) if state == "clicked" else None,
        }  # fmt: skip

    def assignment(self) -> Record:
        half_life = self.pick(None, 1.0, 7.0, 30.0)
        return {
            "source": self.pick("manual", "rule", "model"), "assigned_at": self.instant(),
            "expires_at": self.pick(None, None, NOW, self.instant(), NOW + timedelta(days=self.pick(1, 30))),
            "weight": self.pick(1.0, 2.5, 4.0), "half_life_days": half_life,
            "weight_at": NOW - timedelta(days=self.pick(0, 1, 7, 30)) if half_life else None,
        }  # fmt: skip

    def conclusions(self) -> Record:
        found: Record = {}
        for model, values in (
            ("price", "high low"),
            ("promotion", "high middle"),
            ("hour", "9 20"),
            ("channel", "mini -"),
        ):
            if self.chance.random() < 0.6:
                found[model] = self.pick(*values.split())
        if self.chance.random() < 0.6:
            found["category"] = self.pick(["茶"], ["茶", "香"], ["-"])
        if self.chance.random() < 0.6:
            found |= {"churn": self.pick("high", "low"), "chance": self.pick(0.05, 0.5, 0.73)}
        return found

    def doings(self) -> list[Record]:
        return [
            {"task": self.pick(*self.tasks).pk, "at": self.instant(), "undone": self.pick(False, False, True)}
            for _ in range(self.pick(0, 1, 3))
        ]

    def checkins(self) -> dict[int, list[date]]:
        """Days, some in a row, up to tomorrow."""
        today = NOW.astimezone(clock.shop_zone()).date()
        return {
            calendar.pk: sorted(
                today - timedelta(days=back) for back in (-1, 0, 1, 2, 3, 7, 30) if self.chance.random() < 0.6
            )
            for calendar in self.calendars
            if self.chance.random() < 0.7
        }

    # The same as rows

    def store(self, person: Record) -> None:
        member = Member.objects.create(
            gender=person["gender"], city=person["city"], province=person["province"], country=person["country"],
            name=person["name"], birth_on=person["birthday"], joined_at=person["joined_at"], store_id=person["store"],
            owner_id=person["owner"], source_id=person["source"], attributes=person["attributes"],
        )  # fmt: skip
        person["id"] = member.pk
        Identity.objects.bulk_create(
            Identity(kind=kind, value=f"{kind}{next(_numbers)}", member=member) for kind in person["identities"]
        )
        Consent.objects.bulk_create(
            Consent(member=member, channel=channel, purpose="marketing", state=state, at=NOW)
            for channel, state in person["consents"].items()
        )
        for row in person["orders"]:
            order = Order.objects.create(
                member=member, source_id=row["source"], external_number=f"N{next(_numbers)}", state=row["state"],
                store_id=row["store"], channel=row["channel"], amount=row["amount"], refunded_amount=row["refunded"],
                ordered_at=row["paid_at"] or NOW, paid_at=row["paid_at"], version_at=NOW,
            )  # fmt: skip
            OrderLine.objects.bulk_create(
                OrderLine(
                    member=member, order_id=order.pk, line_number=number, product_id=line["id"], quantity=1,
                    unit_price=Decimal(1), amount=100,
                )
                for number, line in enumerate(row["lines"], 1)
            )  # fmt: skip
        Refund.objects.bulk_create(
            Refund(
                member=member, source_id=row["source"], external_number=f"R{next(_numbers)}", amount=row["amount"],
                refunded_at=row["at"],
            )
            for row in person["refunds"]
        )  # fmt: skip
        Event.objects.bulk_create(
            Event(
                member=member, source=self.sources[0], type=self.types[row["type"]], message_id=f"m{next(_numbers)}",
                occurred_at=row["at"], amount=row["amount"], properties=row["properties"],
            )
            for row in person["events"]
        )  # fmt: skip
        Message.objects.bulk_create(
            Message(
                campaign_id=row["campaign"], member=member, channel=row["channel"], state=row["state"],
                reason="x" if row["state"] == "failed" else "", handed_at=row["handed_at"],
                opened_at=row["opened_at"], clicked_at=row["clicked_at"],
            )
            for row in person["messages"]
        )  # fmt: skip
        MemberTag.objects.bulk_create(
            MemberTag(member=member, tag_id=tag_id, **row) for tag_id, row in person["tags"].items()
        )
        SegmentMember.objects.bulk_create(SegmentMember(segment_id=pk, member=member) for pk in person["lists"])
        RfmScore.objects.bulk_create(
            RfmScore(
                model_id=pk, member=member, last_paid_at=NOW, frequency=1, monetary=1, r=row["r"], f=row["f"],
                m=row["m"], rfm_class=row["class"], layer=row["layer"],
            )
            for pk, row in person["scores"].items()
        )  # fmt: skip
        if person["stages"]:
            MemberStage.objects.create(
                member=member, stage=person["stages"]["lifecycle"], stage_since=NOW.date(),
                aipl=person["stages"]["aipl"], aipl_since=NOW.date(),
            )  # fmt: skip
        TaskCompletion.objects.bulk_create(
            TaskCompletion(
                member=member, task_id=row["task"], cycle=str(number), version=1, completed_at=row["at"],
                noted_at=row["at"], undone_at=NOW if row["undone"] else None,
            )
            for number, row in enumerate(person["doings"])
        )  # fmt: skip
        TaskProgress.objects.bulk_create(
            TaskProgress(
                member=member, task_id=pk, cycle="1", value=1, done=False, started_at=NOW,
                ends_at=ends,
            )
            for pk, ends in person["begun"].items()
        )  # fmt: skip
        for calendar_id, days in person["checkins"].items():
            streaks = checkin_rules.streaks(days)
            CheckIn.objects.bulk_create(
                CheckIn(
                    member=member, calendar_id=calendar_id, day=day, streak=streaks[day], source="api",
                    occurred_at=clock.day_start(day), booked_at=NOW,
                )
                for day in days
            )  # fmt: skip
        self.conclude(member, person["models"])
        self.summarise(member, person)

    def conclude(self, member: Member, models: Record) -> None:
        for model, value in models.items():
            if model == "chance":
                continue
            first, *others = value if isinstance(value, list) else [value]
            ModelScore.objects.create(
                member=member, model=model, value=first, others=others, evidence=3, as_of=NOW.date(),
                score=models["chance"] if model == "churn" else 0.5,
            )  # fmt: skip

    def summarise(self, member: Member, person: Record) -> None:
        """What the intake would have added up."""
        counted = [row for row in person["orders"] if row["counts"]]
        paid = [row["paid_at"] for row in counted]
        MemberSummary.objects.create(
            member=member, order_count=len(counted), gross_amount=sum(row["amount"] for row in counted),
            refund_amount=0,
            net_amount=sum(row["net"] for row in counted) - sum(row["amount"] for row in person["refunds"]),
            first_order_at=min(paid, default=None), last_order_at=max(paid, default=None),
            event_count=len(person["events"]), last_event_at=max((row["at"] for row in person["events"]), default=None),
        )  # fmt: skip
