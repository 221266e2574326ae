"""Stores, regions and staff, for choices and names."""

from __future__ import annotations

from django.db.models import Count, Q

from members.models import Region, Staff, Store
from members.models.organisation import StoreKind


def staff_choices(*, keep: int | None = None) -> list[tuple[int, str]]:
    """(id, "name · store") of active staff, by store, and of the one to `keep` although they may have left."""
    rows = (
        Staff.objects.filter(Q(is_active=True) | Q(pk=keep)).select_related("store").order_by("store__code", "number")
    )
    return [(row.pk, f"{row.name} · {row.store}" if row.store else row.name) for row in rows]


def staff_of_user(user_id: int) -> int | None:
    """The staff row behind a console user."""
    return Staff.objects.filter(user_id=user_id).values_list("pk", flat=True).first()


STORE_KINDS = StoreKind.choices


def store_choices(*, keep: int | None = None) -> list[tuple[int, str]]:
    """(id, name) of open stores, by code, and of the one to `keep` although it may be closed."""
    rows = Store.objects.filter(Q(is_active=True) | Q(pk=keep)).order_by("code")
    return list(rows.values_list("pk", "name"))


def region_choices() -> list[tuple[int, str]]:
    return list(Region.objects.order_by("code").values_list("pk", "name"))


def stores() -> list[Store]:
    """Every store with its region, by code."""
    return list(Store.objects.select_related("region").order_by("code"))


def regions() -> list[Region]:
    """Every region, by code, with the number of its stores as `store_count`."""
    return list(Region.objects.annotate(store_count=Count("stores")).order_by("code"))


def staff() -> list[Staff]:
    """Everybody who serves members, by number."""
    return list(Staff.objects.select_related("store", "region", "user").order_by("number"))
