"""Audiences answered from bitmaps equal the compiled SQL, whatever changed since the bitmaps were built."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.models import MemberStage, RfmModel, RfmScore
from members.enums import Purpose
from members.models import Consent, Event, EventType, Identity, Member, MemberSummary
from scrm.common import conditions
from scrm.common.access import ROLE_PERMISSIONS, SYSTEM, Actor, DataScope, Role
from scrm.common.bitmaps import families, folding
from scrm.common.bitmaps.solving import Unready, matching
from scrm.common.errors import Invalid
from tags.models import MemberTag, Segment, SegmentMember, Tag, TagGroup
from tags.queries import audiences, tagging
from tests.factories import NOW, make_member, make_region, make_source, make_staff, make_store

pytestmark = pytest.mark.django_db


def build_everything() -> None:
    for family in families.every():
        folding.rebuild(family.name)


def fold_everything() -> None:
    for name in folding.waiting():
        folding.fold(name)


def by_rows(node: audiences.Condition, actor: Actor = SYSTEM, as_of: Any = NOW) -> audiences.Preview:
    return audiences.preview_sql(node, actor=actor, as_of=as_of)


class World:
    """Thirty members of every sort."""

    def __init__(self) -> None:
        chance = random.Random(11)
        region = make_region()
        self.stores = [make_store("S001", region=region), make_store("S002")]
        self.staff = make_staff(store=self.stores[0])
        self.sources = [make_source("shop"), make_source("pos")]
        self.type = EventType.objects.create(key="page_view")
        group = TagGroup.objects.create(name="兴趣")
        self.tags = [Tag.objects.create(group=group, name=name) for name in ("母婴", "运动", "数码")]
        self.model = RfmModel.objects.filter(is_default=True).first() or RfmModel.objects.create(
            name="默认", is_default=True
        )
        self.snapshot = Segment.objects.create(name="快照", kind="snapshot", condition=None)
        self.dynamic = Segment.objects.create(
            name="买过的女性",
            condition={"all": [
                {"field": "gender", "op": "eq", "value": "f"}, {"field": "order.count", "op": "ge", "value": 1},
            ]},
        )  # fmt: skip
        self.region = region
        self.members = [make_member() for _ in range(30)]
        for member in self.members:
            for _ in range(7):
                chance.choice(self.changes())(chance, member)

    def changes(self) -> list[Callable[[random.Random, Member], None]]:
        return [
            self.edit_profile, self.order, self.tag, self.untag, self.list, self.consent, self.identity, self.score,
            self.stage, self.event, self.erase,
        ]  # fmt: skip

    def edit_profile(self, chance: random.Random, member: Member) -> None:
        Member.objects.filter(pk=member.pk).update(
            gender=chance.choice(["", "f", "m"]),
            city=chance.choice(["上海", "杭州", "成都", ""]),
            birth_on=chance.choice([None, date(1990, 11, 21), date(2000, 2, 29), date(2000, 11, 22), date(2030, 1, 1)]),
            store=chance.choice([None, *self.stores]),
            owner=chance.choice([None, self.staff]),
            source=chance.choice([None, *self.sources]),
            joined_at=NOW - timedelta(days=chance.choice([0, 1, 30, 400]), microseconds=chance.choice([0, 1])),
        )

    def order(self, chance: random.Random, member: Member) -> None:
        count = chance.choice([0, 1, 2, 3, 7])
        last = NOW - timedelta(days=chance.choice([0, 5, 30, 31, 90]))
        MemberSummary.objects.filter(pk=member.pk).update(
            order_count=count,
            net_amount=chance.choice([-500, 0, 1, 999, 10_000, 10_001, 50_000]),
            first_order_at=last - timedelta(days=chance.choice([0, 100])) if count else None,
            last_order_at=last if count else None,
        )

    def tag(self, chance: random.Random, member: Member) -> None:
        MemberTag.objects.update_or_create(
            member_id=member.pk,
            tag_id=chance.choice(self.tags).pk,
            defaults={"expires_at": chance.choice([None, NOW, NOW + timedelta(days=1), NOW - timedelta(hours=1)])},
        )

    def untag(self, chance: random.Random, member: Member) -> None:
        MemberTag.objects.filter(member_id=member.pk, tag_id=chance.choice(self.tags).pk).delete()

    def list(self, chance: random.Random, member: Member) -> None:
        if chance.random() < 0.5:
            SegmentMember.objects.get_or_create(segment_id=self.snapshot.pk, member_id=member.pk)
        else:
            SegmentMember.objects.filter(segment_id=self.snapshot.pk, member_id=member.pk).delete()

    def consent(self, chance: random.Random, member: Member) -> None:
        Consent.objects.update_or_create(
            member_id=member.pk,
            channel=chance.choice(["email", "sms", "sandbox"]),
            purpose=chance.choice(list(Purpose)),
            defaults={"state": chance.choice(["granted", "withdrawn"]), "at": NOW},
        )

    def identity(self, chance: random.Random, member: Member) -> None:
        kind = chance.choice(["openid", "external_userid", "device"])
        if chance.random() < 0.6:
            Identity.objects.get_or_create(kind=kind, value=f"{kind}-{member.pk}", defaults={"member": member})
        else:
            Identity.objects.filter(kind=kind, member=member).delete()

    def score(self, chance: random.Random, member: Member) -> None:
        RfmScore.objects.filter(model=self.model, member_id=member.pk).delete()
        if chance.random() < 0.7:
            RfmScore.objects.create(
                model=self.model, member_id=member.pk, last_paid_at=NOW, frequency=1, monetary=1,
                r=chance.randint(1, 5), f=chance.randint(1, 5), m=chance.randint(1, 5),
                rfm_class=chance.choice(["important_value", "general_keep"]), layer=chance.choice(["loyal", "lost"]),
            )  # fmt: skip

    def stage(self, chance: random.Random, member: Member) -> None:
        MemberStage.objects.update_or_create(
            member_id=member.pk,
            defaults={
                "stage": chance.choice(["new", "lost"]), "stage_since": NOW.date(),
                "aipl": chance.choice(["interest", "loyalty"]), "aipl_since": NOW.date(),
            },
        )  # fmt: skip

    def event(self, _chance: random.Random, member: Member) -> None:
        Event.objects.create(
            member_id=member.pk, type=self.type, source=self.sources[0], message_id=str(uuid.uuid4()),
            occurred_at=NOW - timedelta(days=1),
        )  # fmt: skip

    def erase(self, chance: random.Random, member: Member) -> None:
        Member.objects.filter(pk=member.pk).update(status=chance.choice(["erased", "active", "active"]))

    def fresh(self, chance: random.Random, _member: Member) -> None:
        self.members.append(make_member(city=chance.choice(["上海", "广州"])))

    def edit_segment(self, chance: random.Random, _member: Member) -> None:
        Segment.objects.filter(pk=self.dynamic.pk).update(
            condition={"field": "city", "op": chance.choice(["eq", "ne"]), "value": "上海"}
        )


@pytest.fixture
def world() -> World:
    return World()


VALUES: dict[str, list[Any]] = {
    "gender": ["f", "m"], "city": ["上海", "杭州", "无"], "joined_at": ["2026-11-21", "2026-10-22", "2025-10-17"],
    "birthday": ["1990-11-21", "2000-02-29", "2026-01-01"], "age": [-1, 0, 10, 26, 36, 3000],
    "order.count": [-1, 0, 1, 2, 7], "order.sum": ["-5", "0", "9.99", "100", "100.01", "500"],
    "order.average": ["-5", "0", "3.33", "50", "100.01"], "order.last_at": ["2026-11-21", "2026-10-22"],
    "order.first_at": ["2026-11-21", "2026-08-13"], "identity": ["openid", "external_userid", "phone"],
    "consent.email": ["granted", "withdrawn"], "consent.sandbox": ["granted", "withdrawn"],
    "rfm.class": ["important_value", "general_keep"], "rfm.layer": ["loyal", "lost", "prospect"],
    "rfm.r": [1, 3, 5], "rfm.m": [0, 2, 5], "lifecycle": ["new", "lost"], "aipl": ["interest", "loyalty"],
    "bucket": [0, 2_000, 5_000], "event": [], "event.count": [0, 1, 2],
}  # fmt: skip


@st.composite
def a_leaf(draw: st.DrawFn, world: World) -> dict[str, Any]:
    known = VALUES | {
        "store": [store.pk for store in world.stores], "region": [world.region.pk], "owner": [world.staff.pk],
        "source": [source.pk for source in world.sources], "tag": [tag.pk for tag in world.tags],
        "tag_group": [world.tags[0].group_id], "segment": [world.snapshot.pk, world.dynamic.pk],
    }  # fmt: skip
    key = draw(st.sampled_from(sorted(known)))
    field = conditions.fields.find(key)
    assert field is not None
    op = draw(st.sampled_from([op for op in field.operators if "regex" not in op]))
    leaf: dict[str, Any] = {"field": key, "op": op}
    one = st.sampled_from(known[key] or [0])
    match conditions.operators.OPERANDS[op].value:
        case "value":
            leaf["value"] = draw(one)
        case "pair":
            leaf["value"] = sorted(
                draw(st.tuples(one, one)), key=lambda v: v if "date" in field.type.value else float(v)
            )
        case "list":
            leaf["value"] = draw(st.lists(one, min_size=1, max_size=3))
        case "duration":
            unit = draw(st.sampled_from(["day", "month"]))
            leaf["value"] = {"n": draw(st.sampled_from([1, 5, 30, 31])), "unit": unit}
        case "days":
            leaf["value"] = draw(st.sampled_from([1, 2, 100]))
        case "months" | "month_days":
            leaf["value"] = [draw(st.sampled_from([2, 11]))] if op == "month" else [draw(st.sampled_from([21, 29]))]
    if key.startswith("event"):
        leaf["with"] = {"type": ["page_view"]}
    if key == "bucket":
        leaf["with"] = {"salt": "a"}
    if key == "order.count" and draw(st.booleans()):
        leaf["window"] = {"last": {"n": 30, "unit": "day"}}
    return leaf


def a_tree(world: World) -> st.SearchStrategy[dict[str, Any]]:
    return st.recursive(
        a_leaf(world),
        lambda children: st.builds(
            lambda op, nodes: {op: nodes},
            st.sampled_from(["all", "any", "none"]),
            st.lists(children, min_size=1, max_size=3),
        ),
        max_leaves=6,
    )


def actors(world: World) -> list[Actor]:
    def of(scope: DataScope, **values: Any) -> Actor:
        return Actor(
            kind="user", id=1, name="x", permissions=ROLE_PERMISSIONS[Role.OPERATOR], scope=scope, **values
        )  # fmt: skip

    return [
        SYSTEM, of(DataScope.REGION, region_id=world.region.pk), of(DataScope.STORE, store_id=world.stores[1].pk),
        of(DataScope.OWN, staff_id=world.staff.pk), of(DataScope.STORE),
    ]  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_changes_the_answer_is_that_of_the_rows(world: World, data: st.DataObject) -> None:
    members = list(world.members)
    with transaction.atomic():
        live(world, data)
        transaction.set_rollback(True)  # each example begins with the same rows
    world.members = members


def live(world: World, data: st.DataObject) -> None:
    chance = random.Random(data.draw(st.integers(0, 10_000)))
    steps = st.sampled_from(["change", "change", "change", "fold", "rebuild", "ask", "ask"])
    for step in ["rebuild", *data.draw(st.lists(steps, min_size=2, max_size=8)), "ask"]:
        match step:
            case "change":
                for _ in range(chance.randint(1, 6)):
                    change = chance.choice([*world.changes(), world.fresh, world.edit_segment])
                    change(chance, chance.choice(world.members))
            case "fold":
                fold_everything()
            case "rebuild":
                build_everything()
            case _:
                node = conditions.parse(data.draw(a_tree(world)))
                actor = data.draw(st.sampled_from(actors(world)))
                as_of = NOW + data.draw(st.sampled_from([timedelta(0), timedelta(days=1), timedelta(days=-30)]))
                assert audiences.preview(node, actor=actor, as_of=as_of) == by_rows(node, actor, as_of)


@pytest.fixture
def built(world: World) -> World:
    build_everything()
    return world


class TestCounting:
    """Beside members who changed since the bitmaps were built."""

    @pytest.fixture(autouse=True)
    def change(self, built: World) -> None:
        chance = random.Random(5)
        for member in built.members[:9]:
            for step in built.changes():
                step(chance, member)

    def trees(self, world: World) -> list[conditions.Node]:
        tags = [{"field": "tag", "op": "any_of", "value": [tag.pk]} for tag in world.tags]
        return [conditions.parse(tree) for tree in (*tags[:2], {"field": "gender", "op": "eq", "value": "f"})]

    def test_members_count_and_pages(self, built: World) -> None:
        for node in self.trees(built):
            members = set(matching(audiences._visible(node, SYSTEM, NOW, ()), None))
            assert set(audiences.members_of(node, as_of=NOW)) == members
            assert audiences.count(node, as_of=NOW) == len(members)
            pages = [audiences.page(node, actor=SYSTEM, as_of=NOW, after=0, size=4)]
            while pages[-1]:
                pages.append(audiences.page(node, actor=SYSTEM, as_of=NOW, after=pages[-1][-1], size=4))
            assert [pk for page in pages for pk in page] == sorted(members)

    def test_tags_are_counted_as_the_rows_count_them(self, built: World) -> None:
        for actor in actors(built):
            for now in (NOW, NOW + timedelta(days=2)):
                wanted = {tag: number for tag, number in tagging.counts(actor=actor, now=now).items() if number}
                assert audiences.tag_counts(actor=actor, now=now) == wanted

    def test_overlaps_and_the_regions_of_a_venn_diagram_add_up(self, built: World) -> None:
        nodes = self.trees(built)
        sets = [set(audiences.members_of(node, as_of=NOW)) for node in nodes]
        found = audiences.overlaps(nodes, actor=SYSTEM, as_of=NOW)
        assert found.sizes == [len(one) for one in sets]
        assert found.common == [[len(first & second) for second in sets] for first in sets]
        regions = audiences.venn(nodes, actor=SYSTEM, as_of=NOW)
        first, second, third = sets
        assert regions[True, True, True] == len(first & second & third)
        assert regions[True, False, True] == len((first & third) - second)
        assert regions[False, False, True] == len(third - first - second)
        assert sum(regions.values()) == len(first | second | third)

    def test_a_saved_segment_is_answered_like_its_condition(self, built: World) -> None:
        node = conditions.parse(built.dynamic.condition)
        assert audiences.preview(built.dynamic, actor=SYSTEM, as_of=NOW) == by_rows(node)


def test_segments_that_contain_each_other_are_refused(built: World) -> None:
    loop = {"field": "segment", "op": "any_of", "value": [built.dynamic.pk]}
    Segment.objects.filter(pk=built.dynamic.pk).update(condition=loop)
    with pytest.raises(Invalid) as refusal:
        audiences.count(conditions.parse(loop), as_of=NOW)
    assert refusal.value.code == "cycle"


def test_without_bitmaps_the_rows_answer(world: World) -> None:
    node = conditions.parse({"field": "gender", "op": "eq", "value": "f"})
    with pytest.raises(Unready):
        audiences._select([node], SYSTEM, NOW, ())
    assert audiences.preview(node, actor=SYSTEM, as_of=NOW) == by_rows(node)
    assert audiences.count(node, as_of=NOW) == by_rows(node).total


def test_a_lapsing_tag_leaves_without_anybody_writing(built: World) -> None:
    member, tag = built.members[0], built.tags[0]
    Member.objects.filter(pk=member.pk).update(status="active")
    MemberTag.objects.filter(tag=tag).delete()
    MemberTag.objects.create(member_id=member.pk, tag=tag, expires_at=NOW + timedelta(hours=1))
    folding.fold_everything()
    node = conditions.parse({"field": "tag", "op": "any_of", "value": [tag.pk]})
    moments = [NOW, NOW + timedelta(hours=1, microseconds=-1), NOW + timedelta(hours=1)]
    assert [audiences.count(node, as_of=moment) for moment in moments] == [1, 1, 0]


def test_bitmaps_answer_without_looking_at_the_members(built: World, django_assert_num_queries: Any) -> None:
    """One statement says which versions hold; what they hold is remembered."""
    node = conditions.parse({"all": [
        {"field": "tag", "op": "any_of", "value": [built.tags[0].pk]}, {"field": "order.sum", "op": "ge", "value": "5"},
    ]})  # fmt: skip
    audiences.preview(node, actor=SYSTEM, as_of=NOW)
    with django_assert_num_queries(1):
        audiences.preview(node, actor=SYSTEM, as_of=NOW)
