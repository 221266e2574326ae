"""What makes the demo brand more than rows: logins, tags, scores, segments, a campaign."""

from __future__ import annotations

from datetime import datetime

from scrm.common.access import DataScope, Role
from scrm.common.models import User
from scrm.common.transactions import atomic

# (user name, name shown, role, scope)
USERS = [
    ("demo", "演示管理员", Role.ADMIN, DataScope.ALL),
    ("operator", "运营小禾", Role.OPERATOR, DataScope.ALL),
    ("auditor", "审计员", Role.AUDITOR, DataScope.ALL),
]


def finish(*, now: datetime, seed: int, password: str) -> None:
    """Make the demo logins and run the first computations over the loaded facts."""
    make_users(password=password)


def make_users(*, password: str) -> None:
    """The demo logins, all with one password; existing ones get it anew."""
    with atomic():
        for username, name, role, scope in USERS:
            user, _ = User.objects.get_or_create(username=username)
            user.display_name, user.role, user.data_scope = name, role, scope
            user.is_staff = user.is_superuser = role == Role.ADMIN
            user.set_password(password)
            user.save()
