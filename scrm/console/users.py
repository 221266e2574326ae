"""Users and roles."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from members.operations import organisation as organisation_operations
from members.queries import organisation
from scrm.common import users
from scrm.common.access import ROLE_PERMISSIONS, ConsoleRequest, DataScope, Permission, Role, page
from scrm.common.errors import DomainError
from scrm.common.models import User
from scrm.common.transactions import atomic
from scrm.console.forms import UserForm


@page(allow=Permission.SETTINGS)
def user_list(request: ConsoleRequest) -> HttpResponse:
    """All console users, and what each role may do."""
    roles = [
        {"label": role.label, "permissions": [p.label for p in Permission if p in ROLE_PERMISSIONS[role]]}
        for role in Role
    ]
    rows = User.objects.select_related("staff__store").order_by("-is_active", "username")
    return render(request, "console/users.html", {"users": rows, "roles": roles})


@page(allow=Permission.SETTINGS)
def user_edit(request: ConsoleRequest, user_id: int | None = None) -> HttpResponse:
    """Create a user, or change one."""
    user = get_object_or_404(User, pk=user_id) if user_id is not None else None
    initial = {"is_active": True, "role": Role.OPERATOR, "data_scope": DataScope.ALL}
    if user is not None:
        initial = {
            "username": user.username,
            "display_name": user.display_name,
            "role": user.role,
            "data_scope": user.data_scope,
            "is_active": user.is_active,
            "staff_id": organisation.staff_of_user(user.pk),
        }
    form = UserForm(request.POST or None, initial=initial, user=user)
    status = 200
    if request.method == "POST":
        if form.is_valid():
            data = form.cleaned_data
            staff_id = data.pop("staff_id")
            try:
                with atomic():
                    saved = users.save(user_id=user_id, **data)
                    organisation_operations.link_user(user_id=saved.pk, staff_id=staff_id)
            except DomainError as error:
                form.add_error(None, str(error))
            else:
                return redirect("user_list")
        status = 422
    title = _("Change user") if user else _("New user")
    return render(request, "console/user_form.html", {"form": form, "title": title, "edited": user}, status=status)
