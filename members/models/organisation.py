from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from scrm.common.audit import audited
from scrm.common.placement import Placement


class Region(models.Model):
    """A sales region; stores hang on it."""

    placement = Placement.REFERENCE

    code = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=60)

    class Meta:
        triggers = [audited()]

    def __str__(self) -> str:
        return self.name


class StoreKind(models.TextChoices):
    SHOP = "shop", _("Shop")
    ONLINE = "online", _("Online shop")


class Store(models.Model):
    """A shop or an online shop."""

    placement = Placement.REFERENCE

    code = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=8, choices=StoreKind, default=StoreKind.SHOP)
    region = models.ForeignKey(Region, models.PROTECT, null=True, related_name="stores")
    city = models.CharField(max_length=40, blank=True)
    time_zone = models.CharField(max_length=40, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        triggers = [audited()]

    def __str__(self) -> str:
        return self.name


class Staff(models.Model):
    """Somebody who serves members (导购), with or without a console login."""

    placement = Placement.LOCAL

    name = models.CharField(max_length=60)
    number = models.CharField(max_length=32, unique=True)
    user = models.OneToOneField("common.User", models.SET_NULL, null=True, blank=True, related_name="staff")
    store = models.ForeignKey(Store, models.PROTECT, null=True, related_name="staff")
    region = models.ForeignKey(Region, models.PROTECT, null=True, related_name="+")
    is_active = models.BooleanField(default=True)

    class Meta:
        triggers = [audited()]

    def __str__(self) -> str:
        return self.name


class Source(models.Model):
    """A system that facts come from: a shop, a POS, a website, an import. Named by its key in the API."""

    placement = Placement.REFERENCE

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=80, blank=True)
    currency = models.CharField(max_length=3, default="CNY")
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name or self.key
