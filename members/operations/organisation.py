"""Regions, stores, staff, and who stands behind a login."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict, TypeVar

from django.db.models import Model
from django.utils.translation import gettext as _

from members.models import Region, Staff, Store
from scrm.common import reactions
from scrm.common.errors import Invalid, NotFound
from scrm.common.transactions import atomic

Saved = TypeVar("Saved", bound=Model)


def link_user(*, user_id: int, staff_id: int | None) -> None:
    """Make `staff_id` (or nobody) the staff member behind a console user; a former link is taken away."""
    with atomic():
        linked = Staff.objects.filter(user_id=user_id)
        if staff_id is None:
            linked.update(user=None)
        else:
            linked.exclude(pk=staff_id).update(user=None)
            Staff.objects.filter(pk=staff_id).update(user_id=user_id)


class StoreValues(TypedDict):
    code: str
    name: str
    kind: str
    region_id: int | None
    city: str
    is_active: bool


class StaffValues(TypedDict):
    number: str
    name: str
    store_id: int | None
    region_id: int | None
    is_active: bool


def save_store(*, store_id: int | None, values: StoreValues, now: datetime) -> Store:
    """Create a store, or change one; what hangs on the region of its members follows when it moves to another.

    Raises `NotFound`, and `Invalid` when the code is taken.
    """
    with atomic():
        before = None if store_id is None else Store.objects.filter(pk=store_id).first()
        store = _save(Store, store_id, dict(values), unique="code")
        if before is not None and before.region_id != store.region_id:
            reactions.redefined(topics={"region"}, now=now)
    return store


def save_staff(*, staff_id: int | None, values: StaffValues) -> Staff:
    """Create a member of staff, or change one. Raises `NotFound`, and `Invalid` when the number is taken."""
    return _save(Staff, staff_id, dict(values), unique="number")


def save_region(*, region_id: int | None, code: str, name: str) -> Region:
    """Create a region, or change one. Raises `NotFound`, and `Invalid` when the code is taken."""
    return _save(Region, region_id, {"code": code, "name": name}, unique="code")


def _save(model: type[Saved], key: int | None, values: dict[str, Any], *, unique: str) -> Saved:
    with atomic():
        row = model() if key is None else model._default_manager.select_for_update().filter(pk=key).first()
        if row is None:
            raise NotFound(_("There is no such entry."))
        taken = model._default_manager.filter(**{unique: values[unique]}).exclude(pk=key)
        if taken.exists():
            raise Invalid(_("This is already in use."), code="taken", field=unique)
        for name, value in values.items():
            setattr(row, name, value)
        row.save()
    return row
