"""Tag groups and tags: create, rename, archive."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from scrm.common.errors import Conflict, DomainError, Invalid, NotFound
from scrm.common.transactions import atomic
from tags.enums import Choice, Colour
from tags.models import Tag, TagGroup

Row = TypeVar("Row", Tag, TagGroup)

MAX_NAME = 40
MAX_DESCRIPTION = 200
MAX_VALID_DAYS = 3_650


def create_group(*, name: str, choice: str = Choice.MULTIPLE, colour: str = Colour.BLUE, position: int = 0) -> TagGroup:
    """A new group. Raises `Invalid` (`name_taken`, `bad_name`, `bad_choice`, `bad_colour`)."""
    group = TagGroup(name=_name(name), choice=choice, colour=colour, position=position)
    _check_group(group)
    with atomic():
        return _saved(group)


def update_group(*, group_id: int, name: str, choice: str, colour: str, position: int = 0) -> TagGroup:
    """Change a group. Raises `Conflict` (`members_with_several`) when it cannot become single-choice yet."""
    with atomic():
        group = TagGroup.objects.select_for_update().filter(pk=group_id).first()
        if group is None:
            raise NotFound(_("There is no such tag group."))
        if choice == Choice.SINGLE and group.choice != Choice.SINGLE:
            _refuse_several(group_id)
        group.name, group.choice, group.colour, group.position = _name(name), choice, colour, position
        _check_group(group)
        return _saved(group)


def create_tag(*, group_id: int, name: str, description: str = "", valid_days: int | None = None) -> Tag:
    """A new manual tag. Raises `NotFound`, `Invalid` (`name_taken`, `bad_name`, `bad_validity`)."""
    with atomic():
        group = TagGroup.objects.filter(pk=group_id).first()
        if group is None:
            raise NotFound(_("There is no such tag group."), field="group")
        tag = Tag(group=group, name=_name(name), description=description.strip(), valid_days=valid_days)
        _check_tag(tag)
        return _saved(tag)


def update_tag(*, tag_id: int, name: str, description: str = "", valid_days: int | None = None) -> Tag:
    """Rename a tag or change what it says. Assignments and their history stay."""
    with atomic():
        tag = _locked(tag_id)
        tag.name, tag.description, tag.valid_days = _name(name), description.strip(), valid_days
        _check_tag(tag)
        return _saved(tag)


def archive_tag(*, tag_id: int, now: datetime) -> Tag:
    """Take a tag out of use: it can no longer be put on; who has it keeps it. Twice changes nothing."""
    with atomic():
        tag = _locked(tag_id)
        if tag.archived_at is None:
            tag.archived_at = now
            tag.save(update_fields=["archived_at"])
        return tag


def restore_tag(*, tag_id: int) -> Tag:
    """Put an archived tag back into use."""
    with atomic():
        tag = _locked(tag_id)
        if tag.archived_at is not None:
            tag.archived_at = None
            tag.save(update_fields=["archived_at"])
        return tag


def _locked(tag_id: int) -> Tag:
    tag = Tag.objects.select_for_update(of=("self",)).select_related("group").filter(pk=tag_id).first()
    if tag is None:
        raise NotFound(_("There is no such tag."))
    return tag


def _name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MAX_NAME or "\x00" in name:
        raise Invalid(_("A name has 1 to %(count)s characters.") % {"count": MAX_NAME}, code="bad_name", field="name")
    return name


def _check_group(group: TagGroup) -> None:
    if group.choice not in Choice.values:
        raise Invalid(_("Not one of the choices."), code="bad_choice", field="choice")
    if group.colour not in Colour.values:
        raise Invalid(_("Not one of the choices."), code="bad_colour", field="colour")
    if not 0 <= group.position <= 32_767:
        raise Invalid(_("The position is out of range."), code="bad_position", field="position")


def _check_tag(tag: Tag) -> None:
    if len(tag.description) > MAX_DESCRIPTION or "\x00" in tag.description:
        raise Invalid(
            _("The description is at most %(count)s characters long.") % {"count": MAX_DESCRIPTION},
            code="bad_description",
            field="description",
        )
    if tag.valid_days is not None and not 1 <= tag.valid_days <= MAX_VALID_DAYS:
        raise Invalid(_("A validity has 1 to 3,650 days."), code="bad_validity", field="valid_days")


def _saved(row: Row) -> Row:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise _taken() from error
    return row


def _taken() -> DomainError:
    return Invalid(_("This name is taken."), code="name_taken", field="name")


def _refuse_several(group_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FROM (
                SELECT 1 FROM tags_membertag mt JOIN tags_tag t ON t.id = mt.tag_id
                WHERE t.group_id = %s GROUP BY mt.member_id HAVING count(*) > 1
            ) s
            """,
            [group_id],
        )
        several = cursor.fetchone()[0]
    if several:
        raise Conflict(
            _("%(count)s members have more than one tag of this group.") % {"count": several},
            code="members_with_several",
            count=several,
        )
