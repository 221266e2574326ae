"""A slow second reading of the condition language, from docs/conditions.md, over plain Python records.

It shares nothing with the compiler: it walks raw JSON and people as dictionaries, one member at a time.
"""

from __future__ import annotations

import hashlib
import re
from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

Record = dict[str, Any]


@dataclass
class Oracle:
    """What is known besides the members: the shop's zone, tags' groups, stores' regions, segments by id."""

    zone: ZoneInfo
    groups: dict[int, int] = field(default_factory=dict)
    regions: dict[int, int | None] = field(default_factory=dict)
    trees: dict[int, Any] = field(default_factory=dict)  # of dynamic segments
    attributes: dict[str, str] = field(default_factory=dict)  # key → type
    default_model: int | None = None
    ladder: list[tuple[int, int]] = field(default_factory=list)  # tier and threshold, from the lowest
    tier_window: str = "lifetime"  # "calendar" is of a year, "rolling" of twelve months
    tasks: dict[int, datetime | None] = field(default_factory=dict)  # until when each can be done

    def holds(self, tree: Any, person: Record, as_of: datetime) -> bool:
        if "all" in tree:
            return all(self.holds(child, person, as_of) for child in tree["all"])
        if "any" in tree:
            return any(self.holds(child, person, as_of) for child in tree["any"])
        if "none" in tree:
            return not any(self.holds(child, person, as_of) for child in tree["none"])
        return self.leaf(tree, person, as_of)

    def leaf(self, leaf: Record, person: Record, as_of: datetime) -> bool:
        kind, value = self.value(leaf, person, as_of)
        op, operand = leaf["op"], leaf.get("value")
        if kind == "boolean":
            return value is (op == "true")
        if kind == "set":
            match op:
                case "set":
                    return bool(value)
                case "not_set":
                    return not value
                case "any_of":
                    return any(item in value for item in operand)
                case "all_of":
                    return all(item in value for item in operand)
                case _:
                    return not any(item in value for item in operand)
        if op in ("set", "not_set"):
            return (value is not None) is (op == "set")
        if value is None:
            return False
        match kind:
            case "date" | "datetime":
                return self.calendar(kind, op, operand, value, as_of)
            case "money":
                return number(op, Fraction(value), minor(operand))
            case "integer" | "decimal":
                return number(op, Fraction(value), exact(operand))
            case _:
                return text(op, value, operand)

    # Time

    def today(self, as_of: datetime) -> date:
        return as_of.astimezone(self.zone).date()

    def start(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def shifted(self, instant: datetime, span: Any, sign: int) -> datetime:
        """So many units before or after: hours on the clock, the rest by the shop's calendar."""
        n, unit = duration(span)
        if unit == "hour":
            return instant + sign * timedelta(hours=n)
        local = instant.astimezone(self.zone)
        day = shifted_day(local.date(), n, unit, sign)
        return datetime.combine(day, local.time().replace(fold=0), tzinfo=self.zone).astimezone(UTC)

    def inside(self, window: Any, instant: datetime | None, as_of: datetime) -> bool:
        if instant is None:
            return False
        if window is None:
            return True
        if "last" in window:
            return self.shifted(as_of, window["last"], -1) < instant <= as_of
        after = "from" not in window or instant >= self.start(date.fromisoformat(window["from"]))
        day_after = "to" in window and date.fromisoformat(window["to"]) + timedelta(days=1)
        return after and (not day_after or instant < self.start(day_after))

    def calendar(self, kind: str, op: str, operand: Any, value: Any, as_of: datetime) -> bool:
        day = value if kind == "date" else self.today(value)
        today = self.today(as_of)
        match op:
            case "eq":
                return day == date.fromisoformat(operand)
            case "before":
                return day < date.fromisoformat(operand)
            case "after":
                return day > date.fromisoformat(operand)
            case "between":
                return date.fromisoformat(operand[0]) <= day <= date.fromisoformat(operand[1])
            case "month":
                return day.month in operand
            case "month_day":
                return day.day in operand
            case "anniversary_next":
                return any(anniversary(day, today + timedelta(days=n)) for n in range(operand))
            case "anniversary_last":
                return any(anniversary(day, today - timedelta(days=n)) for n in range(operand))
            case "anniversary_within":
                return any(anniversary(day, today + timedelta(days=n)) for n in range(-operand, operand + 1))
        if kind == "date":
            n, unit = duration(operand)
            match op:
                case "in_last":
                    return shifted_day(today, n, unit, -1) < day <= today
                case "in_next":
                    return today <= day < shifted_day(today, n, unit, 1)
                case _:
                    return day <= shifted_day(today, n, unit, -1)
        match op:
            case "in_last":
                return self.shifted(as_of, operand, -1) < value <= as_of
            case "in_next":
                return as_of < value <= self.shifted(as_of, operand, 1)
            case _:
                return value <= self.shifted(as_of, operand, -1)

    # What each field finds: its type and the member's value, None when unset

    def value(self, leaf: Record, person: Record, as_of: datetime) -> tuple[str, Any]:
        key, narrow, window = leaf["field"], leaf.get("with") or {}, leaf.get("window")
        match key.split("."):
            case ["gender" | "store" | "owner" | "source"]:
                return "enum", person[key] or None
            case ["city" | "province" | "country" | "name"]:
                return "text", person[key] or None
            case ["region"]:
                return "enum", self.regions.get(person["store"])
            case ["birthday"]:
                return "date", person["birthday"]
            case ["age"]:
                return "integer", age(person["birthday"], self.today(as_of))
            case ["joined_at"]:
                return "datetime", person["joined_at"]
            case ["identity"]:
                return "set", set(person["identities"])
            case ["consent", channel]:
                return "enum", person["consents"].get(channel)
            case ["bucket"]:
                digest = hashlib.md5(f"{person['id']}:{narrow.get('salt') or ''}".encode()).hexdigest()  # noqa: S324
                return "integer", int(digest[:8], 16) % 10_000
            case ["attribute", name]:
                return self.attribute(name, person["attributes"].get(name))
            case ["order", what]:
                return self.order(what, person, narrow, window, as_of)
            case ["event", *what]:
                return self.event(what[0] if what else "done", person, narrow, window, as_of)
            case ["message", what]:
                return self.message(what, person, narrow, window, as_of)
            case ["tier", *what]:
                return self.tier(what[0] if what else "", person)
            case ["growth", what]:
                return self.growth(what, person, as_of)
            case ["membership", "plan"]:
                return "set", {plan for plan, start, end in person["plans"] if start <= as_of < end}
            case ["benefit", what]:
                return self.benefit(what, person, narrow, window, as_of)
            case ["tag" | "tag_group" as what]:
                held = {tag for tag, row in person["tags"].items() if valid(row, as_of)}
                return "set", held if what == "tag" else {self.groups[tag] for tag in held}
            case ["tag", what]:
                return self.assignment(what, person["tags"].get(narrow["tag"]), as_of)
            case ["segment"]:
                return "set", Segments(self, person, as_of)
            case ["rfm", what]:
                row = person["scores"].get(narrow.get("model", self.default_model), {})
                if what == "layer":
                    return "enum", row.get("layer", "prospect")
                return ("enum" if what == "class" else "integer"), row.get(what)
            case ["lifecycle" | "aipl"]:
                return "enum", person["stages"].get(key)
            case ["model", "category"]:
                return "set", set(person["models"].get("category", ()))
            case ["model", "chance"]:
                chance = person["models"].get("chance")
                return "decimal", None if chance is None else Fraction(str(chance))
            case ["model", what]:
                return "enum", person["models"].get(what)
            case ["points", what]:
                return "integer", self.points(what, person["points"].get(narrow.get("currency", "points")), leaf, as_of)
            case ["task", "completed"]:
                return "integer", sum(
                    not row["undone"]
                    and ("task" not in narrow or row["task"] in narrow["task"])
                    and self.inside(window, row["at"], as_of)
                    for row in person["doings"]
                )
            case ["task", "open"]:
                return "set", {
                    task
                    for task, ends in person["begun"].items()
                    if (ends is None or ends > as_of) and (self.tasks[task] is None or self.tasks[task] > as_of)
                }
            case ["checkin", what]:
                return "integer", self.checkin(what, person, narrow, window, as_of)
        raise LookupError(key)

    def points(self, what: str, account: Record | None, leaf: Record, as_of: datetime) -> int:
        """Time brings, in this order: holds end, lots become available and repay what is owed, lots expire."""
        if account is None:
            return 0
        if what in ("earned", "spent"):
            return sum(row["amount"] for row in account[what] if self.inside(leaf.get("window"), row["at"], as_of))
        lots, owed, hold = [dict(lot) for lot in account["lots"]], account["owed"], account["hold"]
        if hold and hold["ends"] <= as_of:
            lot = lots[hold["lot"]]
            lot["held"] = 0
            if lot["expires"] is not None and lot["expires"] <= hold["ends"]:
                lot["expires"] = hold["ends"] + timedelta(days=account["grace"])
        for lot in sorted(lots, key=lambda lot: lot["activates"]):
            if lot["activates"] <= as_of:
                repaid = min(owed, lot["left"])
                lot["left"] -= repaid
                owed -= repaid
        for lot in lots:
            lot["ends"] = min((end for end in (lot["expires"], account["idle"]) if end is not None), default=None)
            if lot["activates"] <= as_of and lot["ends"] is not None and lot["ends"] <= as_of:
                lot["left"] = lot["held"]
        free = [(lot, lot["left"] - lot["held"]) for lot in lots]
        match what:
            case "available":
                return sum(amount for lot, amount in free if lot["activates"] <= as_of) - owed
            case "arrears":
                return int(owed)
            case "pending":
                return sum(amount for lot, amount in free if lot["activates"] > as_of)
            case "expiring":
                until = self.shifted(as_of, leaf["with"]["within"], 1)
                return sum(amount for lot, amount in free if lot["ends"] is not None and lot["ends"] <= until)
        raise LookupError(what)

    def checkin(self, what: str, person: Record, narrow: Record, window: Any, as_of: datetime) -> int:
        calendars = [
            days for pk, days in person["checkins"].items() if "calendar" not in narrow or pk in narrow["calendar"]
        ]
        if what == "days":
            return sum(self.inside(window, self.start(day), as_of) for days in calendars for day in days)
        longest = 0
        for days in calendars:
            for last in (self.today(as_of), self.today(as_of) - timedelta(days=1)):
                length = 0
                while last - timedelta(days=length) in days:
                    length += 1
                longest = max(longest, length)
        return longest

    def attribute(self, name: str, raw: Any) -> tuple[str, Any]:
        kind = self.attributes[name]
        shown = json_text(raw)
        match kind:
            case "number":
                whole = re.fullmatch(r"(-?[0-9]{1,18})(\.0+)?", shown or "")
                return "integer", int(whole[1]) if whole else None
            case "date":
                try:
                    day = date.fromisoformat(shown) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", shown or "") else None
                except ValueError:
                    day = None
                return "date", day
            case "yes_no":
                return "enum", shown if shown in ("true", "false") else None
            case "choice":
                return "enum", shown or None
            case _:
                return "text", shown or None

    def order(self, what: str, person: Record, narrow: Record, window: Any, as_of: datetime) -> tuple[str, Any]:
        lines = ("category", "product")

        def fits(order: Record) -> bool:
            of_order = all(order[key] in narrow[key] for key in ("source", "store", "channel") if key in narrow)
            of_lines = all(any(line[key] in narrow[key] for line in order["lines"]) for key in lines if key in narrow)
            return of_order and of_lines and self.inside(window, order["paid_at"], as_of)

        orders = [order for order in person["orders"] if order["counts"] and fits(order)]
        bought = [
            line
            for order in orders
            for line in order["lines"]
            if all(line[key] in narrow[key] for key in lines if key in narrow)
        ]
        total = sum(order["net"] for order in orders)
        if not set(narrow) - {"source"}:
            total -= sum(
                refund["amount"]
                for refund in person["refunds"]
                if ("source" not in narrow or refund["source"] in narrow["source"])
                and self.inside(window, refund["at"], as_of)
            )
        paid = [order["paid_at"] for order in orders]
        match what:
            case "count":
                return "integer", len(orders)
            case "sum":
                return "money", total
            case "average":
                return "money", Fraction(total, len(orders)) if orders else None
            case "largest":
                return "money", max((order["net"] for order in orders), default=None)
            case "first_at":
                return "datetime", min(paid, default=None)
            case "last_at":
                return "datetime", max(paid, default=None)
            case "products":
                return "integer", len({line["product"] for line in bought})
            case "categories":
                return "integer", len({line["category"] for line in bought if line["category"]})
        raise LookupError(what)

    def event(self, what: str, person: Record, narrow: Record, window: Any, as_of: datetime) -> tuple[str, Any]:
        if what in ("sequence", "unfollowed"):
            return "boolean", self.steps(what, person, narrow, window, as_of)
        events = [
            event
            for event in person["events"]
            if event["type"] in narrow["type"]
            and self.inside(window, event["at"], as_of)
            and fulfils(event, narrow.get("where"))
        ]
        times = [event["at"] for event in events]
        match what:
            case "done":
                return "boolean", bool(events)
            case "count":
                return "integer", len(events)
            case "amount":
                return "money", sum(event["amount"] or 0 for event in events)
            case "first_at":
                return "datetime", min(times, default=None)
            case "last_at":
                return "datetime", max(times, default=None)
            case "distinct":
                name = narrow.get("property")
                if name is None:
                    return "integer", len({self.today(at) for at in times})
                if name == "$amount":
                    return "integer", len({event["amount"] for event in events} - {None})
                return "integer", len({property_of(event["properties"], name) for event in events} - {None})
            case "weight":
                half_life = 86_400 * float(narrow["half_life_days"])
                weights = [2 ** max(-(as_of - at).total_seconds() / half_life, -1000) for at in times if at <= as_of]
                return "decimal", rounded(sum(weights))
        raise LookupError(what)

    def tier(self, what: str, person: Record) -> tuple[str, Any]:
        row = person["tier"]
        if what in ("since", "expires_at"):
            return "datetime", row and row[what]
        tier = row["tier"] if row else self.ladder[0][0]
        return ("enum", tier) if not what else ("integer", [pk for pk, _ in self.ladder].index(tier) + 1)

    def growth(self, what: str, person: Record, as_of: datetime) -> tuple[str, Any]:
        """What was earned in the window that ends now, and has not expired."""
        today, joined = self.today(as_of), self.today(person["joined_at"])
        match self.tier_window:
            case "calendar":
                first = today.replace(month=1, day=1)
            case "rolling":
                first = shifted_day(today, 12, "month", -1) + timedelta(days=1)
            case "anniversary":
                years = [
                    shifted_day(joined, 12 * number, "month", 1) for number in range(0, today.year - joined.year + 1)
                ]
                first = max((day for day in years if day <= today), default=joined)
            case _:
                first = date(1900, 1, 1)
        found = sum(
            lot["amount"]
            for lot in person["growth"]
            if self.start(first) <= lot["at"] <= as_of
            and lot["active_at"] <= as_of
            and (lot["expires_at"] is None or lot["expires_at"] > as_of)
        )
        if what == "value":
            return "integer", found
        level = self.tier("level", person)[1]
        return "integer", max(self.ladder[level][1] - found, 0) if level < len(self.ladder) else None

    def steps(self, what: str, person: Record, narrow: Record, window: Any, as_of: datetime) -> bool:
        n, unit = duration(narrow["within"])
        within = timedelta(hours=n * {"hour": 1, "day": 24, "week": 168}[unit])
        firsts = self.times(person, narrow["first"])
        thens = self.times(person, narrow["then"])
        if what == "sequence":
            return any(
                first < then <= first + within
                and self.inside(window, first, as_of)
                and self.inside(window, then, as_of)
                for first in firsts
                for then in thens
            )
        return any(
            self.inside(window, first, as_of)
            and first + within <= as_of
            and not any(first < then <= first + within for then in thens)
            for first in firsts
        )

    def times(self, person: Record, step: Record) -> list[datetime]:
        found = [
            event["at"]
            for event in person["events"]
            if event["type"] in step["type"] and fulfils(event, step.get("where"))
        ]
        if "$order" in step["type"]:
            found += [
                order["paid_at"]
                for order in person["orders"]
                if order["counts"] and fulfils({"amount": order["net"], "properties": {}}, step.get("where"))
            ]
        return found

    def benefit(self, what: str, person: Record, narrow: Record, window: Any, as_of: datetime) -> tuple[str, Any]:
        claims = [row for row in person["claims"] if "benefit" not in narrow or row["benefit"] in narrow["benefit"]]
        if what == "claimed":
            rows = [row for row in claims if row["state"] != "voided"]
            return "integer", sum(self.inside(window, row["claimed_at"], as_of) for row in rows)
        if what == "redeemed":
            rows = [row for row in claims if row["state"] == "redeemed"]
            return "integer", sum(self.inside(window, row["redeemed_at"], as_of) for row in rows)
        ends = [row["expires_at"] for row in claims if row["state"] == "claimed"]
        unused = [at for at in ends if at is None or at > as_of]
        if what == "unused":
            return "integer", len(unused)
        return "datetime", min((at for at in unused if at is not None), default=None)

    def message(self, what: str, person: Record, narrow: Record, window: Any, as_of: datetime) -> tuple[str, Any]:
        state = narrow.get("state", "sent")
        arrived = ("delivered", "opened", "clicked", "replied")
        times = []
        for message in person["messages"]:
            if any(message[key] not in narrow[key] for key in ("campaign", "channel") if key in narrow):
                continue
            at = message[{"opened": "opened_at", "clicked": "clicked_at"}.get(state, "handed_at")]
            reached = {"sent": (*arrived, "handed"), "delivered": arrived}.get(state)
            if at is not None and (reached is None or message["state"] in reached) and self.inside(window, at, as_of):
                times.append(at)
        return ("integer", len(times)) if what == "count" else ("datetime", max(times, default=None))

    def assignment(self, what: str, row: Record | None, as_of: datetime) -> tuple[str, Any]:
        held = row if row is not None and valid(row, as_of) else None
        match what:
            case "source":
                return "enum", held and held["source"]
            case "assigned_at":
                return "datetime", held and held["assigned_at"]
        if held is None:
            return "decimal", None
        weight = held["weight"]
        if held["half_life_days"] is not None:
            days = (as_of - held["weight_at"]).total_seconds() / 86_400
            weight *= 2 ** max(min(-days / held["half_life_days"], 60), -1000)
        return "decimal", rounded(weight)


class Segments:
    """The segments that a member is in, asked one by one."""

    def __init__(self, oracle: Oracle, person: Record, as_of: datetime) -> None:
        self.oracle, self.person, self.as_of = oracle, person, as_of

    def __contains__(self, segment_id: int) -> bool:
        tree = self.oracle.trees.get(segment_id)
        if tree is None:
            return segment_id in self.person["lists"]
        return self.oracle.holds(tree, self.person, self.as_of)


def duration(raw: Any) -> tuple[int, str]:
    return (raw, "day") if isinstance(raw, int) else (raw["n"], raw["unit"])


def shifted_day(day: date, n: int, unit: str, sign: int) -> date:
    if unit != "month":
        return day + sign * timedelta(days=n * {"day": 1, "week": 7}[unit])
    months = day.year * 12 + day.month - 1 + sign * n
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def anniversary(born: date, day: date) -> bool:
    if (born.month, born.day) == (2, 29) and monthrange(day.year, 2)[1] == 28:
        return (day.month, day.day) == (2, 28)
    return (day.month, day.day) == (born.month, born.day)


def age(born: date | None, today: date) -> int | None:
    if born is None or born > today:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def valid(row: Record, as_of: datetime) -> bool:
    return row["expires_at"] is None or row["expires_at"] > as_of


def rounded(value: float) -> Fraction:
    return Fraction(Decimal(repr(float(value))).quantize(Decimal("0.000001")))


def exact(operand: Any) -> Any:
    return [Fraction(str(item)) for item in operand] if isinstance(operand, list) else Fraction(str(operand))


def minor(operand: Any) -> Any:
    return [item * 100 for item in exact(operand)] if isinstance(operand, list) else exact(operand) * 100


def number(op: str, value: Fraction, operand: Any) -> bool:
    match op:
        case "eq":
            return bool(value == operand)
        case "ne":
            return bool(value != operand)
        case "lt":
            return bool(value < operand)
        case "le":
            return bool(value <= operand)
        case "gt":
            return bool(value > operand)
        case "ge":
            return bool(value >= operand)
        case "between":
            return bool(operand[0] <= value <= operand[1])
    raise LookupError(op)


def text(op: str, value: Any, operand: Any) -> bool:
    positive = op.removeprefix("not_")
    match positive:
        case "eq":
            found = value == operand
        case "ne":
            return bool(value != operand)
        case "in":
            found = value in operand
        case "contains":
            found = operand in value
        case "starts":
            found = value.startswith(operand)
        case "ends":
            found = value.endswith(operand)
        case "regex":
            found = re.search(operand, value) is not None
        case _:
            raise LookupError(op)
    return bool(found) is not op.startswith("not_")


def json_text(raw: Any) -> str | None:
    """A property as text; None when it is missing, empty or no plain value."""
    if raw is None or raw == "" or isinstance(raw, dict | list):
        return None
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return str(raw)


def property_of(properties: Record, name: str) -> str | None:
    found: Any = properties
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return json_text(found)


def as_number(shown: str | None) -> Decimal | None:
    if shown is None or not re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", shown):
        return None
    try:
        return Decimal(shown)
    except InvalidOperation:
        return None


def fulfils(event: Record, tests: Iterable[Record] | None) -> bool:
    return all(_fulfils(event, test) for test in tests or ())


def _fulfils(event: Record, test: Record) -> bool:
    op, wanted = test["op"], test.get("value")
    if test["property"] == "$amount":
        amount = event["amount"]
        shown = None if amount is None else str(Decimal(amount) / 100)
        found = None if amount is None else Decimal(amount) / 100
    else:
        shown = property_of(event["properties"], test["property"])
        found = as_number(shown)

    def same(item: Any) -> bool:
        if isinstance(item, str):
            return shown == item
        return found is not None and found == Decimal(str(item))

    match op:
        case "set":
            return shown is not None
        case "not_set":
            return shown is None
        case "ge" | "gt" | "le" | "lt":
            return found is not None and number(op, Fraction(found), Fraction(str(wanted)))
    if shown is None:
        return False
    match op:
        case "eq":
            return same(wanted)
        case "ne":
            return not same(wanted)
        case "in":
            return any(same(item) for item in wanted)
        case "not_in":
            return not any(same(item) for item in wanted)
        case "contains":
            return wanted in shown
        case "not_contains":
            return wanted not in shown
        case "contains_any":
            return any(item in shown for item in wanted)
        case "starts":
            return shown.startswith(wanted)
        case "ends":
            return shown.endswith(wanted)
    raise LookupError(op)
