"""Telling those who manage the programme what becomes of benefits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection

from scrm.common import clock
from scrm.common.access import ROLE_PERMISSIONS, DataScope, Permission
from scrm.common.models import Notification, User


def tell(*, message: str, values: Mapping[str, Any], url: str, now: datetime) -> None:
    """Tell everybody who configures the programme and sees all of it."""
    roles = [role for role, permissions in ROLE_PERMISSIONS.items() if Permission.LOYALTY_MANAGE in permissions]
    people = User.objects.filter(is_active=True, data_scope=DataScope.ALL, role__in=roles).values_list("pk", flat=True)
    Notification.objects.bulk_create(
        Notification(user_id=user_id, level="warning", message=message, values=dict(values), url=url, created_at=now)
        for user_id in people.order_by("pk")
    )


def once_a_day(*, message: str, values: Mapping[str, Any], url: str, now: datetime) -> None:
    """The same, once a shop day for each address, whoever notices at the same time. Inside a transaction."""
    if told_today(url, now=now):
        return
    with connection.cursor() as cursor:
        # Who does not get it leaves it to whoever has it; nobody waits.
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('members.benefit_notices'), hashtext(%s))", [url])
        (alone,) = cursor.fetchone()
    if alone and not told_today(url, now=now):
        tell(message=message, values=values, url=url, now=now)


def told_today(url: str, *, now: datetime) -> bool:
    """Whether somebody was told this shop day of what is behind the address."""
    return Notification.objects.filter(url=url, created_at__gte=clock.day_start(clock.shop_date(now))).exists()
