"""Tag rules: three forms, how they get along with people, validity, trials, presets and the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from members.models import Event
from scrm.common import api_keys
from scrm.common.access import SYSTEM, Role
from scrm.common.errors import Conflict, Invalid
from scrm.common.models import Notification
from tags.enums import Choice, RuleState, TagKind
from tags.models import MemberTag, Tag, TagGroup, TagRule, TagStatistic, WatchMember
from tags.operations import automatic, statistics, tagging, watches
from tags.queries import automatic as queries
from tags.queries import statistics as statistic_queries
from tags.rules import automatic as forms
from tests.factories import NOW, client_as, make_member, make_user
from tests.tags.watching import (
    DAY,
    did,
    happen,
    know,
    make_form,
    make_rule,
    make_tag,
    moves,
    tags_of,
)

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def keyword(**values: Any) -> dict[str, Any]:
    know("message")
    return {"types": ["message"], "property": "text", "keywords": ["育儿", "辅食"], "min_count": 2, "within_days": 30,
            **values}  # fmt: skip


def interest(**values: Any) -> dict[str, Any]:
    know("page")
    return {"types": ["page"], "property": "title", "keywords": ["育儿"], "half_life_days": 10, "threshold": 2.5,
            **values}  # fmt: skip


def test_a_keyword_rule_counts_the_messages_that_contain_any_of_the_words() -> None:
    rule = make_form("keyword", keyword(), make_tag("育儿"))
    ann = make_member()
    happen(ann, "message", text="宝宝辅食怎么做")
    happen(ann, "message", text="咖啡")
    assert tags_of(ann) == set()
    happen(ann, "message", text="育儿课程")
    assert (tags_of(ann), MemberTag.objects.get(member=ann).source) == ({"育儿"}, TagKind.EVENT)
    assert Tag.objects.get(pk=rule.tag_id).kind == TagKind.EVENT


def test_all_keywords_must_stand_in_the_same_message() -> None:
    make_form("keyword", keyword(match="all", min_count=1), make_tag("育儿"))
    ann, ben = make_member(), make_member()
    happen(ann, "message", text="育儿")
    happen(ann, "message", text="辅食")
    happen(ben, "message", text="育儿和辅食")
    assert (tags_of(ann), tags_of(ben)) == (set(), {"育儿"})


def test_three_articles_raise_an_interest_and_then_it_fades() -> None:
    rule = make_form("interest", interest(), make_tag("育儿"))
    ann = make_member()
    for _ in range(3):
        assert tags_of(ann) == set()
        happen(ann, "page", title="育儿指南")
    row = MemberTag.objects.get(member=ann, tag=rule.tag_id)
    assert (row.weight, row.weight_at, row.half_life_days) == (3.0, NOW, 10.0)
    watches.sweep(now=NOW + SECOND)
    # 3 · 2^(−t/10) = 2.5 after 10 · log2(1.2) = 2.63 days.
    watches.sweep(now=NOW + timedelta(days=2.62))
    assert tags_of(ann) == {"育儿"}
    watches.sweep(now=NOW + timedelta(days=2.64))
    assert (tags_of(ann), moves(ann)) == (set(), [("tag.added", "育儿"), ("tag.removed", "育儿")])


def test_another_article_strengthens_the_tag_that_is_there() -> None:
    rule = make_form("interest", interest(threshold=1), make_tag("育儿"))
    ann = make_member()
    happen(ann, "page", title="育儿", at=NOW)
    happen(ann, "page", title="育儿", at=NOW + 10 * DAY)
    row = MemberTag.objects.get(member=ann, tag=rule.tag_id)
    assert (row.weight, row.weight_at) == (pytest.approx(1.5), NOW + 10 * DAY)
    assert moves(ann) == [("tag.added", "育儿")]


def test_a_tag_taken_off_by_hand_stays_off_until_the_rule_turns_false_and_true() -> None:
    rule = make_rule(did("page", 1, days=7), make_tag("来过"))
    ann = make_member()
    happen(ann, "page")
    tagging.remove(member_ids=[ann.pk], tag_ids=[rule.tag_id], now=NOW)
    happen(ann, "page", at=NOW + DAY)
    watches.evaluate_everyone(watch_id=rule.watch_id, now=NOW + DAY)
    assert tags_of(ann) == set()
    assert queries.standing(queries.get(rule.pk)).suppressed == 1
    while watches.sweep(now=NOW + 9 * DAY):
        pass
    assert not WatchMember.objects.exists()
    happen(ann, "page", at=NOW + 10 * DAY)
    assert tags_of(ann) == {"来过"}


def test_a_tag_put_on_by_hand_is_not_taken_off_by_the_rule() -> None:
    rule = make_rule({"field": "city", "op": "eq", "value": "上海"}, make_tag("上海"))
    before, over = make_member(city="上海"), make_member(city="上海")
    tagging.assign(member_ids=[before.pk], tag_ids=[rule.tag_id], now=NOW)
    watches.refresh(topics={"profile"}, member_ids=[before.pk, over.pk], now=NOW)
    tagging.assign(member_ids=[over.pk], tag_ids=[rule.tag_id], reason="确认", now=NOW)  # over the rule
    for member in (before, over):
        type(member).objects.filter(pk=member.pk).update(city="杭州")
    watches.refresh(topics={"profile"}, member_ids=[before.pk, over.pk], now=NOW)
    assert not WatchMember.objects.exists()
    assert (tags_of(before), tags_of(over)) == ({"上海"}, {"上海"})


def test_of_a_single_choice_group_the_rule_made_first_wins_and_the_next_takes_over() -> None:
    gold = make_rule(did("buy", 3), make_tag("高", "消费", Choice.SINGLE))
    make_rule(did("buy", 1), make_tag("低", "消费", Choice.SINGLE))
    ann = make_member()
    happen(ann, "buy")
    assert tags_of(ann) == {"低"}
    happen(ann, "buy")
    happen(ann, "buy")
    assert tags_of(ann) == {"高"}
    tagging.remove(member_ids=[ann.pk], tag_ids=[gold.tag_id], now=NOW + SECOND)
    assert tags_of(ann) == {"低"}


def test_in_a_single_choice_group_the_hand_keeps_the_place_and_gives_it_back() -> None:
    make_rule(did("buy"), make_tag("规则", "消费", Choice.SINGLE))
    by_hand, ann = make_tag("人工", "消费", Choice.SINGLE), make_member()
    tagging.assign(member_ids=[ann.pk], tag_ids=[by_hand.pk], now=NOW)
    happen(ann, "buy")
    assert tags_of(ann) == {"人工"}
    tagging.remove(member_ids=[ann.pk], tag_ids=[by_hand.pk], now=NOW)
    assert tags_of(ann) == {"规则"}


def test_validity_of_a_condition_rule_runs_from_when_the_tag_was_put_on() -> None:
    rule = make_rule(did("page", 1, days=30), make_tag("新访", valid_days=7))
    ann = make_member()
    happen(ann, "page")
    assert MemberTag.objects.get(member=ann).expires_at == NOW + 7 * DAY
    assert tagging.lapse(now=NOW + 7 * DAY - SECOND) == 0
    assert tagging.lapse(now=NOW + 7 * DAY) == 1
    happen(ann, "page", at=NOW + 8 * DAY)
    assert (tags_of(ann), moves(ann)) == (set(), [("tag.added", "新访"), ("tag.removed", "新访")])
    assert WatchMember.objects.get(watch=rule.watch).suppressed
    assert Event.objects.get(type__key="tag.removed").properties["by"] == "validity"


def test_validity_of_a_keyword_rule_runs_from_the_last_match_and_a_new_one_brings_the_tag_back() -> None:
    make_form("keyword", keyword(min_count=1, within_days=None), make_tag("育儿", valid_days=7))
    ann = make_member()
    happen(ann, "message", text="育儿")
    assert MemberTag.objects.get(member=ann).expires_at is None
    happen(ann, "message", text="育儿", at=NOW + 5 * DAY)
    while watches.sweep(now=NOW + 8 * DAY):
        pass
    assert tags_of(ann) == {"育儿"}
    while watches.sweep(now=NOW + 12 * DAY):
        pass
    assert tags_of(ann) == set()
    happen(ann, "message", text="辅食", at=NOW + 20 * DAY)
    assert tags_of(ann) == {"育儿"}


def test_changing_the_validity_changes_the_keyword_rule() -> None:
    tag = make_tag("育儿")
    rule = make_form("keyword", keyword(min_count=1, within_days=None), tag)
    Tag.objects.filter(pk=tag.pk).update(valid_days=3)
    automatic.validity_changed(tag_id=tag.pk, now=NOW)
    rule.watch.refresh_from_db()
    assert rule.watch.condition["all"][1]["window"] == {"last": {"n": 3, "unit": "day"}}


def test_a_rule_that_hangs_on_its_own_tag_is_refused() -> None:
    first, second, third = make_tag("甲"), make_tag("乙"), make_tag("丙")
    has = lambda tag: {"field": "tag", "op": "any_of", "value": [tag.pk]}  # noqa: E731
    make_rule(has(second), first, enabled=False)
    make_rule(has(third), second, enabled=False)
    know("tag.added")
    for condition in (
        has(third),
        has(first),
        {"field": "tag_group", "op": "none_of", "value": [third.group_id]},
        {"field": "tag", "op": "not_set"},
        did("tag.added"),
    ):
        with pytest.raises(Invalid) as caught:
            make_rule(condition, third, enabled=False)
        assert caught.value.code == "cycle", condition
    assert not TagRule.objects.filter(tag=third).exists()


def test_rules_of_a_single_choice_group_may_not_look_at_each_others_tags() -> None:
    one, other = make_tag("高", "消费", Choice.SINGLE), make_tag("低", "消费", Choice.SINGLE)
    make_rule({"field": "tag", "op": "any_of", "value": [other.pk]}, one, enabled=False)
    with pytest.raises(Invalid) as caught:
        make_rule({"field": "tag", "op": "any_of", "value": [one.pk]}, other, enabled=False)
    assert caught.value.code == "cycle"


@pytest.mark.parametrize(
    ("form", "definition", "code", "field"),
    [
        ("other", {}, "unknown_form", "form"),
        ("condition", {}, "value_needed", "condition"),
        ("condition", {"condition": {"all": []}, "more": 1}, "unknown_key", "more"),
        ("keyword", {"types": []}, "value_needed", "types"),
        ("keyword", {"types": ["m"], "keywords": ["a"]}, "value_needed", "property"),
        ("keyword", {"types": ["m"], "keywords": ["a" * 61], "property": "text"}, "too_long", "keywords"),
        ("keyword", {"types": ["m"], "min_count": 0}, "out_of_range", "min_count"),
        ("keyword", {"types": ["m"], "within_days": True}, "out_of_range", "within_days"),
        (
            "keyword",
            {"types": ["m"], "keywords": [f"k{n}" for n in range(51)], "property": "t"},
            "too_many",
            "keywords",
        ),
        ("interest", {"types": ["m"], "threshold": 2}, "out_of_range", "half_life_days"),
        ("interest", {"types": ["m"], "half_life_days": 7, "threshold": "x"}, "out_of_range", "threshold"),
    ],
)
def test_what_a_definition_lacks_is_named(form: str, definition: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(forms.BadRule) as caught:
        forms.condition_of(form, definition)
    assert (caught.value.code, caught.value.field) == (code, field)
    with pytest.raises(Invalid) as refused:
        automatic.create(tag_id=make_tag().pk, form=form, definition=definition, now=NOW)
    assert (refused.value.code, refused.value.detail["field"]) == (code, field)


def test_the_rule_of_a_tag_is_one_and_an_older_edit_is_a_conflict() -> None:
    rule = make_rule(did("page"), enabled=False)
    with pytest.raises(Conflict) as caught:
        make_rule(did("page"), rule.tag, enabled=False)
    assert caught.value.code == "has_rule"
    automatic.update(rule_id=rule.pk, version=1, form="keyword", definition=keyword(), now=NOW)
    with pytest.raises(Conflict) as stale:
        automatic.update(rule_id=rule.pk, version=1, form="keyword", definition=keyword(), now=NOW)
    assert (stale.value.code, stale.value.detail["version"]) == ("stale", 2)


def test_a_dry_run_says_who_would_get_and_lose_the_tag_and_writes_nothing() -> None:
    tag = make_tag("上海")
    members = {city: make_member(city=city) for city in ("上海", "杭州", "南京")}
    rule = make_rule({"field": "city", "op": "eq", "value": "杭州"}, tag)
    tagging.assign(member_ids=[members["南京"].pk], tag_ids=[tag.pk], now=NOW)
    definition = {"condition": {"field": "city", "op": "eq", "value": "上海"}}
    found = automatic.dry_run(form="condition", definition=definition, tag_id=tag.pk, actor=SYSTEM, now=NOW)
    assert (found.everyone, found.matching, found.add, found.remove, found.kept) == (3, 1, 1, 1, 1)
    assert (found.add_sample_ids, found.remove_sample_ids) == ([members["上海"].pk], [members["杭州"].pk])
    assert round(found.share, 1) == 33.3
    assert tags_of(members["上海"]) == set()
    # It says what then happens.
    automatic.update(rule_id=rule.pk, version=1, form="condition", definition=definition, now=NOW)
    done = watches.evaluate_everyone(watch_id=rule.watch_id, now=NOW)
    assert (done.began, done.ceased) == (found.add, found.remove)
    assert tags_of(members["南京"]) == {"上海"}


def test_a_replay_counts_each_day_as_it_was_at_its_end() -> None:
    ann, ben = make_member(), make_member(joined_at=NOW - 2 * DAY)
    for days in (9, 8, 3):
        happen(ann, "page", at=NOW - days * DAY)
    happen(ben, "page", at=NOW - DAY)
    found = automatic.replay(
        form="condition", definition={"condition": did("page", 2, days=4)}, days=10, actor=SYSTEM, now=NOW
    )
    # NOW is noon of 21 November: two visits within four days from the 13th on, one again from the 16th on.
    assert found.exact
    assert [(day.day.day, day.matching, day.added, day.removed) for day in found.days] == [
        (11, 0, 0, 0), (12, 0, 0, 0), (13, 1, 1, 0), (14, 1, 0, 0), (15, 1, 0, 0), (16, 0, 0, 1),
        (17, 0, 0, 0), (18, 0, 0, 0), (19, 0, 0, 0), (20, 0, 0, 0),
    ]  # fmt: skip
    profile = {"condition": {"field": "city", "op": "eq", "value": "上海"}}
    assert not automatic.replay(form="condition", definition=profile, days=1, actor=SYSTEM, now=NOW).exact


def test_facts_after_a_day_do_not_count_for_it() -> None:
    ann = make_member()
    happen(ann, "page", at=NOW - DAY)
    rows = automatic.replay(form="condition", definition={"condition": did("page")}, days=3, actor=SYSTEM, now=NOW)
    assert [day.matching for day in rows.days] == [0, 0, 1]


def test_a_preset_makes_group_tags_and_rules_with_one_click_and_only_once() -> None:
    know("page")
    preset = next(one for one in queries.presets() if one.key == "lifecycle")
    assert (preset.exists, len(preset.tags)) == (False, 6)
    group = automatic.apply_preset(key="lifecycle", now=NOW)
    assert (group.choice, TagRule.objects.filter(state=RuleState.ENABLED).count()) == (Choice.SINGLE, 6)
    automatic.apply_preset(key="lifecycle", now=NOW)
    assert (TagGroup.objects.count(), Tag.objects.count(), TagRule.objects.count()) == (1, 6, 6)
    assert len(next(one for one in queries.presets() if one.key == "rfm.class").tags) == 8


def test_tags_are_counted_by_day_and_a_drift_is_told_once() -> None:
    owner = make_user()
    tag = make_tag("茶", owner=owner)
    members = [make_member() for _ in range(50)]
    tagging.assign(member_ids=[member.pk for member in members[:30]], tag_ids=[tag.pk], now=NOW - 7 * DAY)
    statistics.count(now=NOW - 7 * DAY)
    tagging.assign(member_ids=[member.pk for member in members[30:]], tag_ids=[tag.pk], now=NOW)
    tagging.remove(member_ids=[members[0].pk], tag_ids=[tag.pk], now=NOW)
    statistics.count(now=NOW)
    rows = TagStatistic.objects.filter(tag=tag).order_by("counted_on")
    assert [(row.members, row.added, row.removed) for row in rows] == [(30, 30, 0), (49, 20, 1)]
    today = rows[1].counted_on
    assert [day.members for day in statistic_queries.series(tag_id=tag.pk, until=today)] == [30, 49]
    assert statistic_queries.sparklines(tag_ids=[tag.pk], until=today) == {tag.pk: [30, 49]}
    assert [drift.before for drift in statistics.alert(now=NOW)] == [30]
    assert statistics.alert(now=NOW) == []
    told = Notification.objects.get(user=owner)
    assert (told.level, told.values["members"], told.values["before"]) == ("warning", 49, 30)


def api(*scopes: str) -> APIClient:
    _key, secret = api_keys.create(name="k", scopes=list(scopes), actor=SYSTEM)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {secret}")
    return client


def test_rules_are_written_and_switched_by_the_api() -> None:
    tag, client = make_tag("来过"), api("tags.view", "tags.manage")
    body = {"tag_id": tag.pk, "form": "condition", "definition": {"condition": did("page")}}
    made = client.post("/api/v1/tag-rules", body, format="json")
    assert (made.status_code, made.json()["state"], made.json()["version"]) == (201, "draft", 1)
    rule_id = made.json()["id"]
    tried = client.post("/api/v1/tag-rules/dry-run", body, format="json")
    assert (tried.status_code, tried.json()["add"]) == (200, 0)
    replayed = client.post("/api/v1/tag-rules/replay", {**body, "days": 3}, format="json")
    assert [day["matching"] for day in replayed.json()["days"]] == [0, 0, 0]
    assert client.post(f"/api/v1/tag-rules/{rule_id}/enable").json()["state"] == "enabled"
    assert client.post(f"/api/v1/tag-rules/{rule_id}/pause").json()["state"] == "paused"
    changed = {"form": "condition", "definition": {"condition": did("page", 2)}, "version": 1}
    assert client.put(f"/api/v1/tag-rules/{rule_id}", changed, format="json").json()["version"] == 2
    assert client.put(f"/api/v1/tag-rules/{rule_id}", changed, format="json").json()["code"] == "stale"
    assert [one["id"] for one in client.get("/api/v1/tag-rules").json()["items"]] == [rule_id]
    assert client.post("/api/v1/tag-rules", body, format="json").json()["code"] == "has_rule"
    wrong = {"tag_id": make_tag().pk, "definition": {"condition": {"all": [{"field": "x"}]}}}
    refused = client.post("/api/v1/tag-rules", wrong, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "/all/0")
    assert client.delete(f"/api/v1/tag-rules/{rule_id}").status_code == 204


def test_who_may_only_see_tags_changes_no_rule() -> None:
    rule, client = make_rule(did("page"), enabled=False), api("tags.view")
    assert client.get(f"/api/v1/tag-rules/{rule.pk}").status_code == 200
    assert client.post("/api/v1/tag-rules", {}, format="json").status_code == 403
    for method, path in (("put", ""), ("delete", ""), ("post", "/enable"), ("post", "/pause")):
        answer = getattr(client, method)(f"/api/v1/tag-rules/{rule.pk}{path}", {}, format="json")
        assert answer.status_code == 403, (method, path)
    assert client_as(Role.AUDITOR).get("/api/v1/tag-rules").status_code == 200
