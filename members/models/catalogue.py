from __future__ import annotations

from django.db import models

from scrm.common.placement import Placement


class Product(models.Model):
    """Something sold. Created with its first order line when the shop did not send it before."""

    placement = Placement.REFERENCE

    sku = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200, blank=True)
    category = models.CharField(max_length=60, blank=True)
    price = models.BigIntegerField(null=True)  # minor units

    def __str__(self) -> str:
        return self.name or self.sku
