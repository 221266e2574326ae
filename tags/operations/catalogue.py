"""Tag groups and tags: create, rename, colour, order, archive. History stays with the tag, not with its name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict, TypeVar, Unpack

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from scrm.common import clock
from scrm.common.errors import Conflict, DomainError, Invalid, NotFound
from scrm.common.models import User
from scrm.common.transactions import atomic
from tags.enums import Choice, Colour, RuleState, TagKind
from tags.models import Tag, TagGroup, TagRule
from tags.operations import mirroring

Row = TypeVar("Row", Tag, TagGroup)

MAX_NAME = 40
MAX_DESCRIPTION = 200
MAX_VALID_DAYS = 3_650


class TagValues(TypedDict, total=False):
    """What can be changed of a tag; what is not given stays."""

    name: str
    description: str
    valid_days: int | None
    colour: str
    owner_id: int | None
    wecom_tag_id: str


class GroupValues(TypedDict, total=False):
    """What can be changed of a tag group; what is not given stays."""

    name: str
    choice: str
    colour: str
    position: int
    wecom_group_id: str


def create_group(**values: Unpack[GroupValues]) -> TagGroup:
    """A new group, the last one unless a position is given.

    Raises `Invalid` (`name_taken`, `bad_name`, `bad_choice`, `bad_colour`, `bad_position`, `wecom_*`).
    """
    with atomic():
        group = TagGroup(name=_name(values.get("name", "")))
        if "position" not in values:
            values["position"] = min(TagGroup.objects.count(), 32_767)
        _fill(group, values)
        _check_group(group)
        return _saved(group)


def update_group(*, group_id: int, **values: Unpack[GroupValues]) -> TagGroup:
    """Change a group. Raises `Conflict` (`members_with_several`) when it cannot become single-choice yet."""
    with atomic():
        group = _locked_group(group_id)
        if values.get("choice") == Choice.SINGLE and group.choice != Choice.SINGLE:
            refuse_several([group_id])
        _fill(group, values)
        _check_group(group)
        return _saved(group)


def move_group(*, group_id: int, earlier: bool) -> None:
    """Swap a group with the one before it or after it. At the edge nothing changes. Raises `NotFound`."""
    with atomic():
        order = list(TagGroup.objects.select_for_update().order_by("position", "name"))
        place = next((index for index, group in enumerate(order) if group.pk == group_id), None)
        if place is None:
            raise NotFound(_("There is no such tag group."))
        other = place - 1 if earlier else place + 1
        if not 0 <= other < len(order):
            return
        order[place], order[other] = order[other], order[place]
        for position, group in enumerate(order):
            if group.position != position:
                group.position = position
                group.save(update_fields=["position"])


def delete_group(*, group_id: int) -> None:
    """Remove a group that has no tag, archived ones included. Raises `NotFound`, `Conflict` (`not_empty`)."""
    with atomic():
        group = _locked_group(group_id)
        number = group.tags.count()
        if number:
            raise Conflict(
                _("The group still has %(count)s tags. Archived tags count: members' histories name them.")
                % {"count": number},
                code="not_empty",
                count=number,
            )
        group.delete()


def create_tag(*, group_id: int, **values: Unpack[TagValues]) -> Tag:
    """A new manual tag.

    Raises `NotFound`, `Invalid` (`name_taken`, `bad_name`, `bad_validity`, `bad_colour`, `bad_owner`, `wecom_*`).
    """
    with atomic():
        group = TagGroup.objects.filter(pk=group_id).first()
        if group is None:
            raise NotFound(_("There is no such tag group."), field="group")
        tag = Tag(group=group, name=_name(values.get("name", "")))
        _fill(tag, values)
        _check_tag(tag)
        return _saved(tag)


def update_tag(*, tag_id: int, **values: Unpack[TagValues]) -> Tag:
    """Rename a tag or change what it says. Assignments and their history stay. Raises what `create_tag` raises."""
    from tags.operations import automatic  # noqa: PLC0415  # presets make tags by this module

    with atomic():
        tag = locked_tag(tag_id)
        before = tag.valid_days
        _fill(tag, values)
        _check_tag(tag)
        _saved(tag)
        if tag.valid_days != before:
            automatic.validity_changed(tag_id=tag_id, now=clock.now())
        return tag


def archive_tag(*, tag_id: int, now: datetime) -> Tag:
    """Take a tag out of use: it can no longer be put on; who has it keeps it; its rule pauses. Twice changes nothing.

    Raises `NotFound`, `Conflict` (`model_tag`: a model puts it on).
    """
    from tags.operations import automatic  # noqa: PLC0415  # presets make tags by this module

    with atomic():
        tag = locked_tag(tag_id)
        if tag.archived_at is None:
            refuse_model(tag)
            rule = TagRule.objects.filter(tag=tag, state=RuleState.ENABLED).first()
            if rule is not None:
                automatic.pause(rule_id=rule.pk, now=now)
            tag.archived_at = now
            tag.save(update_fields=["archived_at"])
        return tag


def restore_tag(*, tag_id: int) -> Tag:
    """Put an archived tag back into use. Raises `NotFound`, `Conflict` (`tag_merged`)."""
    with atomic():
        tag = locked_tag(tag_id)
        if tag.merged_into_id is not None:
            raise Conflict(_("The tag was merged into another one and stays as a signpost."), code="tag_merged")
        if tag.archived_at is not None:
            tag.archived_at = None
            tag.save(update_fields=["archived_at"])
        return tag


def locked_tag(tag_id: int) -> Tag:
    """The tag with its group, locked until the transaction ends. Raises `NotFound`."""
    tag = Tag.objects.select_for_update(of=("self",)).select_related("group").filter(pk=tag_id).first()
    if tag is None:
        raise NotFound(_("There is no such tag."))
    return tag


def refuse_model(tag: Tag) -> None:
    """Raises `Conflict` for a tag that a model puts on by itself."""
    if tag.kind == TagKind.MODEL:
        raise Conflict(_("“%(name)s” is put on by a model.") % {"name": tag.name}, code="model_tag")


def refuse_several(group_ids: Sequence[int], *, instead: dict[int, int] | None = None) -> None:
    """Raises `Conflict` (`members_with_several`) when a member has two tags of the groups.

    `instead`: tags that would count as another one (merged: from → to).
    """
    instead = instead or {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FROM (
                SELECT 1 FROM tags_membertag mt JOIN tags_tag t ON t.id = mt.tag_id
                WHERE t.group_id = ANY(%s) OR t.id = ANY(%s)
                GROUP BY mt.member_id
                HAVING count(DISTINCT CASE WHEN t.id = ANY(%s) THEN %s ELSE t.id END) > 1
            ) s
            """,
            [list(group_ids), list(instead), list(instead), next(iter(instead.values()), None)],
        )
        several = cursor.fetchone()[0]
    if several:
        raise Conflict(
            _("%(count)s members have more than one tag of this group.") % {"count": several},
            code="members_with_several",
            count=several,
        )


def _fill(row: Tag | TagGroup, values: TagValues | GroupValues) -> None:
    for name, value in values.items():
        if name == "name":
            value = _name(str(value))
        setattr(row, name, value.strip() if isinstance(value, str) else value)


def _locked_group(group_id: int) -> TagGroup:
    group = TagGroup.objects.select_for_update().filter(pk=group_id).first()
    if group is None:
        raise NotFound(_("There is no such tag group."))
    return group


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
    mirroring.check_group(group)


def _check_tag(tag: Tag) -> None:
    if len(tag.description) > MAX_DESCRIPTION or "\x00" in tag.description:
        raise Invalid(
            _("The description is at most %(count)s characters long.") % {"count": MAX_DESCRIPTION},
            code="bad_description",
            field="description",
        )
    if tag.valid_days is not None and not 1 <= tag.valid_days <= MAX_VALID_DAYS:
        raise Invalid(_("A validity has 1 to 3,650 days."), code="bad_validity", field="valid_days")
    if tag.colour and tag.colour not in Colour.values:
        raise Invalid(_("Not one of the choices."), code="bad_colour", field="colour")
    if tag.owner_id is not None and not User.objects.filter(pk=tag.owner_id, is_active=True).exists():
        raise Invalid(_("There is no such user."), code="bad_owner", field="owner")
    mirroring.check_tag(tag)


def _saved(row: Row) -> Row:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise _refusal(error) from error
    return row


def _refusal(error: IntegrityError) -> DomainError:
    if "mirrored_once" in str(error):
        return mirroring.taken()
    return Invalid(_("This name is taken."), code="name_taken", field="name")
