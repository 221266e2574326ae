from __future__ import annotations

from django.db import models

from scrm.common.placement import Placement


class SavedView(models.Model):
    """A list's filters under a name; shared ones are shown to everybody as tabs."""

    placement = Placement.LOCAL

    page = models.CharField(max_length=40)  # the list's URL name
    name = models.CharField(max_length=40)
    query = models.CharField(max_length=2000)  # the query string
    owner = models.ForeignKey("common.User", models.CASCADE, related_name="+")
    shared = models.BooleanField(default=False)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["page", "owner", "name"], name="saved_view_named_once")]

    def __str__(self) -> str:
        return self.name
