"""The cache of bitmaps: ranges of numbers, notes of changes, folding beside writers, and finding what is wrong."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.errors import QueryCanceled
from pyroaring import BitMap

from members.models import Member, MemberSummary
from scrm.common import bulk
from scrm.common.bitmaps import cache, families, folding, numbers, rows, solving
from scrm.common.bitmaps.plans import Having, Within
from scrm.common.bitmaps.stored import Codes, bitmap, pack_codes, unpack, unpack_codes
from tags.models import MemberTag, Tag, TagGroup
from tests.factories import NOW, make_member


class Parts:
    """The stored parts of a column, in memory."""

    def __init__(self, parts: dict[str, bytes]) -> None:
        self.parts: dict[str, Any] = {name: unpack(name, data)[0] for name, data in parts.items()}

    def members(self, name: str) -> BitMap:
        return BitMap(self.parts[name])

    def codes(self, name: str) -> Codes:
        return np.asarray(self.parts[name])


class TestNumbers:
    @settings(max_examples=150, deadline=None)
    @given(
        values=st.lists(st.integers(-50, 50) | st.integers(-(2**40), 2**40), max_size=300),
        bounds=st.lists(st.tuples(*[st.none() | st.integers(-60, 60) | st.integers(-(2**41), 2**41)] * 2), max_size=4),
        spread=st.integers(1, 40),
    )
    def test_any_range_is_exact(self, values: list[int], bounds: list[Any], spread: int) -> None:
        """`spread` repeats the values with a growing distance, so that there are more of them than buckets."""
        codes = np.array([value + 7 * step for step in range(spread) for value in values], np.int64)
        ids = np.random.default_rng(1).permutation(len(codes) * 3)[: len(codes)].astype(np.uint32)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(numbers, "SMALLEST", 4)
            index, parts = numbers.build("x", ids, codes)
            shelf = Parts(dict(parts))
            found = numbers.within(shelf, "x", index, bounds)
        wanted = {
            int(member)
            for member, code in zip(ids, codes, strict=True)
            if any((low is None or low <= code) and (high is None or code < high) for low, high in bounds)
        }
        assert set(found) == wanted
        assert len(index.lows) <= numbers.BUCKETS

    def test_equal_numbers_are_never_in_two_buckets(self) -> None:
        codes = np.sort(np.concatenate([np.zeros(50_000), np.arange(1, 50_001)])).astype(np.int64)
        index, _ = numbers.build("x", np.arange(100_000, dtype=np.uint32), codes)
        assert index.lows == sorted(set(index.lows))
        assert all(high < low for high, low in zip(index.highs, index.lows[1:], strict=False))
        assert sum(index.sizes) == 100_000

    @given(st.lists(st.integers(-(2**62), 2**62), min_size=1))
    def test_numbers_are_stored_in_few_bytes_and_come_back(self, values: list[int]) -> None:
        codes = np.array(values, np.int64)
        packed = pack_codes(codes)
        assert unpack_codes(packed).tolist() == values
        assert len(packed) == 9 + len(values) * next(n for n in (1, 2, 4, 8) if max(values) - min(values) < 256**n)


def of_city(city: str) -> Having:
    return Having("profile", "", "city", lambda value: value == city)


def changed(part: Having | Within) -> set[int]:
    return set(solving.open_view([part]).changed)


@pytest.fixture
def member(db: None) -> Member:
    return make_member(city="上海")


@pytest.fixture
def tag(db: None) -> Tag:
    return Tag.objects.create(group=TagGroup.objects.create(name="兴趣"), name="母婴")


class TestNotes:
    def test_only_what_bitmaps_show_is_noted(self, member: Member) -> None:
        folding.rebuild("profile")
        folding.rebuild("order")
        Member.objects.filter(pk=member.pk).update(name="别名", city="上海", updated_at=NOW)
        MemberSummary.objects.filter(pk=member.pk).update(event_count=7, last_event_at=NOW)
        assert changed(of_city("上海")) == set()
        assert changed(Within("order", "", "count", ((1, None),))) == set()
        Member.objects.filter(pk=member.pk).update(city="杭州")
        MemberSummary.objects.filter(pk=member.pk).update(order_count=1)
        assert changed(of_city("上海")) == {member.pk}
        assert changed(Within("order", "", "count", ((1, None),))) == {member.pk}

    def test_a_tag_that_changes_leaves_the_other_tags_alone(self, member: Member, tag: Tag) -> None:
        other = Tag.objects.create(group=tag.group, name="运动")
        folding.rebuild("tag")
        MemberTag.objects.create(member_id=member.pk, tag_id=tag.pk)
        assert changed(Having("tag", str(tag.pk), "has")) == {member.pk}
        assert changed(Having("tag", str(other.pk), "has")) == set()

    def test_moving_a_row_notes_both_members(self, member: Member, tag: Tag) -> None:
        other = make_member()
        MemberTag.objects.create(member_id=member.pk, tag_id=tag.pk)
        folding.rebuild("tag")
        with connection.cursor() as cursor:
            cursor.execute("UPDATE tags_membertag SET member_id = %s WHERE member_id = %s", [other.pk, member.pk])
        assert changed(Having("tag", str(tag.pk), "has")) == {member.pk, other.pk}

    def test_a_change_that_is_rolled_back_is_not_noted(self, member: Member) -> None:
        folding.rebuild("profile")
        with transaction.atomic():
            Member.objects.filter(pk=member.pk).update(city="杭州")
            transaction.set_rollback(True)
        assert changed(of_city("上海")) == set()

    def test_a_statement_over_very_many_members_makes_the_family_be_built_anew(self, db: None) -> None:
        rich = Within("order", "", "net", ((5, None),))
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO members_member (id, joined_at, status, name, gender, province, city, country, language,"
                " time_zone, phone_masked, email_masked)"
                " SELECT 1000000 + i, now(), 'active', '', '', '', '成都', '', '', '', '', ''"
                " FROM generate_series(1, 50001) i"
            )
            cursor.execute("INSERT INTO members_membersummary (member_id) SELECT id FROM members_member")
            folding.rebuild("order")
            cursor.execute("UPDATE members_membersummary SET net_amount = member_id % 7")
        with pytest.raises(solving.Unready):
            solving.open_view([rich])
        folding.fold("order")
        view = solving.open_view([rich])
        assert set(view.stored(rich)) == {n for n in range(1_000_001, 1_050_002) if n % 7 >= 5}
        assert not view.changed

    def test_emptying_a_table_drops_its_bitmaps(self, member: Member, tag: Tag) -> None:
        MemberTag.objects.create(member_id=member.pk, tag_id=tag.pk)
        folding.rebuild("tag")
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("TRUNCATE tags_membertag")
        with pytest.raises(solving.Unready):
            solving.open_view([Having("tag", str(tag.pk), "has")])

    def test_a_bulk_load_is_not_watched_row_by_row(self, member: Member, tag: Tag) -> None:
        folding.rebuild("tag")
        with transaction.atomic(), bulk.without_indexes(["tags_membertag"]):
            MemberTag.objects.create(member_id=member.pk, tag_id=tag.pk)
        with pytest.raises(solving.Unready):
            solving.open_view([Having("tag", str(tag.pk), "has")])
        folding.fold("tag")
        part = Having("tag", str(tag.pk), "has")
        assert set(solving.open_view([part]).stored(part)) == {member.pk}
        MemberTag.objects.all().delete()
        assert changed(part) == {member.pk}


class TestFolding:
    def test_what_changed_is_in_the_bitmaps_afterwards(self, member: Member) -> None:
        folding.rebuild("profile")
        Member.objects.filter(pk=member.pk).update(city="苏州")
        assert folding.fold("profile") == 1
        view = solving.open_view([of_city("苏州")])
        assert not view.changed
        assert set(view.stored(of_city("苏州"))) == {member.pk}
        assert not view.stored(of_city("上海"))

    def test_a_long_overlay_makes_the_base_be_built_anew(self, member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
        folding.rebuild("profile")
        monkeypatch.setattr(folding, "OVERLAY_MOST", 0)
        Member.objects.filter(pk=member.pk).update(city="苏州")
        folding.fold("profile")
        with connection.cursor() as cursor:
            cursor.execute("SELECT overlay, touched FROM common_bitmapslot WHERE family = 'profile'")
            assert cursor.fetchone() == (None, 0)
        assert set(solving.open_view([of_city("苏州")]).stored(of_city("苏州"))) == {member.pk}

    def test_versions_that_nobody_can_ask_for_are_dropped(self, member: Member) -> None:
        for city in ("苏州", "无锡", "常州", "镇江"):
            Member.objects.filter(pk=member.pk).update(city=city)
            folding.rebuild("profile")
            Member.objects.filter(pk=member.pk).update(city="南京")
            folding.fold("profile")
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(DISTINCT version) FROM common_bitmapblob")
            assert cursor.fetchone()[0] <= 4  # two bases, two overlays

    def test_the_memory_of_a_process_stays_within_its_budget(self, member: Member, settings: Any) -> None:
        folding.rebuild("profile")
        settings.BITMAP_CACHE_BYTES = 2_000
        cache.forget()
        view = solving.open_view([of_city("上海")])
        for column in ("status", "city", "gender", "store", "source", "owner", "country"):
            view.stored(Having("profile", "", column))
        assert cache.held_bytes() <= 2_000


@pytest.mark.django_db(transaction=True)
class TestBesideWriters:
    def test_no_change_is_lost_while_folding(self) -> None:
        """Writers move members between two cities as fast as they can while one connection folds and another asks."""
        members = [make_member(city="甲") for _ in range(40)]
        folding.rebuild("profile")
        stop = threading.Event()
        wrong: list[Any] = []

        def write(seed: int) -> None:
            chance = np.random.default_rng(seed)
            for _ in range(40):
                chosen = [members[n].pk for n in chance.choice(40, 5, replace=False)]
                with transaction.atomic():
                    Member.objects.filter(pk__in=sorted(chosen)).order_by("pk").select_for_update().count()
                    for pk in sorted(chosen):
                        Member.objects.filter(pk=pk).update(city=str(chance.choice(["甲", "乙"])))
            connection.close()

        def fold() -> None:
            while not stop.is_set():
                folding.fold("profile")
            connection.close()

        def ask() -> None:
            # The two cities are everybody at every instant, whatever is on its way.
            while not stop.is_set():
                view = solving.open_view([of_city("甲"), of_city("乙")])
                first, second = view.stored(of_city("甲")) - view.changed, view.stored(of_city("乙")) - view.changed
                if first & second or len(first | second | view.changed) != 40:
                    wrong.append((first, second, view.changed))
            connection.close()

        workers = [threading.Thread(target=target) for target in (fold, ask)]
        writers = [threading.Thread(target=write, args=(seed,)) for seed in (1, 2)]
        for thread in (*workers, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        stop.set()
        for thread in workers:
            thread.join()
        assert wrong == []
        folding.fold("profile")
        view = solving.open_view([of_city("甲")])
        assert set(view.stored(of_city("甲"))) == set(Member.objects.filter(city="甲").values_list("pk", flat=True))
        assert not view.changed


class TestCommand:
    @pytest.fixture(autouse=True)
    def world(self, db: None) -> None:
        group = TagGroup.objects.create(name="兴趣")
        self.tag = Tag.objects.create(group=group, name="母婴")
        self.members = [make_member(city=city) for city in ("上海", "杭州", "杭州")]
        for member in self.members[:2]:
            MemberTag.objects.create(member_id=member.pk, tag_id=self.tag.pk)
        MemberSummary.objects.filter(pk=self.members[0].pk).update(order_count=3, net_amount=900)
        call_command("bitmaps", "rebuild", verbosity=0)

    def check(self, capsys: pytest.CaptureFixture[str]) -> str:
        capsys.readouterr()
        call_command("bitmaps", "check")
        return capsys.readouterr().out

    def test_bitmaps_are_as_the_rows(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.check(capsys) == "".join(f"{family.name}: as the rows\n" for family in families.every())

    def test_also_with_changes_folded_in_and_changes_waiting(self, capsys: pytest.CaptureFixture[str]) -> None:
        Member.objects.filter(pk=self.members[0].pk).update(city="苏州")
        MemberTag.objects.filter(member_id=self.members[1].pk).delete()
        MemberSummary.objects.filter(pk=self.members[1].pk).update(order_count=1, net_amount=5)
        folding.fold_everything()
        Member.objects.filter(pk=self.members[1].pk).update(city="无锡")
        assert "differences" not in self.check(capsys)

    def corrupt(self, family: str, name: str, data: bytes) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE common_bitmapblob b SET data = %s FROM common_bitmapslot s"
                " WHERE b.version = s.base AND s.family = %s AND s.key <> '*' AND b.name = %s",
                [data, family, name],
            )
            assert cursor.rowcount == 1

    @pytest.mark.parametrize(
        ("family", "name", "said"),
        [
            ("tag", "has=0", "tag[{tag}] has = 1: 2 lacking, 1 too many"),
            ("profile", "city=0", "profile city ="),
            ("profile", "city", "profile city = (any)"),
            ("order", "net#0", "order net: 1 lacking, 1 too many"),
            ("order", "net", "order net: 1 lacking, 1 too many"),
        ],
    )
    def test_a_bitmap_that_is_wrong_is_found(
        self, family: str, name: str, said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.corrupt(family, name, BitMap([self.members[2].pk]).serialize())
        capsys.readouterr()
        with pytest.raises(CommandError, match="differ"):
            call_command("bitmaps", "check")
        assert said.format(tag=self.tag.pk) in capsys.readouterr().out
        call_command("bitmaps", "rebuild", family=[family])
        assert "differences" not in self.check(capsys)

    def test_a_bitmap_that_cannot_be_read_is_found(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.corrupt("tag", "has=0", b"rubbish")
        with pytest.raises(CommandError):
            call_command("bitmaps", "check", family=["tag"])

    def test_what_was_never_built_is_said(self, capsys: pytest.CaptureFixture[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM common_bitmapslot WHERE family = 'tag'")
        assert "tag: not built" in self.check(capsys)


@pytest.mark.django_db
def test_numbers_come_from_postgres_as_they_are() -> None:
    first, second = rows.integers("SELECT i::bigint, (-i * 10000000000)::bigint FROM generate_series(1, 3) i", [], 2)
    assert first.tolist() == [1, 2, 3]
    assert second.tolist() == [-10_000_000_000, -20_000_000_000, -30_000_000_000]
    assert list(bitmap(first)) == [1, 2, 3]


@pytest.mark.django_db
def test_numbers_that_take_too_long_to_read_are_an_error_of_the_database() -> None:
    """Whoever counts for somebody who is typing catches it; the driver's own error would be a failed page."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 20")
    with pytest.raises(OperationalError) as caught, transaction.atomic():
        rows.integers("SELECT n FROM generate_series(1, 3) n, pg_sleep(1)", [], 1)
    assert isinstance(caught.value.__cause__, QueryCanceled)
