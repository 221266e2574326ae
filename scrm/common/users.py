"""Console users: made and changed by administrators."""

from __future__ import annotations

from django.utils.translation import gettext as _

from scrm.common.access import DataScope, Role
from scrm.common.errors import Conflict
from scrm.common.models import User
from scrm.common.transactions import atomic, current_actor


def save(
    *,
    user_id: int | None,
    username: str,
    display_name: str,
    role: Role,
    data_scope: DataScope,
    is_active: bool,
    password: str = "",
) -> User:
    """Create a user, or change one. An empty password leaves the one there is.

    Raises `Conflict` (code `last_admin`) when no active administrator would be left, (`own_role`) when somebody
    takes away their own administration.
    """
    with atomic():
        user = User() if user_id is None else User.objects.select_for_update().get(pk=user_id)
        demoted = user.role == Role.ADMIN and user_id is not None and (role != Role.ADMIN or not is_active)
        if demoted:
            if current_actor().ref == f"user:{user_id}":
                raise Conflict(_("You cannot take administration away from yourself."), code="own_role")
            others = User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).exclude(pk=user.pk)
            if not others.exists():
                raise Conflict(_("At least one administrator must remain."), code="last_admin")
        user.username, user.display_name = username, display_name
        user.role, user.data_scope, user.is_active = role, data_scope, is_active
        if password:
            user.set_password(password)
        elif user_id is None:
            user.set_unusable_password()
        user.save()
        return user
