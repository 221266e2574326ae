"""The pages of automatic tags: writing a rule in three forms, trying it, switching it, and presets."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from members.models import Member
from members.operations import timeline
from scrm.common import clock
from scrm.common.access import DataScope, Role
from tags.enums import Choice, RuleState
from tags.models import MemberTag, Tag, TagGroup, TagRule
from tags.operations import catalogue, tagging, watch_runs
from tests.factories import client_as, make_member, make_order, make_staff, make_store

pytestmark = pytest.mark.django_db

SHANGHAI = {"all": [{"field": "city", "op": "eq", "value": "上海"}]}


def make_tag(name: str = "沪上", group: str = "地域", choice: str = Choice.MULTIPLE) -> Tag:
    found = TagGroup.objects.filter(name=group).first() or catalogue.create_group(name=group, choice=choice)
    return catalogue.create_tag(group_id=found.pk, name=name)


def by_condition(tag: Tag | None, condition: Any = SHANGHAI, **more: Any) -> dict[str, Any]:
    return {"tag": tag.pk if tag else "", "form": "condition", "condition": json.dumps(condition), **more}


def views(member: Member, *titles: str, days_ago: int = 1) -> None:
    now = clock.now()
    timeline.append(
        source="shop",
        type="page",
        rows=[
            (member.pk, f"{member.pk}-{days_ago}-{index}", now - timedelta(days=days_ago), {"title": title})
            for index, title in enumerate(titles)
        ],
        now=now,
    )


def saved(client: Client, values: dict[str, Any]) -> TagRule:
    answer = client.post("/tags/rules/new/", values)
    assert answer.status_code == 302, [str(error) for error in answer.context["form"].errors.values()]
    return TagRule.objects.select_related("watch").order_by("-pk")[0]


# Writing.


def test_a_rule_by_condition_is_saved_as_a_draft() -> None:
    tag, client = make_tag(), client_as()
    rule = saved(client, by_condition(tag))
    assert (rule.tag, rule.form, rule.state, rule.definition) == (
        tag,
        "condition",
        RuleState.DRAFT,
        {"condition": SHANGHAI},
    )
    page = client.get(f"/tags/rules/{rule.pk}/")
    assert page.status_code == 200
    assert "上海" in page.context["sentence"]
    assert not MemberTag.objects.exists()


def test_a_rule_may_bring_its_tag_with_it_both_or_none() -> None:
    group, client = make_tag().group, client_as()
    rule = saved(client, by_condition(None, group=group.pk, name="江浙沪"))
    assert (rule.tag.name, rule.tag.group) == ("江浙沪", group)
    broken = by_condition(None, {"all": [{"field": "?"}]}, group=group.pk, name="无主")
    assert client.post("/tags/rules/new/", broken).status_code == 422
    assert not Tag.objects.filter(name="无主").exists()
    for values, field in ((by_condition(None, group=group.pk), "name"), (by_condition(None, name="x"), "group")):
        answer = client.post("/tags/rules/new/", values)
        assert (answer.status_code, list(answer.context["form"].errors)) == (422, [field])


def test_a_keyword_rule_is_written_with_words_line_by_line() -> None:
    tag, client = make_tag("育儿"), client_as()
    views(make_member(), "辅食怎么做")
    asked = {
        "tag": tag.pk, "form": "keyword", "types": ["page"], "property": "title", "keywords": "育儿\n辅食，奶粉",
        "match": "any", "min_count": "2", "within_days": "30",
    }  # fmt: skip
    rule = saved(client, asked)
    assert rule.definition == {
        "types": ["page"], "property": "title", "keywords": ["育儿", "辅食", "奶粉"], "match": "any",
        "min_count": 2, "within_days": 30,
    }  # fmt: skip
    form = client.get(f"/tags/rules/{rule.pk}/edit/").context["form"]
    assert form["keywords"].value() == "育儿\n辅食\n奶粉"
    assert form["types"].value() == ["page"]


def test_an_interest_that_fades_needs_its_half_life() -> None:
    tag, client = make_tag("育儿"), client_as()
    views(make_member(), "育儿")
    asked = {"tag": tag.pk, "form": "interest", "types": ["page"], "keywords": "", "threshold": "2.5"}
    assert client.post("/tags/rules/new/", asked).status_code == 422
    rule = saved(client, {**asked, "half_life_days": "14"})
    assert rule.definition == {"types": ["page"], "keywords": [], "half_life_days": 14.0, "threshold": 2.5}


@pytest.mark.parametrize(
    "wrong",
    [
        {"form": "condition", "condition": ""},
        {"form": "condition", "condition": "{"},
        {"form": "condition", "condition": '{"all": []}'},
        {"form": "keyword"},
        {"form": "keyword", "types": ["nothing.such"]},
        {"form": "keyword", "types": ["page"], "keywords": "育儿"},
        {"form": "keyword", "types": ["page"], "min_count": "0"},
        {"form": "interest", "types": ["page"], "half_life_days": "-1", "threshold": "1"},
        {"form": "interest", "types": ["page"], "half_life_days": "nan", "threshold": "1"},
        {"form": "spell"},
        {},
    ],
)
def test_what_cannot_be_a_rule_is_refused_and_stays_on_the_page(wrong: dict[str, Any]) -> None:
    tag, client = make_tag(), client_as()
    views(make_member(), "育儿")
    answer = client.post("/tags/rules/new/", {"tag": tag.pk, **wrong})
    assert answer.status_code == 422
    assert answer.context["form"].errors or answer.context["faults"]
    assert client.post("/tags/rules/trial/", {"tag": tag.pk, **wrong}).context["fault"]
    assert not TagRule.objects.exists()


def test_two_editors_do_not_overwrite_each_other() -> None:
    tag, client = make_tag(), client_as()
    rule = saved(client, by_condition(tag))
    changed = {"all": [{"field": "city", "op": "eq", "value": "杭州"}]}
    first = client.post(f"/tags/rules/{rule.pk}/edit/", by_condition(tag, changed, version=rule.version))
    assert first.status_code == 302
    second = client.post(f"/tags/rules/{rule.pk}/edit/", by_condition(tag, version=rule.version))
    assert second.status_code == 422
    rule.refresh_from_db()
    assert rule.definition == {"condition": changed}


def test_a_tag_has_one_rule() -> None:
    tag, client = make_tag(), client_as()
    saved(client, by_condition(tag))
    assert client.post("/tags/rules/new/", by_condition(tag)).status_code == 422
    assert str(tag.pk) not in dict(client.get("/tags/rules/new/").context["form"].fields["tag"].choices)


# Trying.


def test_what_would_change_now_is_counted_and_nothing_is_written() -> None:
    tag, client = make_tag(), client_as()
    ann, ben, cat = (make_member(city=city) for city in ("上海", "上海", "杭州"))
    tagging.assign(member_ids=[cat.pk], tag_ids=[tag.pk], now=clock.now())  # by hand: kept
    tried = client.post("/tags/rules/trial/", by_condition(tag))
    run = tried.context["run"]
    assert (run.matching, run.add, run.remove, run.kept, run.everyone) == (2, 2, 0, 1, 3)
    assert {member.pk for member in tried.context["adds"]} == {ann.pk, ben.pk}
    assert MemberTag.objects.count() == 1
    rule = saved(client, by_condition(tag))
    again = client.post(f"/tags/rules/{rule.pk}/try/").context["run"]
    assert (again.add, again.remove) == (2, 0)
    form = client.post("/tags/rules/trial/", by_condition(None, rule=rule.pk)).context["run"]
    assert (form.add, form.kept) == (2, 1)


def test_a_trial_names_only_members_whom_one_sees() -> None:
    tag, store = make_tag(), make_store()
    mine = make_member(city="上海", store=store)
    make_member(city="上海")
    scoped = client_as(Role.OPERATOR, scope=DataScope.STORE, staff=make_staff(store=store))
    tried = scoped.post("/tags/rules/trial/", by_condition(tag))
    assert [member.pk for member in tried.context["adds"]] == [mine.pk]


def test_a_replay_shows_each_past_day() -> None:
    tag, client = make_tag("爱逛"), client_as()
    views(make_member(), "茶", days_ago=3)
    asked = {"tag": tag.pk, "form": "keyword", "types": ["page"], "min_count": "1", "replay": "1"}
    replay = client.post("/tags/rules/trial/", asked).context["replay"]
    assert replay.exact
    assert len(replay.days) == 30
    assert [day.matching for day in replay.days[-5:]] == [0, 0, 1, 1, 1]  # up to yesterday
    assert sum(day.added for day in replay.days) == 1


# Switching.


def test_enabling_tags_everyone_pausing_leaves_them_and_removing_too() -> None:
    tag, client = make_tag(), client_as()
    ann = make_member(city="上海")
    make_member(city="杭州")
    rule = saved(client, by_condition(tag))
    assert client.post(f"/tags/rules/{rule.pk}/enable/").status_code == 302
    watch_runs.evaluate_everyone(watch_id=rule.watch_id, now=clock.now())
    assert list(MemberTag.objects.values_list("member_id", "source")) == [(ann.pk, "rule")]
    page = client.get(f"/tags/rules/{rule.pk}/")
    assert (page.context["rule"].state, page.context["standing"].fulfilling) == (RuleState.ENABLED, 1)
    client.post(f"/tags/rules/{rule.pk}/pause/")
    assert client.get(f"/tags/rules/{rule.pk}/").context["rule"].state == RuleState.PAUSED
    client.post(f"/tags/rules/{rule.pk}/delete/")
    assert not TagRule.objects.exists()
    assert MemberTag.objects.count() == 1
    assert client.post(f"/tags/rules/{rule.pk}/enable/").status_code == 404


def test_undoing_lets_the_rule_go_on_with_the_tag() -> None:
    tag, client, headers = make_tag(), client_as(), {"HX-Request": "true"}
    ann = make_member(city="上海")
    rule = saved(client, by_condition(tag))
    client.post(f"/tags/rules/{rule.pk}/enable/")
    watch_runs.evaluate_everyone(watch_id=rule.watch_id, now=clock.now())
    answer = client.post(f"/tags/members/{ann.pk}/", {"remove": tag.pk}, headers=headers)
    assert client.get(f"/tags/rules/{rule.pk}/").context["standing"].suppressed == 1
    undo = json.loads(answer["HX-Trigger"])["undo"]
    client.post(undo["url"], undo["values"], headers=headers)
    assert client.get(f"/tags/rules/{rule.pk}/").context["standing"].suppressed == 0
    assert MemberTag.objects.get().source == "rule"


def test_archiving_the_tag_pauses_its_rule_and_says_so_before() -> None:
    tag, client = make_tag(), client_as()
    rule = saved(client, by_condition(tag))
    client.post(f"/tags/rules/{rule.pk}/enable/")
    client.post(f"/tags/{tag.pk}/archive/")
    rule.refresh_from_db()
    assert rule.state == RuleState.PAUSED
    assert f'action="/tags/rules/{rule.pk}/enable/"' not in client.get(f"/tags/rules/{rule.pk}/").content.decode()
    client.post(f"/tags/rules/{rule.pk}/enable/")
    rule.refresh_from_db()
    assert rule.state == RuleState.PAUSED


def test_merging_rewrites_the_conditions_of_rules() -> None:
    old, new, tag, client = make_tag("旧"), make_tag("新"), make_tag("衍生"), client_as()
    rule = saved(client, by_condition(tag, {"all": [{"field": "tag", "op": "any_of", "value": [old.pk]}]}))
    assert "衍生" in client.get(f"/tags/{old.pk}/merge/").content.decode()
    client.post(f"/tags/{old.pk}/merge/", {"into": new.pk})
    rule.refresh_from_db()
    expected = {"all": [{"field": "tag", "op": "any_of", "value": [new.pk]}]}
    assert (rule.definition, rule.watch.condition) == ({"condition": expected}, expected)


# The list.


def test_the_list_says_each_rule_in_words_and_narrows() -> None:
    client = client_as()
    saved(client, by_condition(make_tag("沪上")))
    saved(client, by_condition(make_tag("杭城"), {"all": [{"field": "city", "op": "eq", "value": "杭州"}]}))
    rows = client.get("/tags/rules/").context["rows"]
    assert [(row["rule"].tag.name, "杭州" in row["sentence"]) for row in rows] == [("杭城", True), ("沪上", False)]
    assert [row["rule"].tag.name for row in client.get("/tags/rules/", {"q": "沪"}).context["rows"]] == ["沪上"]
    assert client.get("/tags/rules/", {"state": "enabled"}).context["rows"] == []
    assert client.get("/tags/rules/", {"q": "\0", "state": "x"}).status_code == 200


def test_a_preset_makes_its_group_tags_and_rules_once() -> None:
    client = client_as()
    make_order(make_member())
    assert client.post("/tags/rules/presets/lifecycle/").status_code == 302
    rules = TagRule.objects.select_related("tag__group")
    assert rules.count() > 3
    assert {rule.state for rule in rules} == {RuleState.ENABLED}
    assert {rule.tag.group.choice for rule in rules} == {Choice.SINGLE}
    number = rules.count()
    client.post("/tags/rules/presets/lifecycle/")
    assert TagRule.objects.count() == number
    assert [one.exists for one in client.get("/tags/rules/").context["presets"] if one.key == "lifecycle"] == [True]
    assert client.post("/tags/rules/presets/nonsense/").status_code == 404


def test_only_managers_write_rules_others_read_them() -> None:
    tag = make_tag()
    rule = saved(client_as(), by_condition(tag))
    clerk = client_as(Role.STORE_STAFF)
    assert clerk.get("/tags/rules/").status_code == 200
    assert clerk.get(f"/tags/rules/{rule.pk}/").status_code == 200
    assert clerk.get("/tags/rules/new/").status_code == 403
    for path in ("/tags/rules/trial/", f"/tags/rules/{rule.pk}/enable/", f"/tags/rules/{rule.pk}/try/"):
        assert clerk.post(path).status_code == 403
