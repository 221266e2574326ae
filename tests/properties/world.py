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
    Benefit,
    CheckIn,
    CheckInCalendar,
    Consent,
    Event,
    EventType,
    Identity,
    Member,
    MemberBenefit,
    Membership,
    MemberSummary,
    MemberTier,
    Order,
    OrderLine,
    PointsAccount,
    PointsAllocation,
    PointsCurrency,
    PointsEntry,
    PointsHold,
    PointsLot,
    Product,
    Refund,
    Task,
    TaskCompletion,
    TaskProgress,
)
from members.operations import currencies, memberships, tier_schemes
from members.queries import tier_facts
from members.rules import checkins as checkin_rules
from scrm.common import clock
from scrm.common.access import SYSTEM
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
# Kinds of points and their days of grace; up to when their accounts are booked: before all instants asked about.
CURRENCIES = {"points": 7, "gold": 40}
BOOKED = datetime(2026, 6, 1, tzinfo=UTC)
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
        self.currencies = {
            key: PointsCurrency.objects.update_or_create(
                key=key, defaults={"name": key, "grace_days": grace, "expiry": "never", "expiry_count": 0}
            )[0]
            for key, grace in CURRENCIES.items()
        }
        self.window = ("lifetime", "calendar", "rolling", "anniversary")[(seed + len(str(clock.shop_zone()))) % 4]
        self.ladder = self.make_ladder()
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
        self.benefits = [Benefit.objects.create(key=key, name=key, kind="other") for key in ("cake", "parking")]
        self.oracle = Oracle(
            zone=clock.shop_zone(),
            groups={tag.pk: tag.group_id for tag in self.tags},
            regions={store.pk: store.region_id for store in self.stores},
            trees={self.dynamic.pk: inner, self.nested.pk: outer},
            attributes=ATTRIBUTES,
            default_model=self.models[0].pk,
            ladder=self.ladder,
            tier_window=self.window,
            tasks={task.pk: task.ends_at if task.state == "active" else NOW.replace(year=1990) for task in self.tasks},
        )
        self.people = [self.person() for _ in range(members)]
        for person in self.people:
            self.store(person)

    def make_ladder(self) -> list[tuple[int, int]]:
        """Three tiers and two paid memberships."""
        currencies.get("growth")
        steps = [
            tier_schemes.StepContent(name=key, key=key, threshold=threshold)
            for key, threshold in (("basic", 0), ("silver", 3), ("gold", 6))
        ]
        made = tier_schemes.save(
            content=tier_schemes.Content(steps=steps, window=self.window, validity="forever"),
            version=0, actor=SYSTEM, now=NOW - timedelta(days=4_000),
        )  # fmt: skip
        self.plans = [
            memberships.create_plan(key=key, content=memberships.PlanContent(name=key, price=100, term_days=30))
            for key in ("plus", "black")
        ]
        return list(made.rungs.order_by("level").values_list("tier_id", "threshold"))

    def lot(self) -> Record:
        at = min(self.instant(), NOW)
        return {
            "at": at, "amount": self.pick(1, 2, 3), "active_at": at + timedelta(days=self.pick(0, 0, 0, 31)),
            "expires_at": self.pick(None, None, at + timedelta(days=self.pick(32, 60, 365))),
        }  # fmt: skip

    def tier(self) -> Record | None:
        since = self.instant()
        return self.pick(
            None,
            {
                "tier": self.pick(*self.ladder)[0], "since": since,
                "expires_at": self.pick(None, since + timedelta(days=self.pick(30, 365, 400))),
            },
        )  # fmt: skip

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
            "claims": [self.claim() for _ in range(pick(0, 0, 1, 3))],
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
            "tier": self.tier(),
            "growth": [self.lot() for _ in range(pick(0, 1, 2, 4))],
            "plans": [
                (pick(*self.plans).pk, start, start + timedelta(days=pick(1, 30, 365)))
                for start in [self.instant() for _ in range(pick(0, 0, 1, 2))]
            ],
            "stages": pick({}, {"lifecycle": pick("new", "lost"), "aipl": pick("purchase", "interest")}),
            "models": self.conclusions(),
            "points": {key: self.account(key) for key in CURRENCIES if chance.random() < 0.6},
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

    def claim(self) -> Record:
        """A claim; one that nobody used may have lapsed without the books saying so."""
        state = self.pick("claimed", "claimed", "redeemed", "expired", "voided", "returned")
        return {
            "benefit": self.pick(*self.benefits).pk, "state": state, "claimed_at": self.instant(),
            "expires_at": self.pick(None, NOW, self.instant(), NOW + timedelta(days=self.pick(1, 7, 30))),
            "redeemed_at": self.instant() if state in ("redeemed", "returned") else None,
            "closed_at": NOW if state in ("expired", "voided", "returned") else None,
        }  # fmt: skip

    def assignment(self) -> Record:
        half_life = self.pick(None, 1.0, 7.0, 30.0)
        return {
            "source": self.pick("manual", "rule", "model"), "assigned_at": self.instant(),
            "expires_at": self.pick(None, None, NOW, self.instant(), NOW + timedelta(days=self.pick(1, 30))),
            "weight": self.pick(1.0, 2.5, 4.0), "half_life_days": half_life,
            "weight_at": NOW - timedelta(days=self.pick(0, 1, 7, 30)) if half_life else None,
        }  # fmt: skip

    def account(self, currency: str) -> Record:
        """Booked up to `BOOKED`: what comes later, time has brought by itself."""
        pick = self.pick
        owed = pick(0, 0, 0, 2)
        lots: list[Record] = []
        for _ in range(pick(0, 1, 2, 3)):
            activates = max(self.instant(), BOOKED + timedelta(hours=1)) if owed or pick(0, 0, 1) else BOOKED
            ends = pick(None, activates + timedelta(days=pick(1, 30, 100)), NOW + timedelta(days=pick(1, 29, 400)))
            lots.append({"left": pick(1, 2, 4), "held": 0, "activates": activates, "expires": ends})
        hold = None
        if not owed and lots and lots[0]["activates"] == BOOKED and pick(True, False):
            lots[0]["held"] = 1
            hold = {"lot": 0, "ends": max(self.instant(), BOOKED + timedelta(hours=1))}
        return {
            "lots": lots, "owed": owed, "hold": hold, "grace": CURRENCIES[currency],
            "idle": pick(None, None, max(NOW - timedelta(days=pick(*DAYS)), BOOKED + timedelta(hours=1))),
            "earned": [{"amount": pick(1, 2, 4), "at": self.instant()} for _ in range(max(len(lots), pick(0, 1)))],
            "spent": [{"amount": pick(1, 3), "at": self.instant()} for _ in range(pick(0, 0, 1, 2))],
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
        MemberBenefit.objects.bulk_create(
            MemberBenefit(
                member=member, benefit_id=row["benefit"], period="given", ordinal=number, source="issue",
                actor="system", reference=f"r{number}", use_reference=f"u{number}" if row["redeemed_at"] else None,
                **{name: row[name] for name in ("state", "claimed_at", "expires_at", "redeemed_at", "closed_at")},
            )
            for number, row in enumerate(person["claims"], 1)
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
        if person["tier"] is not None:
            row = person["tier"]
            MemberTier.objects.create(
                member=member, tier_id=row["tier"], source="earned", since=row["since"], expires_at=row["expires_at"]
            )
        PointsLot.objects.bulk_create(
            PointsLot(
                member=member, currency_id=tier_facts.growth_id(), number=number, earned=lot["amount"],
                remaining=lot["amount"], active=lot["active_at"] <= NOW, earned_at=lot["at"],
                activates_at=lot["active_at"], expires_at=lot["expires_at"],
            )
            for number, lot in enumerate(person["growth"], 1)
        )  # fmt: skip
        Membership.objects.bulk_create(
            Membership(
                member=member, plan_id=plan, reference=f"M{next(_numbers)}", price=0, starts_at=start, ends_at=end,
                bought_at=start,
            )
            for plan, start, end in person["plans"]
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
        for key, account in person["points"].items():
            self.book(member, self.currencies[key], account)
        self.summarise(member, person)

    def book(self, member: Member, currency: PointsCurrency, account: Record) -> None:
        """The rows that the ledger's functions would have written by `BOOKED`."""
        own = {"member": member, "currency": currency}
        moves = [("earn", row) for row in account["earned"]] + [("spend", row) for row in account["spent"]]
        PointsEntry.objects.bulk_create(
            PointsEntry(
                **own, number=number, transaction=number, kind=kind, amount=row["amount"], available_after=0,
                debit="issued" if kind == "earn" else "available",
                credit="redeemed" if kind == "spend" else "available",
                reference=str(number), actor="system", occurred_at=row["at"], booked_at=row["at"],
            )
            for number, (kind, row) in enumerate(moves, 1)
        )  # fmt: skip
        lots, hold = account["lots"], account["hold"]
        PointsLot.objects.bulk_create(
            PointsLot(
                **own, number=number, earned=lot["left"], remaining=lot["left"], held=lot["held"], earned_at=BOOKED,
                active=lot["activates"] <= BOOKED, activates_at=lot["activates"], expires_at=lot["expires"],
            )
            for number, lot in enumerate(lots, 1)
        )  # fmt: skip
        if hold:
            number = len(moves) + 1
            PointsEntry.objects.create(
                **own, number=number, transaction=number, kind="hold", amount=1, available_after=0, debit="available",
                credit="held", reference="h", actor="system", occurred_at=BOOKED, booked_at=BOOKED,
            )  # fmt: skip
            PointsHold.objects.create(**own, number=number, reference="h", amount=1, expires_at=hold["ends"])
            PointsAllocation.objects.create(**own, entry=number, lot=hold["lot"] + 1, origin=number, reserved=1)
        active = [lot for lot in lots if lot["activates"] <= BOOKED]
        waiting = [lot for lot in lots if lot["activates"] > BOOKED]
        ends = [lot["expires"] for lot in active if lot["left"] > lot["held"]] + [lot["activates"] for lot in waiting]
        due = [*ends, hold and hold["ends"], account["idle"]]
        PointsAccount.objects.create(
            **own, pending=sum(lot["left"] for lot in waiting), held=sum(lot["held"] for lot in lots),
            available=sum(lot["left"] - lot["held"] for lot in active) - account["owed"],
            idle_at=account["idle"], due_at=min((at for at in due if at is not None), default=None),
        )  # fmt: skip

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
