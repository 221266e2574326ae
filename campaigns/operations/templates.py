"""Message templates: written once, used by many campaigns."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError
from django.db.models import ProtectedError
from django.utils.translation import gettext as _

from campaigns.enums import ChannelKind
from campaigns.models import MessageTemplate
from campaigns.queries import contents
from scrm.common.errors import Conflict, Invalid, NotFound
from scrm.common.transactions import atomic


def create(*, name: str, channel: str, subject: str, body: str, user_id: int | None) -> MessageTemplate:
    """Raises `Invalid` with the field at fault, `Conflict` (`name_taken`)."""
    _check(name, channel, subject, body)
    try:
        with atomic():
            return MessageTemplate.objects.create(
                name=name.strip(), channel=channel, subject=subject, body=body, created_by_id=user_id
            )
    except IntegrityError as error:
        raise _taken() from error


def update(*, template_id: int, name: str, subject: str, body: str, version: int, now: datetime) -> MessageTemplate:
    """Change a template; campaigns keep the words they have. Raises `Conflict` (`stale`, `name_taken`), `Invalid`."""
    try:
        with atomic():
            template = MessageTemplate.objects.select_for_update().filter(pk=template_id).first()
            if template is None:
                raise NotFound("template")
            _check(name, template.channel, subject, body)
            if template.version != version:
                raise Conflict(
                    _("Somebody else changed this template meanwhile."), code="stale", version=template.version
                )
            template.name, template.subject, template.body = name.strip(), subject, body
            template.version += 1
            template.updated_at = now
            template.save()
    except IntegrityError as error:
        raise _taken() from error
    return template


def delete(*, template_id: int) -> None:
    """Raises `Conflict` (`in_use`) while a campaign names it."""
    try:
        with atomic():
            MessageTemplate.objects.filter(pk=template_id).delete()
    except ProtectedError as error:
        raise Conflict(_("Campaigns were made from this template."), code="in_use") from error


def _taken() -> Conflict:
    return Conflict(_("This name is taken."), code="name_taken", field="name")


def _check(name: str, channel: str, subject: str, body: str) -> None:
    if not name.strip() or len(name) > 60 or "\x00" in name:
        raise Invalid(_("A name of 1 to 60 characters."), field="name")
    if channel not in ChannelKind.values:
        raise Invalid(_("Not a known value."), field="channel")
    if len(subject) > 200:
        raise Invalid(_("At most %(limit)d characters.") % {"limit": 200}, code="too_long", field="subject")
    if not body.strip():
        raise Invalid(_("The message has no text."), code="empty_body", field="body")
    contents.parse(subject=subject, body=body)
