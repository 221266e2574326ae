"""Whose members an actor sees. Every read of member data goes through one of these."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from members.models import Staff
from scrm.common.access import ROLE_PERMISSIONS, Actor, DataScope


def actor_of(user: Any) -> Actor:
    """The actor that a console user is: permissions by role, scope by the user and the staff row behind it.

    A scope that lacks what it needs (a store scope without a store) sees nobody.
    """
    staff = Staff.objects.filter(user_id=user.pk, is_active=True).select_related("store").first()
    scope = DataScope(user.data_scope)
    region_id = store_id = staff_id = None
    if staff is not None:
        staff_id, store_id = staff.pk, staff.store_id
        region_id = staff.region_id or (staff.store.region_id if staff.store else None)
    return Actor(
        kind="user",
        id=user.pk,
        name=str(user),
        permissions=ROLE_PERMISSIONS[user.role],
        scope=scope,
        region_id=region_id,
        store_id=store_id,
        staff_id=staff_id,
    )


def members_of(actor: Actor, prefix: str = "") -> Q:
    """The condition on `Member` (or on what leads to it, by `prefix` such as "member__") that the scope sets."""
    match actor.scope:
        case DataScope.ALL:
            return Q()
        case DataScope.REGION:
            return Q(**{f"{prefix}store__region_id": actor.region_id or -1})
        case DataScope.STORE:
            return Q(**{f"{prefix}store_id": actor.store_id or -1})
        case DataScope.OWN:
            return Q(**{f"{prefix}owner_id": actor.staff_id or -1})


def member_sql(actor: Actor, alias: str = "m") -> tuple[str, list[Any]]:
    """The same as SQL over a `members_member` alias: a boolean expression and its parameters."""
    match actor.scope:
        case DataScope.ALL:
            return "TRUE", []
        case DataScope.REGION:
            return f"{alias}.store_id IN (SELECT id FROM members_store WHERE region_id = %s)", [actor.region_id or -1]
        case DataScope.STORE:
            return f"{alias}.store_id = %s", [actor.store_id or -1]
        case DataScope.OWN:
            return f"{alias}.owner_id = %s", [actor.staff_id or -1]
