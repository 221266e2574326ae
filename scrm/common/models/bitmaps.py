"""The cache of bitmaps: derived from rows, never the truth. See scrm/common/bitmaps.

All three tables are UNLOGGED: after a crash of the database all of them are empty, and the cache is built anew.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from scrm.common.placement import Placement


class BitmapSlot(models.Model):
    """Which version of its bitmaps holds for one key of a family: the members with one tag, with scores of one model.

    The key is empty for a family without keys; "*" says that the family is complete: a key without a slot is empty.
    """

    placement = Placement.LOCAL

    pk = models.CompositePrimaryKey("family", "key")
    family = models.CharField(max_length=16)
    key = models.CharField(max_length=60)
    base = models.BigIntegerField(null=True)  # the version of the bitmaps built from all rows
    overlay = models.BigIntegerField(null=True)  # the version of what was folded in since, for the members touched
    # The ones before: readers that began with them can end with them.
    base_before = models.BigIntegerField(null=True)
    overlay_before = models.BigIntegerField(null=True)
    members = models.BigIntegerField(default=0, db_default=0)  # rows in the base
    touched = models.BigIntegerField(default=0, db_default=0)  # members in the overlay
    built_at = models.DateTimeField(db_default=Now())


class BitmapChange(models.Model):
    """Members whose rows one statement changed and that the bitmaps do not show yet; written by triggers."""

    placement = Placement.LOCAL

    family = models.CharField(max_length=16)
    key = models.CharField(max_length=60)
    # None: too many to list; the bitmaps of the key cannot be used until they are built anew.
    member_ids = ArrayField(models.BigIntegerField(), null=True)

    class Meta:
        indexes = [models.Index(fields=["family", "key"], name="bitmap_change_of_slot")]


class BitmapBlob(models.Model):
    """One stored bitmap or list of values. Written once; a new version gets new rows."""

    placement = Placement.LOCAL

    pk = models.CompositePrimaryKey("version", "name")
    version = models.BigIntegerField()
    name = models.CharField(max_length=60)
    data = models.BinaryField()
