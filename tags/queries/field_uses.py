"""What of tags and segments uses a field of conditions: shown before the field is deleted."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from scrm.common.dependents import Dependent
from tags.models import Segment, TagRule


def dependents(field_key: str) -> list[Dependent]:
    """Segments and tag rules in use whose conditions name the field."""
    segments = Segment.objects.filter(archived_at=None, condition__isnull=False).order_by("name")
    rules = TagRule.objects.select_related("tag", "watch").order_by("tag__name")
    return [
        *(
            Dependent("segment", segment.name, reverse("segment_detail", args=[segment.pk]))
            for segment in segments
            if names_field(segment.condition, field_key)
        ),
        *(
            Dependent("rule", rule.tag.name, reverse("rule_detail", args=[rule.pk]))
            for rule in rules
            if names_field(rule.watch.condition, field_key)
        ),
    ]


def names_field(condition: Any, field_key: str) -> bool:
    """Whether a raw condition has a leaf of that field; a broken one is read too."""
    waiting = [condition]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            if item.get("field") == field_key:
                return True
            waiting += [item[key] for key in ("all", "any", "none") if key in item]
    return False
