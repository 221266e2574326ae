"""Playing a specification: every step is a sentence, see README.md."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import yaml

from analytics.models import MemberStage, ModelScore, RfmScore
from analytics.operations import lifecycle, model_tags, rfm, rfm_models
from members.models import CheckInCalendar, Event, EventType, Identity, Member, Product, Store, Task
from members.operations import (
    attributes,
    checkin_calendars,
    checkins,
    consents,
    currencies,
    intake,
    points,
    points_warnings,
    tasks,
)
from members.operations.task_definitions import Content
from members.rules.intake import EventIn, IdentityIn, MemberIn, MemberRef, OrderIn, OrderLineIn, Outcome, RefundIn
from scrm.common import clock
from scrm.common.access import SYSTEM
from scrm.common.errors import DomainError
from tags.models import MemberTag, Segment, Tag, TagGroup, TagRule
from tags.operations import automatic, segments, tagging, watches
from tags.queries import segments as segment_queries
from tests.tags.watching import stored, truth

START = "2026-11-21 12:00"
_numbers = itertools.count(1)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MOVES = {"tag.added": "+", "tag.removed": "-", "segment.entered": ">", "segment.left": "<"}


class Play:
    """One specification being played: a clock, members by name, rules and segments by name."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.now = self.moment(spec.get("starts", START))
        self.events: dict[str, str] = {}
        for key, kind in spec.get("attributes", {}).items():
            chosen = kind if isinstance(kind, list) else []
            attributes.create(key=key, label=key, type="choice" if chosen else kind, choices=chosen)
        for key in (currencies.POINTS, currencies.GROWTH):
            currencies.get(key)
        if "points" in spec:
            currencies.change(key=currencies.POINTS, content=currencies.Content(name="积分", **spec["points"]))
        for code in spec.get("stores", []):
            Store.objects.get_or_create(code=code, defaults={"name": code})
        for name, values in {**dict.fromkeys(spec.get("rules", {})), **spec.get("tags", {})}.items():
            self.make_tag(name, **(values or {}))
        self.know(spec)
        self.make_tasks(spec)
        for name, condition in spec.get("segments", {}).items():
            segments.create(name=name, condition=self.names(condition), now=self.now)
        for name, written in spec.get("rules", {}).items():
            form, definition = self.form(written)
            rule = automatic.create(tag_id=self.tag(name).pk, form=form, definition=definition, now=self.now)
            automatic.enable(rule_id=rule.pk, now=self.now)
            watches.evaluate_everyone(watch_id=rule.watch_id, now=self.now)

    def make_tasks(self, spec: dict[str, Any]) -> None:
        """Tasks, started long ago, and calendars, by name."""
        for name in spec.get("calendars", []):
            checkin_calendars.create(
                key=f"c{next(_numbers)}",
                content=checkin_calendars.Content(name=name, makeups_per_month=9, makeup_price=1),
                now=self.now,
            )
        for name, written in spec.get("tasks", {}).items():
            content = Content(name=name, **{"kind": "event", "counting": {}, **written})
            task = tasks.create(key=f"t{next(_numbers)}", content=content, now=self.now)
            tasks.start(task_id=task.pk, now=self.now - timedelta(days=400))

    # What specifications name

    def moment(self, text: str) -> datetime:
        day, _, time = text.strip().partition(" ")
        return datetime.fromisoformat(f"{day}T{time or '00:00'}").replace(tzinfo=clock.shop_zone())

    def when(self, text: str) -> datetime:
        """`-2d`, `+1h`, `2026-03-01` or `2026-03-01 08:00`."""
        span = re.fullmatch(r"([+-]?)(\d+)([mhdw])", text)
        if span is None:
            return self.moment(text.replace("T", " "))
        delta = timedelta(**{_UNITS[span[3]]: int(span[2])})
        return self.now - delta if span[1] == "-" else self.now + delta

    def member(self, name: str) -> int:
        found = Identity.objects.filter(kind="number", value=f"{name}@shop").values_list("member_id", flat=True).first()
        if found is None:
            self.answered(intake.land_members(items=[MemberIn(source="shop", number=name)], now=self.now), "")
            return self.member(name)
        return found

    def make_tag(
        self, name: str, *, group: str = "自动", choice: str = "multiple", valid_days: int | None = None
    ) -> None:
        found = TagGroup.objects.get_or_create(name=group, defaults={"choice": choice})[0]
        Tag.objects.create(name=name, group=found, valid_days=valid_days)

    def tag(self, name: str) -> Tag:
        return Tag.objects.get(name=name)

    def segment(self, name: str) -> Segment:
        return Segment.objects.get(name=name)

    def know(self, written: Any) -> None:
        """Make the event types and the categories that conditions name."""
        if isinstance(written, dict):
            for key in ("type", "types"):
                for kind in written.get(key) or [] if isinstance(written.get(key), list) else []:
                    EventType.objects.get_or_create(key=kind)
            for category in written.get("category") or []:
                Product.objects.get_or_create(sku=f"sku-{category}", defaults={"category": category})
            for value in written.values():
                self.know(value)
        elif isinstance(written, list):
            for item in written:
                self.know(item)

    def names(self, written: Any) -> Any:
        """The condition with every `$name` replaced by the id it stands for."""
        if isinstance(written, dict):
            return {key: self.names(value) for key, value in written.items()}
        if isinstance(written, list):
            return [self.names(item) for item in written]
        if isinstance(written, str) and written.startswith("$"):
            for kind in (Segment, Tag, TagGroup, Task, CheckInCalendar):
                found = kind.objects.filter(name=written[1:]).values_list("pk", flat=True).first()
                if found is not None:
                    return found
            return Store.objects.get(code=written[1:]).pk
        return str(written) if hasattr(written, "isoformat") else written

    def form(self, written: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        for form in ("keyword", "interest"):
            if form in written:
                return form, self.names(written[form])
        return "condition", {"condition": self.names(written)}

    # What the intake answers

    @staticmethod
    def answered(outcomes: list[Outcome], wanted: str) -> None:
        (outcome,) = outcomes
        said = f"{outcome.status} {outcome.code}".strip()
        assert said in ([wanted] if wanted else ["accepted", "updated"]), f"{said} {outcome.field} {outcome.message}"

    # Steps

    def play(self, step: str) -> None:
        self.now += timedelta(microseconds=1)  # nothing happens at the same instant as what came before
        for pattern, act in STEPS:
            found = pattern.fullmatch(step)
            if found is not None:
                act(self, **found.groupdict())
                return
        raise ValueError(f"no such step: {step}")

    def does(self, who: str, what: str, rest: str, answer: str) -> None:
        values, at = self.values(rest)
        kind = EventIn(
            source=values.pop("source", "shop"),
            message_id=values.pop("id", f"m{next(_numbers)}"),
            type=what,
            occurred_at=at,
            member=MemberRef(number=who),
            amount=Decimal(values.pop("amount")) if "amount" in values else None,
            properties=values,
        )
        self.answered(intake.land_events(items=[kind], now=self.now), answer)

    def buys(self, who: str, amount: str, rest: str, answer: str) -> None:
        values, at = self.values(rest)
        if "store" in values:
            Store.objects.get_or_create(code=values["store"], defaults={"name": values["store"]})
        line = OrderLineIn(
            sku=values.get("sku", f"sku-{values.get('category', '')}"), quantity=1,
            unit_price=Decimal(amount) + Decimal(values.get("discount", "0")), category=values.get("category", ""),
        )  # fmt: skip
        state = values.get("state", "paid")
        item = OrderIn(
            source=values.get("source", "shop"),
            number=values.get("number", f"O{next(_numbers)}"),
            member=MemberRef(number=who),
            state=state,
            ordered_at=at,
            amount=Decimal(amount),
            discount=Decimal(values.get("discount", "0")),
            version_at=self.when(values["version"]) if "version" in values else None,
            store=values.get("store"),
            channel=values.get("channel", ""),
            lines=[line],
        )
        self.answered(intake.land_orders(items=[item], now=self.now), answer)

    def refunded(self, who: str, amount: str, rest: str, answer: str) -> None:
        values, at = self.values(rest)
        item = RefundIn(
            source="shop",
            number=values.get("number", f"R{next(_numbers)}"),
            amount=Decimal(amount),
            refunded_at=at,
            order_number=values.get("of"),
            member=MemberRef(number=who),
        )
        self.answered(intake.land_refunds(items=[item], now=self.now), answer)

    def becomes(self, who: str, rest: str, answer: str) -> None:
        values, _at = self.values(rest)
        if "store" in values:
            Store.objects.get_or_create(code=values["store"], defaults={"name": values["store"]})
        held = {key[5:]: yaml.safe_load(values.pop(key)) for key in list(values) if key.startswith("attr.")}
        held = {key: str(value) if hasattr(value, "isoformat") else value for key, value in held.items()}
        if "birth_on" in values:
            values["birth_on"] = datetime.fromisoformat(values["birth_on"]).date()
        if "joined_at" in values:
            values["joined_at"] = self.when(values["joined_at"])
        named = [IdentityIn(kind=kind, value=values.pop(kind)) for kind in ("phone", "email") if kind in values]
        item = MemberIn(source="shop", number=who, attributes=held, identities=named, **values)
        self.answered(intake.land_members(items=[item], now=self.now), answer)

    def values(self, rest: str) -> tuple[dict[str, str], datetime]:
        """`key=value` pairs, and `@when`."""
        rest, _, at = rest.partition("@")
        pairs = re.findall(r"(\S+?)=(\"[^\"]*\"|\S+)", rest)
        left = re.sub(r"\S+?=(\"[^\"]*\"|\S+)", "", rest).strip()
        if left:
            raise ValueError(f"not understood: {left}")
        return {key: value.strip('"') for key, value in pairs}, self.when(at.strip()) if at else self.now

    def checks_in(self, who: str) -> None:
        checkins.check_in(member_id=self.member(who), now=self.now)

    def makes_up(self, who: str, span: str) -> None:
        member_id = self.member(who)
        Member.objects.filter(pk=member_id).update(joined_at=self.now - timedelta(days=400))
        points.earn(member_id=member_id, amount=1, reference=f"e{next(_numbers)}", now=self.now)
        day = clock.shop_date(self.when(span))
        checkins.make_up(member_id=member_id, day=day, pay="points", now=self.now)

    def consent(self, who: str, does: str, channel: str) -> None:
        state = "granted" if does == "consents" else "withdrawn"
        entry = consents.Entry(self.member(who), channel, "marketing", state, self.now, "form")
        consents.record(entries=[entry], now=self.now)

    def given(self, who: str, tags: str) -> None:
        tagging.assign(
            member_ids=[self.member(who)], tag_ids=[self.tag(name).pk for name in listed(tags)], now=self.now
        )

    def loses(self, who: str, tags: str) -> None:
        tagging.remove(
            member_ids=[self.member(who)], tag_ids=[self.tag(name).pk for name in listed(tags)], now=self.now
        )

    def books(self, who: str, does: str, amount: str, rest: str) -> None:
        values, at = self.values(rest)
        common: dict[str, Any] = {
            "member_id": self.member(who), "currency": values.get("currency", "points"), "amount": int(amount),
            "reference": values.get("reference", f"P{next(_numbers)}"), "now": self.now,
        }  # fmt: skip
        match does:
            case "earns":
                expires = self.when(values["expires"]) if "expires" in values else None
                points.earn(**common, source=values.get("source", ""), occurred_at=at, expires_at=expires)
            case "spends":
                points.spend(**common)
            case "holds":
                points.hold(**common, minutes=int(values.get("minutes", "30")))
            case "reverses":
                points.reverse(**common, source=values["source"])

    def wait(self, span: str) -> None:
        self.now = self.when(span.removeprefix("until "))
        while watches.sweep(now=self.now):
            pass
        while tagging.lapse(now=self.now):
            pass

    def nightly(self, what: str) -> None:
        today = clock.shop_date(self.now)
        match what:
            case "rfm":
                rfm.run(model_id=rfm_models.ensure_default().pk, as_of=today, actor=SYSTEM, now=self.now)
            case "lifecycle":
                lifecycle.run(as_of=today, actor=SYSTEM, now=self.now)
            case "warnings":
                points_warnings.warn(now=self.now)
            case "models":
                model_tags.run(as_of=today, actor=SYSTEM, now=self.now)
            case "watches":
                for rule in TagRule.objects.filter(watch__enabled=True):
                    watches.evaluate_everyone(watch_id=rule.watch_id, now=self.now)

    def rule(self, what: str, name: str) -> None:
        rule = TagRule.objects.get(tag__name=name)
        if what == "pause":
            automatic.pause(rule_id=rule.pk, now=self.now)
        else:
            automatic.enable(rule_id=rule.pk, now=self.now)
            watches.evaluate_everyone(watch_id=rule.watch_id, now=self.now)

    def change(self, name: str, written: str) -> None:
        rule = TagRule.objects.get(tag__name=name)
        read = yaml.safe_load(written)
        self.know(read)
        form, definition = self.form(read)
        automatic.update(rule_id=rule.pk, version=rule.version, form=form, definition=definition, now=self.now)
        watches.evaluate_everyone(watch_id=rule.watch_id, now=self.now)

    def refuses(self, name: str, written: str, code: str) -> None:
        read = yaml.safe_load(written)
        self.know(read)
        form, definition = self.form(read)
        with pytest.raises(DomainError) as caught:
            automatic.create(tag_id=self.tag(name).pk, form=form, definition=definition, now=self.now)
        assert caught.value.code == code, caught.value.code

    def segment_refuses(self, name: str, written: str, code: str) -> None:
        read = yaml.safe_load(written)
        self.know(read)
        found = Segment.objects.filter(name=name).first()
        values = {"name": name, "condition": self.names(read), "now": self.now}
        if found is None:
            change = functools.partial(segments.create, **values)
        else:
            change = functools.partial(segments.update, segment_id=found.pk, version=found.version, **values)
        with pytest.raises(DomainError) as caught:
            change()
        assert caught.value.code == code, caught.value.code

    def snapshot(self, name: str, copy: str) -> None:
        segments.snapshot(segment_id=self.segment(name).pk, name=copy, now=self.now)

    def follow(self, what: str, name: str) -> None:
        segment = self.segment(name)
        if what == "unfollow":
            segments.unfollow(segment_id=segment.pk, now=self.now)
        else:
            followed = segments.follow(segment_id=segment.pk, now=self.now)
            assert followed.watch_id is not None
            watches.evaluate_everyone(watch_id=followed.watch_id, now=self.now)

    def redefine(self, name: str, written: str) -> None:
        segment = self.segment(name)
        read = yaml.safe_load(written)
        self.know(read)
        segments.update(
            segment_id=segment.pk, version=segment.version, name=name, condition=self.names(read), now=self.now
        )
        for rule in TagRule.objects.filter(watch__enabled=True):
            watches.evaluate_everyone(watch_id=rule.watch_id, now=self.now)

    # Expectations

    def tags_on(self, member_id: int) -> set[str]:
        rows = MemberTag.objects.filter(member_id=member_id).select_related("tag")
        return {row.tag.name for row in rows if row.expires_at is None or row.expires_at > self.now}

    def has(self, who: str, does: str, tags: str) -> None:
        held = self.tags_on(self.member(who))
        for name in listed(tags):
            assert (name in held) is (does == "has"), f"{who} has {sorted(held)}"

    def is_on(self, name: str, people: str) -> None:
        rows = MemberTag.objects.filter(tag__name=name).values_list("member_id", "expires_at")
        found = {member_id for member_id, expires_at in rows if expires_at is None or expires_at > self.now}
        assert found == self.people(people), f"{name} is on {found}"

    def holds(self, name: str, people: str) -> None:
        found = set(
            segment_queries.member_ids_page(self.segment(name), actor=SYSTEM, as_of=self.now, after=0, size=1000)
        )
        assert found == self.people(people), f"{name} holds {found}"

    def people(self, names: str) -> set[int]:
        return set() if names == "nobody" else {self.member(name) for name in listed(names)}

    def timeline(self, who: str, moves: str) -> None:
        rows = Event.objects.filter(member=self.member(who), type__key__in=_MOVES).select_related("type")
        found = [
            f"{_MOVES[row.type.key]}{row.properties.get('tag') or row.properties.get('segment')}"
            for row in rows.order_by("occurred_at", "id")
        ]
        assert found == moves.split(), found

    def concluded(self, who: str, about: str, value: str) -> None:
        member_id = self.member(who)
        match about.split():
            case ["lifecycle"]:
                found = MemberStage.objects.values_list("stage", flat=True).get(member_id=member_id)
            case ["aipl"]:
                found = MemberStage.objects.values_list("aipl", flat=True).get(member_id=member_id)
            case ["rfm"]:
                found = (
                    RfmScore.objects.filter(member_id=member_id).values_list("layer", flat=True).first() or "prospect"
                )
            case ["model", model]:
                row = ModelScore.objects.filter(member_id=member_id, model=model).first()
                found = row.value if row else "unknown"
            case _:
                raise ValueError(about)
        assert found == value, found

    def agree(self) -> None:
        """What is stored of every watch that is on is what its condition says of everyone now."""
        for rule in TagRule.objects.filter(watch__enabled=True).select_related("watch", "tag"):
            assert stored(rule.watch) == truth(rule.watch, now=self.now), f"rule of {rule.tag.name}"
        for segment in Segment.objects.filter(watch__enabled=True).select_related("watch"):
            assert segment.watch is not None
            assert stored(segment.watch) == truth(segment.watch, now=self.now), f"segment {segment.name}"


def listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",")]


_ANSWER = r"(?: -> (?P<answer>.+))?"
STEPS: list[tuple[re.Pattern[str], Callable[..., None]]] = [
    (re.compile(pattern), act)
    for pattern, act in [
        (rf"(?P<who>\w+) does (?P<what>\S+)(?P<rest>.*?){_ANSWER}", Play.does),
        (rf"(?P<who>\w+) buys (?P<amount>[-\d.]+)(?P<rest>.*?){_ANSWER}", Play.buys),
        (rf"(?P<who>\w+) is refunded (?P<amount>[-\d.]+)(?P<rest>.*?){_ANSWER}", Play.refunded),
        (rf"(?P<who>\w+) becomes (?P<rest>.*?){_ANSWER}", Play.becomes),
        (r"(?P<who>\w+) checks in", Play.checks_in),
        (r"(?P<who>\w+) makes up (?P<span>\S+)", Play.makes_up),
        (r"(?P<who>\w+) (?P<does>consents|withdraws) (?P<channel>\w+)", Play.consent),
        (r"(?P<who>\w+) is given (?P<tags>.+)", Play.given),
        (r"(?P<who>\w+) loses (?P<tags>.+)", Play.loses),
        (r"(?P<who>\w+) (?P<does>earns|spends|holds|reverses) (?P<amount>\d+) points(?P<rest>.*)", Play.books),
        (r"wait (?P<span>.+)", Play.wait),
        (r"nightly (?P<what>rfm|lifecycle|models|watches|warnings)", Play.nightly),
        (r"(?P<what>pause|enable) (?P<name>\S+)", Play.rule),
        (r"change (?P<name>\S+) to (?P<written>.+)", Play.change),
        (r"(?P<name>\S+) may not be (?P<written>.+): (?P<code>\w+)", Play.refuses),
        (r"segment (?P<name>\S+) may not be (?P<written>.+): (?P<code>\w+)", Play.segment_refuses),
        (r"snapshot (?P<name>\S+) as (?P<copy>\S+)", Play.snapshot),
        (r"(?P<what>follow|unfollow) (?P<name>\S+)", Play.follow),
        (r"redefine (?P<name>\S+) as (?P<written>.+)", Play.redefine),
        (r"(?P<who>\w+) (?P<does>has|lacks) (?P<tags>.+)", Play.has),
        (r"(?P<name>\S+) is on (?P<people>.+)", Play.is_on),
        (r"(?P<name>\S+) holds (?P<people>.+)", Play.holds),
        (r"(?P<who>\w+) timeline ?(?P<moves>.*)", Play.timeline),
        (r"(?P<who>\w+) is (?P<about>lifecycle|aipl|rfm|model \w+) (?P<value>\S+)", Play.concluded),
    ]
]


def check(spec: dict[str, Any]) -> None:
    """Nothing of a specification is left unread."""
    unknown = set(spec) - {
        "it", "starts", "tags", "attributes", "segments", "rules", "stores", "points", "tasks", "calendars", "steps",
    }  # fmt: skip
    assert not unknown, unknown
