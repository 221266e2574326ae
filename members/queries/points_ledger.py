"""The ledger, entry by entry: of one member, and of everybody."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils.translation import gettext as _
from psycopg.errors import QueryCanceled

from members.models import Order, PointsEntry
from members.queries import scopes
from scrm.common import clock
from scrm.common.access import Actor
from scrm.common.errors import Invalid
from scrm.common.models import User
from scrm.common.pagination import Page, decode, paginate

# The latest first.
ORDER = (("booked_at", True), ("member_id", True), ("currency_id", True), ("number", True))
# A page is looked for in the latest minute, then in longer and longer spans, because what knows the time of an entry
# (`points_entry_recent`) knows where in the table a time stands, and no order within.
SPANS = (timedelta(minutes=1), timedelta(minutes=30), timedelta(hours=15), timedelta(days=19), None)
# A search whose matches are too far apart is given up when a span takes so long.
PATIENCE_MS = 5_000
# Kinds that are few among millions of earnings and spendings: they have an index of their own.
RARE = frozenset({"adjust", "move", "refund", "reverse"})
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Key = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Taken:
    """What an entry did to a lot: `amount` above 0 was taken or set aside, below 0 given back."""

    lot: int
    amount: int
    set_aside: bool
    earned_at: datetime
    expires_at: datetime | None


def key_of(entry: PointsEntry) -> Key:
    return entry.member_id, entry.currency_id, entry.number


def of_member(*, member_id: int, currency_id: int, cursor: str | None = None, size: int = 50) -> Page[PointsEntry]:
    """One page of a member's entries of one currency, the latest first."""
    rows = PointsEntry.objects.filter(member_id=member_id, currency_id=currency_id).select_related("currency")
    return paginate(rows, order=(("number", True),), cursor=cursor, size=size)


def order_numbers(entries: Sequence[PointsEntry]) -> dict[str, str]:
    """The numbers that others know the orders by which these entries are about, by the orders' ids."""
    found: dict[UUID, int] = {}
    for entry in entries:
        kind, _colon, rest = entry.source.partition(":")
        if kind == "order" and _UUID.fullmatch(rest):
            found[UUID(rest)] = entry.member_id
    rows = Order.objects.filter(pk__in=found, member_id__in=set(found.values()))
    return {str(pk): number for pk, number in rows.values_list("pk", "external_number")} if found else {}


def of_everybody(actor: Actor) -> QuerySet[PointsEntry]:
    """The entries of all members whom the actor may see."""
    rows = PointsEntry.objects.select_related("currency", "member")
    return rows.filter(scopes.members_of(actor, "member__"))


def narrow(queryset: QuerySet[PointsEntry], search: Mapping[str, Any]) -> QuerySet[PointsEntry]:
    """The entries that a search leaves: `member`, `currency` (its key), `kind` (several), `reference` (of the whole
    movement), `source`, `actor`, `booked_after` and `booked_before` (shop days, both included), `amount_min`,
    `amount_max`.
    """
    equal = {"member": "member_id", "currency": "currency__key", "source": "source", "actor": "actor",
             "amount_min": "amount__gte", "amount_max": "amount__lte"}  # fmt: skip
    found = queryset.filter(**{path: search[name] for name, path in equal.items() if search.get(name)})
    if search.get("reference"):
        # The first entry of each movement is in the index that keeps references apart.
        first = PointsEntry.objects.filter(
            reference=search["reference"], transaction=F("number"), member_id=OuterRef("member_id"),
            currency_id=OuterRef("currency_id"), number=OuterRef("transaction"),
        )  # fmt: skip
        found = found.filter(Exists(first))
    if str(search.get("actor") or "").startswith("user:"):
        found = found.filter(actor__startswith="user:")  # said again for the index of what people booked
    if kinds := list(search.get("kind") or ()):
        found = found.filter(kind__in=kinds)
        if set(kinds) <= RARE:
            found = found.filter(kind__in=sorted(RARE))  # said again for the index of what is rare
    if search.get("booked_after"):
        found = found.filter(booked_at__gte=clock.day_start(search["booked_after"]))
    if search.get("booked_before"):
        found = found.filter(booked_at__lt=clock.day_end(search["booked_before"]))
    return found


def page(queryset: QuerySet[PointsEntry], *, cursor: str | None, size: int) -> Page[PointsEntry]:
    """One page of `of_everybody`, filtered. Raises `Invalid` (`bad_cursor`; `too_wide`: it would read too much)."""
    edge: datetime = clock.now()
    if cursor and isinstance(at := decode(cursor, len(ORDER))[0], datetime):
        edge, queryset = at, queryset.filter(booked_at__lte=at)
    found: Page[PointsEntry] = Page([], None)
    try:
        with transaction.atomic(), connection.cursor() as settings:
            settings.execute("SELECT set_config('statement_timeout', %s, true)", [str(PATIENCE_MS)])
            for span in SPANS:
                rows = queryset if span is None else queryset.filter(booked_at__gte=edge - span)
                found = paginate(rows, order=ORDER, cursor=cursor, size=size)
                if found.next_cursor is not None:
                    break
            settings.execute("SET LOCAL statement_timeout TO DEFAULT")
            return found
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        raise Invalid(
            _("This search would read too much of the ledger. Choose a shorter period, or a member."), code="too_wide"
        ) from error


def lots_of(entries: Sequence[PointsEntry]) -> Mapping[Key, list[Taken]]:
    """Which lots these entries took from, set aside or gave back to. One statement."""
    found: dict[Key, list[Taken]] = defaultdict(list)
    if not entries:
        return found
    columns = [list(column) for column in zip(*(key_of(entry) for entry in entries), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT x.member_id, x.currency_id, x.entry, x.lot, x.taken, x.reserved, l.earned_at, l.expires_at
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS v (member_id, currency_id, number)
            JOIN points_takings x
              ON x.member_id = v.member_id AND x.currency_id = v.currency_id AND x.entry = v.number
            JOIN members_pointslot l
              ON l.member_id = x.member_id AND l.currency_id = x.currency_id AND l.number = x.lot
            ORDER BY x.entry, x.lot
            """,
            columns,
        )
        for member, currency, entry, lot, taken, reserved, earned_at, expires_at in cursor.fetchall():
            amount, set_aside = (taken, False) if taken else (reserved, True)
            found[member, currency, entry].append(Taken(lot, amount, set_aside, earned_at, expires_at))
    return found


def actor_names(refs: set[str]) -> dict[str, str]:
    """Display names of the console users among the actors. One statement."""
    ids = [int(ref.removeprefix("user:")) for ref in refs if ref.startswith("user:")]
    return {f"user:{user.pk}": str(user) for user in User.objects.filter(pk__in=ids)} if ids else {}
