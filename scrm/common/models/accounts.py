from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from scrm.common.access import DataScope, Role
from scrm.common.audit import audited
from scrm.common.placement import Placement


class Users(UserManager["User"]):
    """`createsuperuser` makes an administrator: who may do everything in the database may do so in the console."""

    use_in_migrations = False

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **values: Any
    ) -> User:
        return super().create_superuser(username, email, password, **{"role": Role.ADMIN, **values})


class User(AbstractUser):
    """Somebody who works in the console. Whose members they see hangs on `data_scope` and on their staff row."""

    placement = Placement.LOCAL

    role = models.CharField(max_length=16, choices=Role, default=Role.OPERATOR)
    data_scope = models.CharField(max_length=8, choices=DataScope, default=DataScope.ALL)
    display_name = models.CharField(max_length=60, blank=True)
    language = models.CharField(max_length=8, default="zh-hans")
    time_zone = models.CharField(max_length=40, blank=True)

    objects: ClassVar[Users] = Users()

    class Meta(AbstractUser.Meta):
        triggers = [audited()]
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_known"),
            models.CheckConstraint(condition=models.Q(data_scope__in=DataScope.values), name="user_scope_known"),
        ]

    def __str__(self) -> str:
        return self.display_name or self.username


class ApiKey(models.Model):
    """A key of another system. Only a digest of its secret is kept."""

    placement = Placement.LOCAL

    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=32))
    allowed_ips = ArrayField(models.CharField(max_length=43), default=list, blank=True)
    per_minute = models.PositiveIntegerField(default=6000)
    created_by = models.ForeignKey("common.User", models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        triggers = [audited()]

    def __str__(self) -> str:
        return self.name
