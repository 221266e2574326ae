"""The tags a person used last, as the audit log tells."""

from __future__ import annotations

from scrm.common.access import Actor
from scrm.common.models import AuditEntry
from tags.models import Tag
from tags.queries import tagging

# What the audit log calls it.
PUT_ON, TAKEN_OFF = "assign", "unassign"
# How far back the person's own entries are read.
_LOOK_BACK = 300


def recently_used(actor: Actor, *, limit: int = 8) -> list[Tag]:
    """Tags in use that the actor put on members, the latest first. Reads a few hundred entries of their own."""
    entries = AuditEntry.objects.filter(actor=actor.ref).order_by("-id")[:_LOOK_BACK]
    used = [
        int(key)
        for kind, action, key in entries.values_list("object_type", "action", "object_id")
        if kind == "tags_tag" and action == PUT_ON and key
    ]
    wanted = list(dict.fromkeys(used))[: 2 * limit]
    found = {tag.pk: tag for tag in tagging.in_use().filter(pk__in=wanted)}
    return [found[key] for key in wanted if key in found][:limit]
