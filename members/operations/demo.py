"""Loading the demo brand into empty member tables, by COPY: a million members with five million orders in minutes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
from django.db import connection

from members.models import EventType, Product, Region, Source, Staff, Store
from members.rules.demo import brand, people, shopping
from members.rules.demo.people import CITIES, DAY, People
from members.rules.demo.shopping import Orders
from scrm.common import bulk, encryption
from scrm.common.errors import Conflict
from scrm.common.transactions import atomic

SOURCE = "demo"
BLOCK = 100_000
_TABLES = [
    "members_member",
    "members_membersummary",
    "members_identity",
    "members_consent",
    "members_consententry",
    "members_order",
    "members_ordernumber",
    "members_orderline",
    "members_refund",
    "members_event",
]
_EVENT_KEYS = ("page.viewed", "product.favorited", "cart.added", "livestream.watched", "review.posted")


def is_empty() -> bool:
    """Whether no member exists yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT NOT EXISTS (SELECT FROM members_member)")
        return bool(cursor.fetchone()[0])


def load(
    *, members: int, seed: int, now: datetime, orders_per_member: float, report: Callable[[str], None]
) -> dict[str, int]:
    """Fill the empty member tables. The same arguments give the same brand, but for the sealed bytes.

    Raises `Conflict` (code `not_empty`) when there are members already. One transaction: all or nothing.
    Answers the number of rows per kind.
    """
    if not is_empty():
        raise Conflict("There are members already.", code="not_empty")
    until = int(now.timestamp())
    counts = {"members": 0, "orders": 0, "lines": 0, "refunds": 0, "events": 0}
    with atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
        organisation = _Organisation()
        with bulk.without_indexes(_TABLES):
            for first in range(1, members + 1, BLOCK):
                block = min(BLOCK, members + 1 - first)
                rng = np.random.default_rng([seed, first])
                crowd = people.make(rng=rng, first_id=first, count=block, until=until)
                orders = shopping.make(rng=rng, people=crowd, until=until, orders_per_member=orders_per_member)
                stores = organisation.homes(rng, crowd)
                _load_people(crowd, stores, organisation)
                _load_consents(rng, crowd)
                _load_orders(rng, orders, stores, organisation)
                counts["events"] += _load_events(rng, crowd, orders, until, organisation)
                counts["members"] += block
                counts["orders"] += len(orders.member_id)
                counts["lines"] += len(orders.line_order)
                counts["refunds"] += int((orders.refunded > 0).sum())
                report(f"{counts['members']:,} members, {counts['orders']:,} orders")
            _summarise()
            report("building indexes")
        cursor.execute("SELECT setval(pg_get_serial_sequence('members_member', 'id'), %s)", [members])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE " + ", ".join(_TABLES))
    return counts


class _Organisation:
    """The small tables, and who is at home where."""

    def __init__(self) -> None:
        self.source = Source.objects.get_or_create(key=SOURCE, defaults={"name": brand.NAME})[0].pk
        self.types = [EventType.objects.get_or_create(key=key)[0].pk for key in _EVENT_KEYS]
        self.city_stores: list[list[int]] = []
        self.store_staff: dict[int, list[int]] = {}
        number = 0
        for code, region_name, cities in brand.REGIONS:
            region = Region.objects.get_or_create(code=code, defaults={"name": region_name})[0]
            for _, city, _, count in cities:
                stores = []
                for index in range(count):
                    number += 1
                    store, _ = Store.objects.get_or_create(
                        code=f"S{number:03d}",
                        defaults={"name": f"{city}{brand.MALLS[index]}店", "region": region, "city": city},
                    )
                    stores.append(store.pk)
                    self.store_staff[store.pk] = [
                        Staff.objects.get_or_create(
                            number=f"{store.code}-{place + 1}",
                            defaults={"name": name, "store": store, "region": region},
                        )[0].pk
                        for place, name in enumerate(_staff_names(number))
                    ]
                self.city_stores.append(stores)
        self.online = [
            Store.objects.get_or_create(code=code, defaults={"name": name, "kind": "online"})[0].pk
            for code, name, _ in brand.ONLINE_SHOPS
        ]
        self.products = np.array(
            [
                Product.objects.get_or_create(sku=sku, defaults={"name": name, "category": category, "price": price})[
                    0
                ].pk
                for sku, name, category, price in shopping.products()
            ],
            np.int64,
        )

    def homes(self, rng: np.random.Generator, crowd: People) -> np.ndarray:
        """The home store of each member: one of their city's."""
        widest = max(len(stores) for stores in self.city_stores)
        table = np.array([(stores * widest)[:widest] for stores in self.city_stores], np.int64)
        return table[crowd.city, rng.integers(0, widest, len(crowd))]


def _staff_names(number: int) -> list[str]:
    titles = brand.STAFF_TITLES
    return [titles[(number * 3 + place) % len(titles)] for place in range(2)]


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat()


def _load_people(crowd: People, stores: np.ndarray, organisation: _Organisation) -> None:
    masked, identities = _addresses(crowd)
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY members_member (id, status, name, gender, birth_on, province, city, country, language, time_zone, "
            "phone_masked, email_masked, store_id, owner_id, source_id, attributes, joined_at, created_at, updated_at) "
            "FROM STDIN"
        ) as copy,
    ):
        buffer = io.StringIO()
        for index, name in enumerate(crowd.name):
            province, city, _ = CITIES[crowd.city[index]]
            birth = int(crowd.birth_day[index])
            born = "\\N" if birth < 0 else _instant(birth * DAY)[:10]
            store = int(stores[index])
            staff = organisation.store_staff[store]
            phone, email = masked[index]
            joined = _instant(int(crowd.joined[index]))
            buffer.write(
                f"{crowd.first_id + index}\tactive\t{name}\t{('', 'f', 'm')[crowd.gender[index]]}\t{born}\t{province}\t"
                f"{city}\t中国\tzh-hans\t\t{phone}\t{email}\t{store}\t{staff[index % len(staff)]}\t"
                f"{organisation.source}\t{{}}\t{joined}\t{joined}\t{joined}\n"
            )
        copy.write(buffer.getvalue())
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY members_identity (kind, value, sealed, member_id, created_at) FROM STDIN") as copy,
    ):
        copy.write("".join(identities))


def _addresses(crowd: People) -> tuple[list[tuple[str, str]], Iterator[str]]:
    """Masked phone and e-mail per member, and the COPY lines of their identities."""
    masked: list[tuple[str, str]] = []
    lines: list[str] = []
    now = _instant(int(crowd.joined.max()))
    for index in range(len(crowd)):
        member_id = crowd.first_id + index
        phone, email = "", ""
        national = int(crowd.phone[index])
        if national:
            value = f"+86{national}"
            phone = f"{national // 100_000_000}****{national % 10_000:04d}"
            lines.append(_sealed("phone", value, member_id, now))
        if crowd.has_email[index]:
            value = f"m{member_id:08d}@{brand.MAIL_DOMAINS[member_id % len(brand.MAIL_DOMAINS)]}"
            email = f"m***{value[8:]}"
            lines.append(_sealed("email", value, member_id, now))
        if member_id % 5 < 3:
            lines.append(f"external_userid\twm{member_id:012d}\t\\N\t{member_id}\t{now}\n")
        masked.append((phone, email))
    return masked, iter(lines)


def _sealed(kind: str, value: str, member_id: int, now: str) -> str:
    return f"{kind}\t{encryption.blind_index(kind, value)}\t\\\\x{encryption.seal(value).hex()}\t{member_id}\t{now}\n"


def _load_consents(rng: np.random.Generator, crowd: People) -> None:
    ids = np.arange(crowd.first_id, crowd.first_id + len(crowd), dtype=np.int64)
    for channel, able, share in (
        ("sandbox", np.ones(len(crowd), bool), 0.92),
        ("email", crowd.has_email, 0.7),
        ("sms", crowd.phone > 0, 0.62),
        ("wecom", ids % 5 < 3, 0.85),
    ):
        said = rng.random(len(crowd))
        for state, chosen in (("granted", able & (said < share)), ("withdrawn", able & (said > 0.97))):
            count = int(chosen.sum())
            at = bulk.timestamps(crowd.joined[chosen])
            columns = {
                "member_id": ids[chosen],
                "channel": np.full(count, channel.encode()).view(f"V{len(channel)}"),
                "purpose": np.full(count, b"marketing").view("V9"),
                "state": np.full(count, state.encode()).view(f"V{len(state)}"),
                "at": at,
            }
            bulk.copy_columns("members_consent", columns)
            bulk.copy_columns(
                "members_consententry",
                columns
                | {
                    "id": bulk.uuids(rng, crowd.joined[chosen]),
                    "source": np.full(count, b"register").view("V8"),
                    "evidence": np.full(count, b"-").view("V1"),
                },
            )


_STATES = ("completed", "paid", "closed")


def _load_orders(rng: np.random.Generator, orders: Orders, stores: np.ndarray, organisation: _Organisation) -> None:
    total = len(orders.member_id)
    order_ids = bulk.uuids(rng, orders.ordered)
    numbers = np.char.add("D", np.char.zfill((orders.member_id * 1000 + _ordinals(orders.member)).astype(str), 12))
    numbers = numbers.astype("S13").view("V13")
    source = np.full(total, organisation.source, np.int64)
    online = np.array([0, *organisation.online], np.int64)
    store = np.where(orders.online == 0, stores[orders.member], online[orders.online])
    channels = np.array([b"shop", *(key.encode() for _, _, key in brand.ONLINE_SHOPS)], "S4").view("V4")
    ordered = bulk.timestamps(orders.ordered)
    columns = {
        "id": order_ids,
        "member_id": orders.member_id,
        "source_id": source,
        "external_number": numbers,
        "store_id": store,
        "channel": channels[orders.online],
        "amount": orders.amount,
        "discount": orders.discount,
        "refunded_amount": orders.refunded,
        "ordered_at": ordered,
        "version_at": ordered,
        "received_at": ordered,
    }
    for code, state in enumerate(_STATES):
        chosen = orders.state == code
        part = {name: values[chosen] for name, values in columns.items()}
        part["state"] = np.full(int(chosen.sum()), state.encode()).view(f"V{len(state)}")
        if state != "closed":
            part["paid_at"] = part["ordered_at"] + 45_000_000
        bulk.copy_columns("members_order", part)
    bulk.copy_columns(
        "members_ordernumber",
        {
            "source_id": source,
            "external_number": numbers,
            "member_id": orders.member_id,
            "order_id": order_ids,
        },
    )
    line = orders.line_order
    bulk.copy_columns(
        "members_orderline",
        {
            "id": bulk.uuids(rng, orders.ordered[line]),
            "member_id": orders.member_id[line],
            "order_id": order_ids[line],
            "line_number": orders.line_number,
            "product_id": organisation.products[orders.product],
            "quantity": orders.quantity,
            "unit_price": bulk.numerics(orders.line_amount // orders.quantity),
            "amount": orders.line_amount,
        },
    )
    back = orders.refunded > 0
    when = ordered[back] + rng.integers(1, 6, int(back.sum())) * DAY * 1_000_000
    bulk.copy_columns(
        "members_refund",
        {
            "id": bulk.uuids(rng, orders.ordered[back]),
            "member_id": orders.member_id[back],
            "order_id": order_ids[back],
            "source_id": source[back],
            "external_number": numbers[back],
            "amount": orders.refunded[back],
            "refunded_at": when,
            "reason": np.full(len(when), "七天无理由退货".encode()).view("V21"),
            "received_at": when,
        },
    )


def _ordinals(member: np.ndarray) -> np.ndarray:
    """1, 2, 3 … within each run of equal values of a sorted column."""
    if len(member) == 0:
        return member
    starts = np.flatnonzero(np.concatenate([[True], member[1:] != member[:-1]]))
    lengths = np.diff(np.concatenate([starts, [len(member)]]))
    return np.arange(len(member)) - np.repeat(starts, lengths) + 1


def _load_events(
    rng: np.random.Generator, crowd: People, orders: Orders, until: int, organisation: _Organisation
) -> int:
    """What they looked at: before every third order, and now and then without one."""
    before = rng.random(len(orders.member_id)) < 0.35
    idle = rng.random(len(crowd)) < 0.6
    ids = np.arange(crowd.first_id, crowd.first_id + len(crowd), dtype=np.int64)
    member_id = np.concatenate([orders.member_id[before], ids[idle]])
    quiet = crowd.joined[idle] + (rng.random(int(idle.sum())) ** 0.6 * (until - crowd.joined[idle])).astype(np.int64)
    at = np.concatenate([orders.ordered[before] - rng.integers(300, 2 * DAY, int(before.sum())), quiet])
    at = np.maximum(at, crowd.joined[member_id - crowd.first_id])
    kind = rng.choice(len(_EVENT_KEYS), len(member_id), p=[0.5, 0.14, 0.22, 0.1, 0.04])
    product = rng.integers(0, len(organisation.products), len(member_id))
    # Of one length each: the blanks are no part of what JSON says.
    shown = [
        json.dumps({"sku": sku, "title": name}, ensure_ascii=False).encode() for sku, name, *_ in shopping.products()
    ]
    longest = max(map(len, shown))
    bodies = np.array([b"\x01" + text.ljust(longest) for text in shown])
    message = np.char.add("e", np.char.zfill((crowd.first_id * 1000 + np.arange(len(member_id))).astype(str), 14))
    body = bodies[product]
    bulk.copy_columns(
        "members_event",
        {
            "id": bulk.uuids(rng, at),
            "member_id": member_id,
            "source_id": np.full(len(member_id), organisation.source, np.int64),
            "type_id": np.array(organisation.types, np.int64)[kind],
            "message_id": message.astype("S15").view("V15"),
            "occurred_at": bulk.timestamps(at),
            "received_at": bulk.timestamps(at),
            "properties": body.view(f"V{body.dtype.itemsize}"),
        },
    )
    return len(member_id)


def _summarise() -> None:
    """The summaries of everybody, in one pass over each fact table."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '256MB'")
        cursor.execute(
            """
            INSERT INTO members_membersummary (member_id, order_count, gross_amount, refund_amount, net_amount,
                                               first_order_at, last_order_at, event_count, last_event_at)
            SELECT m.id, COALESCE(o.n, 0), COALESCE(o.gross, 0), COALESCE(o.refunded, 0), COALESCE(o.net, 0),
                   o.first_at, o.last_at, COALESCE(e.n, 0), e.last_at
            FROM members_member m
            LEFT JOIN (SELECT member_id, count(*) FILTER (WHERE counts) n, sum(amount) FILTER (WHERE counts) gross,
                              sum(refunded_amount) FILTER (WHERE counts) refunded,
                              sum(net_amount) FILTER (WHERE counts) net,
                              min(paid_at) FILTER (WHERE counts) first_at, max(paid_at) FILTER (WHERE counts) last_at
                       FROM members_order GROUP BY member_id) o ON o.member_id = m.id
            LEFT JOIN (SELECT member_id, count(*) n, max(occurred_at) last_at FROM members_event GROUP BY member_id) e
                   ON e.member_id = m.id
            ORDER BY m.id
            """
        )
