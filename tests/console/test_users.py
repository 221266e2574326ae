"""Administrators manage users; there is always one left, and nobody demotes themselves."""

from __future__ import annotations

import pytest
from django.urls import reverse

from members.queries import scopes
from scrm.common import users
from scrm.common.access import DataScope, Role
from scrm.common.errors import Conflict
from scrm.common.models import User
from scrm.common.transactions import acting_as
from tests.factories import client_as, make_staff, make_store, make_user

pytestmark = pytest.mark.django_db


def change(user: User, **values: object) -> User:
    current = {
        "username": user.username,
        "display_name": user.display_name,
        "role": Role(user.role),
        "data_scope": DataScope(user.data_scope),
        "is_active": user.is_active,
    }
    return users.save(user_id=user.pk, **{**current, **values})  # type: ignore[arg-type]


def test_the_last_administrator_cannot_be_taken_away() -> None:
    admin = make_user(Role.ADMIN)
    with pytest.raises(Conflict) as refused:
        change(admin, role=Role.OPERATOR)
    assert refused.value.code == "last_admin"
    make_user(Role.ADMIN)
    assert change(admin, role=Role.OPERATOR).role == Role.OPERATOR


def test_nobody_takes_administration_from_themselves() -> None:
    admin, _ = make_user(Role.ADMIN), make_user(Role.ADMIN)
    with acting_as(scopes.actor_of(admin)), pytest.raises(Conflict) as refused:
        change(admin, is_active=False)
    assert refused.value.code == "own_role"


def test_a_new_user_with_a_store_scope_sees_that_store(django_user_model: type[User]) -> None:
    staff = make_staff(store=make_store("S9"))
    answer = client_as(Role.ADMIN).post(
        reverse("user_new"),
        {
            "username": "clerk",
            "display_name": "小敏",
            "role": "store_staff",
            "data_scope": "store",
            "staff_id": staff.pk,
            "password": "a long enough secret",
            "is_active": "on",
        },
    )
    assert answer.status_code == 302
    actor = scopes.actor_of(django_user_model.objects.get(username="clerk"))
    assert (actor.scope, actor.store_id, actor.staff_id) == (DataScope.STORE, staff.store_id, staff.pk)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"password": "short"}, "password"),
        ({"data_scope": "region"}, "staff_id"),
        ({"role": "king"}, "role"),
        ({"username": ""}, "username"),
    ],
)
def test_a_wrong_form_names_the_field_and_saves_nothing(values: dict[str, str], field: str) -> None:
    data = {"username": "clerk", "role": "operator", "data_scope": "all", "password": "a long enough secret"}
    answer = client_as(Role.ADMIN).post(reverse("user_new"), data | values)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert not User.objects.filter(username="clerk").exists()


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.STORE_STAFF, Role.AUDITOR])
@pytest.mark.parametrize("name", ["user_list", "user_new", "api_key_list"])
def test_only_administrators_manage_users_and_keys(role: Role, name: str) -> None:
    assert client_as(role).get(reverse(name)).status_code == 403


def test_without_a_login_every_page_leads_to_the_login(client) -> None:
    for name in ("dashboard", "job_list", "audit_list", "user_list", "profile", "palette"):
        answer = client.get(reverse(name))
        assert (answer.status_code, answer.url.split("?")[0]) == (302, reverse("account_login"))


def test_the_first_administrator_comes_from_the_command_line() -> None:
    User.objects.create_superuser("root", password="a long enough secret")
    assert User.objects.get().role == Role.ADMIN
