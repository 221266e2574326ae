"""Message templates."""

from __future__ import annotations

from django.db.models import QuerySet

from campaigns.models import MessageTemplate
from scrm.common.errors import NotFound


def list_all(*, channel: str = "") -> QuerySet[MessageTemplate]:
    """Every template, the latest changed first; of one channel when given."""
    rows = MessageTemplate.objects.select_related("created_by").order_by("-updated_at", "-pk")
    return rows.filter(channel=channel) if channel else rows


def get(template_id: int) -> MessageTemplate:
    """Raises `NotFound`."""
    template = MessageTemplate.objects.filter(pk=template_id).first()
    if template is None:
        raise NotFound("template")
    return template
