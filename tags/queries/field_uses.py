"""What of tags and segments uses a field of conditions: shown before the field is deleted."""

from __future__ import annotations

from django.urls import reverse

from scrm.common.conditions.named import names_field
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
