"""What members can do, by name: declared before it happens, named, counted, and used in conditions at once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import translation

from members.models import EventType
from members.operations import event_types as operations
from members.queries import event_types, timeline
from members.rules.event_types import rounded
from members.web.timeline import present
from scrm.common import conditions
from scrm.common.access import Role
from scrm.common.conditions import BadCondition
from scrm.common.errors import Invalid, NotFound
from scrm.common.models import AuditEntry
from tests.factories import NOW, client_as, make_member
from tests.tags.watching import happen, make_rule, make_tag, tags_of

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
SENT: dict[str, Any] = {"content_type": "application/json"}


def did(kind: str) -> dict[str, Any]:
    return {"field": "event", "op": "true", "with": {"type": [kind]}}


def test_a_condition_names_a_declared_type_before_its_first_event_and_hears_of_it() -> None:
    with pytest.raises(BadCondition):
        conditions.parse(did("course.finished"))
    operations.declare(key="course.finished", name="学完课程")
    rule = make_rule(did("course.finished"), make_tag("学员"))
    assert conditions.describe(conditions.parse(rule.watch.condition)).count("学完课程") == 1
    ann = make_member()
    happen(ann, "course.finished")
    assert tags_of(ann) == {"学员"}
    assert EventType.objects.filter(key="course.finished").count() == 1


def test_the_builder_offers_a_declared_type_at_once() -> None:
    client = client_as()
    operations.declare(key="course.finished", name="学完课程")
    for page in ("/segments/new/", "/tags/rules/new/"):
        assert json.dumps("学完课程") in client.get(page).content.decode()


@pytest.mark.parametrize("path", ["segments", "segments/preview"])
def test_the_api_refuses_a_type_that_nobody_declared_or_sent(path: str) -> None:
    answer = client_as().post(f"/api/v1/{path}", {"name": "x", "condition": did("nowhere")}, **SENT)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "bad_value")


@pytest.mark.parametrize(
    ("key", "name", "code"),
    [
        ("", "名", "bad_key"),
        ("x" * 61, "名", "bad_key"),
        ("a\x00b", "名", "bad_key"),
        ("k", "", "bad_name"),
        ("k", " ", "bad_name"),
        ("k", "x" * 61, "bad_name"),
        ("k", "a\nb", "bad_name"),
        ("declared", "名", "taken"),
        ("page", "名", "taken"),
    ],
)
def test_a_bad_declaration_is_refused(key: str, name: str, code: str) -> None:
    operations.declare(key=" declared ", name=" 登记过 ")
    happen(make_member(), "page")
    with pytest.raises(Invalid) as caught:
        operations.declare(key=key, name=name)
    assert caught.value.code == code
    assert list(EventType.objects.order_by("key").values_list("key", "name")) == [("declared", "登记过"), ("page", "")]


def test_no_more_are_declared_than_a_builder_can_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.rules.event_types.MOST_DECLARED", 1)
    operations.declare(key="a", name="甲")
    with pytest.raises(Invalid) as caught:
        operations.declare(key="b", name="乙")
    assert caught.value.code == "too_many"


def test_the_brands_name_goes_before_the_usual_one_which_goes_before_the_key() -> None:
    ann = make_member()
    for key in ("cart.added", "course.finished"):
        happen(ann, key)
    usual, own = EventType.objects.get(key="cart.added"), EventType.objects.get(key="course.finished")

    def titles() -> list[str]:
        return sorted(present(entry).title for entry in timeline.of_member(ann.pk).entries)

    with translation.override("en"):
        assert (str(usual), str(own)) == ("Put into the cart", "course.finished")
        assert titles() == ["Put into the cart", "course.finished"]
        operations.rename(type_id=usual.pk, name="Bagged")
        operations.rename(type_id=own.pk, name="Finished a course")
        assert titles() == ["Bagged", "Finished a course"]
        assert str(operations.rename(type_id=usual.pk, name=" ")) == "Put into the cart"
    with pytest.raises(NotFound):
        operations.rename(type_id=0, name="x")


def test_what_the_product_notes_is_no_deed_of_a_member() -> None:
    for key in ("tag.added", "segment.left", "message.sent", "lifecycle.changed", "message.clicked", "cart.added"):
        EventType.objects.create(key=key)
    with translation.override("en"):
        assert event_types.deeds() == [("cart.added", "Put into the cart"), ("message.clicked", "Clicked a link")]


def test_events_of_the_last_thirty_days_are_counted_by_type() -> None:
    ann = make_member()
    for days in (0, 1, 29, 30, 31):
        happen(ann, "page", at=NOW - days * DAY)
    happen(ann, "buy", at=NOW + DAY)
    counts = event_types.counts(as_of=NOW)
    assert (counts.exact, counts.of(EventType.objects.get(key="page").pk)) == (True, 3)
    assert counts.of(EventType.objects.get(key="buy").pk) == 0


def test_of_a_large_table_a_sample_is_counted_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four hundred events on a dozen blocks half are read: about as many are told, to two digits."""
    monkeypatch.setattr(event_types, "SAMPLED_BLOCKS", 6)
    ann = make_member()
    for _ in range(400):
        happen(ann, "page", text="x" * 200)
    counts = event_types.counts(as_of=NOW + DAY)
    told = counts.of(EventType.objects.get(key="page").pk)
    assert not counts.exact
    assert 100 <= told <= 900
    assert told == rounded(told)


@pytest.mark.parametrize(
    ("number", "told"), [(0, 0), (7.4, 7), (99.6, 100), (12_345, 12_000), (1_960_000.3, 2_000_000)]
)
def test_an_estimate_has_two_digits(number: float, told: int) -> None:
    assert rounded(number) == told


def test_an_administrator_declares_finds_and_renames_on_pages() -> None:
    client = client_as(Role.ADMIN)
    assert client.get("/event-types/").status_code == 200
    assert client.post("/event-types/new/", {"key": "course.finished", "name": "学完课程"}).status_code == 302
    assert client.post("/event-types/new/", {"key": "course.finished", "name": "学完"}).status_code == 422
    kind = EventType.objects.get()
    assert client.post(f"/event-types/{kind.pk}/", {"key": "other", "name": "结课"}).status_code == 302
    kind.refresh_from_db()
    assert (kind.key, kind.name) == ("course.finished", "结课")
    assert "结课" in client.get("/event-types/?q=COURSE").content.decode()
    assert "结课" not in client.get("/event-types/?q=nothing").content.decode()
    assert client.get("/event-types/0/").status_code == 404
    assert AuditEntry.objects.filter(object_type="members_eventtype", object_id=str(kind.pk)).count() == 2


def test_only_administrators_may() -> None:
    client = client_as(Role.OPERATOR)
    assert client.get("/event-types/").status_code == 403
    assert client.get("/api/v1/event-types").status_code == 200
    assert client.post("/api/v1/event-types", {"key": "a", "name": "甲"}, **SENT).status_code == 403


def test_the_api_declares_lists_and_renames() -> None:
    client = client_as(Role.ADMIN)
    made = client.post("/api/v1/event-types", {"key": "a", "name": "甲"}, **SENT)
    assert (made.status_code, made.json()["label"]) == (201, "甲")
    address = f"/api/v1/event-types/{made.json()['id']}"
    assert client.put(address, {"name": "乙"}, **SENT).json()["name"] == "乙"
    assert client.put(address, {"name": ""}, **SENT).json()["label"] == "a"
    assert client.get(address).json() == {"id": made.json()["id"], "key": "a", "name": "", "label": "a"}
    assert client.get("/api/v1/event-types?q=A").json() == {
        "exact": True,
        "items": [{"id": made.json()["id"], "key": "a", "name": "", "label": "a", "events_30d": 0}],
    }
    again = client.post("/api/v1/event-types", {"key": "a", "name": "甲"}, **SENT)
    assert (again.status_code, again.json()["code"]) == (422, "taken")
    assert client.get("/api/v1/event-types/0").status_code == 404
