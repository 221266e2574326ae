"""Stores, regions and staff, for choices and names."""

from __future__ import annotations

from members.models import Staff


def staff_choices() -> list[tuple[int, str]]:
    """(id, "name · store") of active staff, by store."""
    rows = Staff.objects.filter(is_active=True).select_related("store").order_by("store__code", "number")
    return [(row.pk, f"{row.name} · {row.store}" if row.store else row.name) for row in rows]


def staff_of_user(user_id: int) -> int | None:
    """The staff row behind a console user."""
    return Staff.objects.filter(user_id=user_id).values_list("pk", flat=True).first()
