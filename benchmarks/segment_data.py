"""The members that the benchmark `segment` asks about: made column by column, filled in by COPY."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from analytics.models import RfmModel
from scrm.common import bulk, clock
from tags.models import Tag, TagGroup

TAGS = 200
CITIES = 300
STAGES = ("prospect", "sleeping", "returned")  # equally long, as COPY of columns wants them
_POSTGRES_DAY = date(2000, 1, 1).toordinal()
_TABLES = (
    "members_member", "members_membersummary", "members_identity", "members_consent", "tags_membertag",
    "analytics_rfmscore", "analytics_memberstage",
)  # fmt: skip
# Serve lists or what no question asks: left out to save minutes.
_UNASKED = (
    "member_by_joined", "member_by_store", "member_by_owner", "member_by_name", "summary_by_net", "summary_by_orders",
    "summary_by_last_order", "rfm_by_class", "rfm_by_layer", "aipl_members",
)  # fmt: skip

Array = NDArray[Any]


@dataclass(slots=True)
class Data:
    """One value per member, ids from 1. Tags are drawn again each time they are asked for."""

    size: int
    city: Array
    female: Array
    born: Array  # ordinal of the day
    r: Array
    f: Array
    m: Array
    stage: Array
    orders: Array
    net: Array
    last: Array  # Unix seconds; 0 without orders
    reach: dict[str, Array]

    def tags(self) -> Iterator[tuple[int, Array]]:
        """Number of each tag, and the members who have it: the n-th by n to the power of -0.9."""
        for number in range(1, TAGS + 1):
            rng = np.random.default_rng([3, number])
            share = 0.5 * number**-0.9
            yield number, np.flatnonzero(rng.random(self.size, dtype=np.float32) < share) + 1


def make(size: int) -> Data:
    rng = np.random.default_rng(3)
    now = int(clock.now().timestamp())
    today = clock.shop_date(clock.now()).toordinal()
    orders = rng.poisson(5, size).astype(np.int32)
    net = np.where(orders > 0, (rng.lognormal(6, 1.3, size) * 100).astype(np.int64), 0)
    last = np.where(orders > 0, now - 3_600 - (rng.random(size) ** 2 * 700 * 86_400).astype(np.int64), 0)
    return Data(
        size=size,
        city=(rng.zipf(1.3, size) % CITIES).astype(np.int16),
        female=rng.random(size) < 0.55,
        born=today - rng.integers(16 * 366, 75 * 365, size).astype(np.int32),
        r=rng.integers(1, 6, size).astype(np.int16),
        f=rng.integers(1, 6, size).astype(np.int16),
        m=rng.integers(1, 6, size).astype(np.int16),
        stage=rng.choice(3, size, p=[0.8, 0.17, 0.03]).astype(np.int16),
        orders=orders,
        net=net,
        last=last,
        reach={
            "email": rng.random(size) < 0.1,
            "sms": rng.random(size) < 0.2,
            "wecom": rng.random(size) < 0.25,
        },
    )


def text(value: str, count: int) -> Array:
    """The same text for everybody."""
    raw = value.encode()
    return np.broadcast_to(np.frombuffer(raw, f"V{len(raw)}"), (count,)).copy()


def texts(values: list[str], codes: Array) -> Array:
    """A text per code; all of them are equally long."""
    raw = [value.encode() for value in values]
    return np.array(raw, f"S{len(raw[0])}").view(f"V{len(raw[0])}")[codes]


def fill(data: Data) -> dict[int, int]:
    """Put the members into empty tables. The ids of the tags by their number."""
    group = TagGroup.objects.create(name="bench")
    tags = Tag.objects.bulk_create([Tag(group=group, name=f"t{number}") for number in range(1, TAGS + 1)])
    tag_ids = {number: tag.pk for number, tag in enumerate(tags, 1)}
    model = RfmModel.objects.filter(is_default=True).first() or RfmModel.objects.create(name="rfm", is_default=True)
    with connection.cursor() as cursor:
        for index in _UNASKED:
            cursor.execute(f"DROP INDEX IF EXISTS {index}")
    with transaction.atomic(), bulk.without_indexes(_TABLES):
        _members(data)
        _scores(data, model.pk)
        _contacts(data)
        for number, members in data.tags():
            bulk.copy_columns("tags_membertag", {
                "member_id": members, "tag_id": np.full(len(members), tag_ids[number], np.int64),
                "source": text("manual", len(members)), "reason": text("x", len(members)),
            })  # fmt: skip
    with connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(f"VACUUM (FREEZE, ANALYZE) {table}")
    return tag_ids


def _members(data: Data) -> None:
    ids = np.arange(1, data.size + 1, dtype=np.int64)
    zone = text("z", data.size)
    day = (data.born - _POSTGRES_DAY).astype(np.int32)
    joined = bulk.timestamps(np.full(data.size, 1_700_000_000, np.int64) + ids)
    bulk.copy_columns("members_member", {
        "id": ids, "status": text("active", data.size), "joined_at": joined, "birth_on": day,
        "gender": texts(["m", "f"], data.female.astype(np.int64)),
        "city": texts([f"c{code:04}" for code in range(CITIES)], data.city),
        "name": zone, "province": zone, "country": zone, "language": zone, "time_zone": zone,
        "phone_masked": zone, "email_masked": zone,
    })  # fmt: skip
    bought = data.orders > 0
    last = bulk.timestamps(data.last)
    bulk.copy_columns("members_membersummary", {
        "member_id": ids[bought], "order_count": data.orders[bought], "net_amount": data.net[bought],
        "first_order_at": last[bought] - 1_000_000, "last_order_at": last[bought],
    })  # fmt: skip
    bulk.copy_columns("members_membersummary", {"member_id": ids[~bought]})


def _scores(data: Data, model_id: int) -> None:
    ids = np.arange(1, data.size + 1, dtype=np.int64)
    bulk.copy_columns("analytics_rfmscore", {
        "model_id": np.full(data.size, model_id, np.int64), "member_id": ids,
        "last_paid_at": bulk.timestamps(np.full(data.size, 1_700_000_000, np.int64)),
        "frequency": data.orders, "monetary": data.net, "r": data.r, "f": data.f, "m": data.m,
        "rfm_class": text("important_value", data.size), "layer": text("champions", data.size),
    })  # fmt: skip
    day = np.full(data.size, 9_000, np.int32)
    bulk.copy_columns("analytics_memberstage", {
        "member_id": ids, "stage": texts(list(STAGES), data.stage), "stage_since": day,
        "aipl": text("purchase", data.size), "aipl_since": day,
    })  # fmt: skip


def _contacts(data: Data) -> None:
    """An address and a consent for those who can be reached; half of the others have an address and said no."""
    kinds = {"email": "email", "sms": "phone", "wecom": "external_userid"}
    for channel, kind in kinds.items():
        reached = np.flatnonzero(data.reach[channel]) + 1
        refused = np.flatnonzero(~data.reach[channel])[::8] + 1
        members = np.concatenate([reached, refused])
        values = np.char.add(f"{channel[0]}", np.char.zfill(members.astype("S10"), 10).astype("U10")).astype("S11")
        sealed = {} if channel == "wecom" else {"sealed": text("x", len(members))}
        bulk.copy_columns("members_identity", {
            "kind": text(kind, len(members)), "value": values.view("V11"), "member_id": members, **sealed,
        })  # fmt: skip
        for state, who in (("granted", reached), ("withdrawn", refused)):
            bulk.copy_columns("members_consent", {
                "member_id": who, "channel": text(channel, len(who)), "purpose": text("marketing", len(who)),
                "state": text(state, len(who)), "at": bulk.timestamps(np.full(len(who), 1_700_000_000, np.int64)),
            })  # fmt: skip
