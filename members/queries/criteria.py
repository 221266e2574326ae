"""What the member list can be narrowed by from the tables of members themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from members.enums import Gender, IdentityKind
from members.models import Identity, Region, Source, Staff, Store
from members.rules import identities
from members.rules.rejections import ItemRejected
from scrm.common import encryption
from scrm.common.member_filters import Filter, Group, Kind, Values, day_range, register

UNSET = "none"


def store_options() -> Sequence[tuple[str, str]]:
    return [(str(key), name) for key, name in Store.objects.order_by("code").values_list("pk", "name")]


def region_options() -> Sequence[tuple[str, str]]:
    return [(str(key), name) for key, name in Region.objects.order_by("code").values_list("pk", "name")]


def owner_options() -> Sequence[tuple[str, str]]:
    staff = Staff.objects.filter(is_active=True).order_by("store__code", "number")
    return [(str(key), name) for key, name in staff.values_list("pk", "name")]


def source_options() -> Sequence[tuple[str, str]]:
    return [(str(row.pk), str(row)) for row in Source.objects.order_by("key")]


def city_options() -> Sequence[tuple[str, str]]:
    """Cities of stores: every city of every member would be a scan."""
    cities = Store.objects.exclude(city="").order_by("city").values_list("city", flat=True).distinct()
    return [(city, city) for city in cities]


def gender_options() -> Sequence[tuple[str, str]]:
    return [(Gender.FEMALE.value, str(Gender.FEMALE.label)), (Gender.MALE.value, str(Gender.MALE.label))]


SEARCH = Filter("q", _("Search"), Kind.TEXT)
IDS = Filter("id", _("Selected members"), Kind.COUNT, multiple=True, linked_only=True)
CITY = Filter("city", _("City"), multiple=True, options=city_options)
STORE = Filter("store", _("Store"), multiple=True, options=store_options)
REGION = Filter("region", _("Region"), options=region_options)
OWNER = Filter("owner", _("Owner"), options=owner_options)
GENDER = Filter("gender", _("Gender"), options=gender_options)
SOURCE = Filter("source", _("Source"), options=source_options)
JOINED_FROM = Filter("joined_after", _("Joined from"), Kind.DATE)
JOINED_TO = Filter("joined_before", _("Joined until"), Kind.DATE)
ORDERS_MIN = Filter("orders_min", _("Orders at least"), Kind.COUNT)
NET_MIN = Filter("net_min", _("Net spend at least"), Kind.MONEY)
LAST_FROM = Filter("last_order_after", _("Last order from"), Kind.DATE)
LAST_TO = Filter("last_order_before", _("Last order until"), Kind.DATE)


def matching_text(text: str) -> Q:
    """Members that a typed text may mean: a whole phone or e-mail, an id, a member number, or how a name begins."""
    text = text.strip()
    if not text:
        return Q()
    meanings = Q(name__startswith=text)
    known: list[tuple[str, str]] = []
    if "@" in text:
        with suppress(ItemRejected):
            known.append(("email", encryption.blind_index("email", identities.email(text))))
    if re.fullmatch(r"[+\d][\d \-]{5,20}", text):
        with suppress(ItemRejected):
            known.append(("phone", encryption.blind_index("phone", identities.phone(text))))
    by_id = text.removeprefix("#")
    if by_id.isascii() and by_id.isdigit() and len(by_id) <= 18:
        meanings |= Q(pk=int(by_id))
    found: set[int] = set()
    if known:
        where = Q()
        for kind, value in known:
            where |= Q(kind=kind, value=value)
        found |= set(Identity.objects.filter(where).values_list("member_id", flat=True))
    found |= _by_number(text)
    # Ids first fetched by their own index: an OR over two tables would make Postgres visit every member.
    return meanings | Q(pk__in=found) if found else meanings


def _by_number(text: str) -> set[int]:
    sources = Source.objects.values_list("key", flat=True)
    values = [text, *(f"{text}@{key}" for key in sources)] if "@" not in text else [text]
    return set(Identity.objects.filter(kind=IdentityKind.NUMBER, value__in=values).values_list("member_id", flat=True))


def _ids(filter_: Filter, raw: str) -> int:
    if not (raw.isascii() and raw.isdigit()) or len(raw) > 18:
        raise filter_.refusal(raw)
    return int(raw)


def narrow_profile(values: Values, as_of: datetime) -> Q:
    condition = Q()
    if text := values.get("q"):
        condition &= matching_text(text)
    if ids := values.get("id"):
        condition &= Q(pk__in=ids)
    if cities := values.get("city"):
        condition &= Q(city__in=cities)
    if stores := values.get("store"):
        condition &= Q(store_id__in=[_ids(STORE, raw) for raw in stores])
    if region := values.get("region"):
        inside = Store.objects.filter(region_id=_ids(REGION, region)).values_list("pk", flat=True)
        condition &= Q(store_id__in=list(inside))
    if owner := values.get("owner"):
        condition &= Q(owner_id=None) if owner == UNSET else Q(owner_id=_ids(OWNER, owner))
    if gender := values.get("gender"):
        if gender not in Gender.values:
            raise GENDER.refusal(gender)
        condition &= Q(gender=gender)
    if source := values.get("source"):
        condition &= Q(source_id=_ids(SOURCE, source))
    return condition & day_range(values.get("joined_after"), values.get("joined_before"), "joined_at")


def narrow_purchases(values: Values, as_of: datetime) -> Q:
    condition = Q()
    if (orders := values.get("orders_min")) is not None:
        condition &= Q(summary__order_count__gte=orders)
    if (net := values.get("net_min")) is not None:
        condition &= Q(summary__net_amount__gte=net)
    return condition & day_range(
        values.get("last_order_after"), values.get("last_order_before"), "summary__last_order_at"
    )


register(
    Group(
        "profile",
        _("Profile"),
        [SEARCH, IDS, CITY, STORE, REGION, OWNER, GENDER, SOURCE, JOINED_FROM, JOINED_TO],
        narrow_profile,
    )
)
register(Group("purchases", _("Purchases"), [ORDERS_MIN, NET_MIN, LAST_FROM, LAST_TO], narrow_purchases))
