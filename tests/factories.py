"""Real rows for tests, with the fewest words: `make_member(phone="+8613800000001")`, `client_as(Role.OPERATOR)`."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.test import Client

from members.models import Identity, Member, MemberSummary, Order, OrderNumber, Region, Source, Staff, Store
from scrm.common import encryption
from scrm.common.access import DataScope, Role
from scrm.common.models import User

# The instant at which most tests play: a Saturday noon in Shanghai.
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
_numbers = itertools.count(1)


def make_source(key: str = "shop") -> Source:
    return Source.objects.get_or_create(key=key)[0]


def make_region(code: str = "east", name: str = "华东") -> Region:
    return Region.objects.get_or_create(code=code, defaults={"name": name})[0]


def make_store(code: str = "S001", **values: Any) -> Store:
    values.setdefault("name", f"门店 {code}")
    return Store.objects.get_or_create(code=code, defaults=values)[0]


def make_staff(name: str = "小王", **values: Any) -> Staff:
    return Staff.objects.create(name=name, number=f"N{next(_numbers)}", **values)


def make_member(*, phone: str | None = None, email: str | None = None, **values: Any) -> Member:
    """A member with a summary row, and sealed identities for the phone and e-mail given."""
    values.setdefault("name", f"会员{next(_numbers)}")
    values.setdefault("joined_at", NOW - timedelta(days=100))
    if phone:
        values.setdefault("phone_masked", f"{phone[-11:-8]}****{phone[-4:]}")
    if email:
        values.setdefault("email_masked", f"{email[0]}***@{email.split('@')[1]}")
    member = Member.objects.create(**values)
    MemberSummary.objects.create(member=member)
    for kind, value in (("phone", phone), ("email", email)):
        if value:
            Identity.objects.create(
                kind=kind,
                value=encryption.blind_index(kind, value),
                sealed=encryption.seal(value),
                member=member,
            )
    return member


def make_order(member: Member, *, amount: int = 10_000, paid_at: datetime | None = None, **values: Any) -> Order:
    """A paid order of `amount` minor units, and the member's summary brought up to date."""
    paid_at = paid_at or NOW - timedelta(days=10)
    source = values.pop("source", None) or make_source()
    number = values.pop("external_number", f"T{next(_numbers)}")
    values.setdefault("state", "paid")
    order = Order.objects.create(
        member=member, source=source, external_number=number, amount=amount,
        ordered_at=values.pop("ordered_at", paid_at), paid_at=paid_at, version_at=paid_at, **values,
    )  # fmt: skip
    OrderNumber.objects.create(source=source, external_number=number, member=member, order_id=order.pk)
    _summarise(member.pk)
    return order


def _summarise(member_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE members_membersummary s SET
                order_count = o.n, gross_amount = o.gross, net_amount = o.net, refund_amount = o.gross - o.net,
                first_order_at = o.first_at, last_order_at = o.last_at
            FROM (SELECT count(*) n, COALESCE(sum(amount), 0) gross, COALESCE(sum(net_amount), 0) net,
                         min(paid_at) first_at, max(paid_at) last_at
                  FROM members_order WHERE member_id = %s AND counts) o
            WHERE s.member_id = %s
            """,
            [member_id, member_id],
        )


def make_user(
    role: Role = Role.OPERATOR, *, scope: DataScope = DataScope.ALL, staff: Staff | None = None, **values: Any
) -> User:
    values.setdefault("username", f"user{next(_numbers)}")
    user = User.objects.create_user(password="correct horse battery", role=role, data_scope=scope, **values)
    if staff is not None:
        staff.user = user
        staff.save()
    return user


def client_as(role: Role = Role.OPERATOR, *, scope: DataScope = DataScope.ALL, staff: Staff | None = None) -> Client:
    """A test client that is logged in as a new user of that role and scope."""
    client = Client()
    client.force_login(make_user(role, scope=scope, staff=staff), backend="django.contrib.auth.backends.ModelBackend")
    return client
