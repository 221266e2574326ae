"""Which of the company's tags in WeCom each tag and group mirrors: set one by one, or from a file.

WeCom's limits: https://developer.work.weixin.qq.com/document/path/92117 (tag names of 30 characters, group names of 15,
3,000 tags of a company).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scrm.common.errors import Invalid
from scrm.common.transactions import atomic
from tags.models import Tag, TagGroup

MOST_TAGS = 3_000
LONGEST_TAG = 30
LONGEST_GROUP = 15
LONGEST_ID = 64
MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Mapped:
    """One row of a mapping file: the line it stood on, our tag, and the ids in WeCom ("" takes the mapping away)."""

    line: int
    tag_id: int
    wecom_tag_id: str
    wecom_group_id: str


@dataclass(frozen=True, slots=True)
class Problem:
    line: int
    message: str


def check_tag(tag: Tag) -> None:
    """Raises `Invalid` (`wecom_bad_id`, `wecom_name_too_long`, `wecom_full`) when WeCom could not hold the tag."""
    _check_id(tag.wecom_tag_id, "wecom_tag_id")
    if not tag.wecom_tag_id:
        return
    if len(tag.name) > LONGEST_TAG:
        raise Invalid(
            _("WeCom takes tag names of at most %(count)s characters.") % {"count": LONGEST_TAG},
            code="wecom_name_too_long",
            field="name",
        )
    if Tag.objects.exclude(wecom_tag_id="").exclude(pk=tag.pk).count() >= MOST_TAGS:
        raise full()


def check_group(group: TagGroup) -> None:
    """Raises `Invalid` (`wecom_bad_id`, `wecom_name_too_long`) when WeCom could not hold the group."""
    _check_id(group.wecom_group_id, "wecom_group_id")
    if group.wecom_group_id and len(group.name) > LONGEST_GROUP:
        raise Invalid(
            _("WeCom takes group names of at most %(count)s characters.") % {"count": LONGEST_GROUP},
            code="wecom_name_too_long",
            field="name",
        )


def full() -> Invalid:
    """The refusal of one tag too many."""
    return Invalid(
        _("A company has at most %(count)s tags in WeCom.") % {"count": MOST_TAGS},
        code="wecom_full",
        field="wecom_tag_id",
    )


def taken() -> Invalid:
    """The refusal of an id that another tag or group mirrors."""
    return Invalid(_("Another one mirrors this WeCom id."), code="wecom_id_taken", field="wecom_tag_id")


def load(*, rows: Sequence[Mapped]) -> int:
    """Take a mapping file, all of it or nothing; answers how many tags and groups changed.

    Groups are named by any of their tags' rows. Raises `Invalid` (`bad_mapping`) whose `detail["problems"]` holds a
    `Problem` per faulty row.
    """
    with atomic():
        tags = {
            tag.pk: tag
            for tag in Tag.objects.select_for_update(of=("self",))
            .filter(pk__in={row.tag_id for row in rows})
            .select_related("group")
        }
        problems: list[Problem] = []
        groups: dict[int, TagGroup] = {}
        changed_tags: dict[int, Tag] = {}
        changed_groups: dict[int, TagGroup] = {}
        seen: set[int] = set()
        for row in rows:
            tag = tags.get(row.tag_id)
            if tag is None or row.tag_id in seen:
                text = _("There is no such tag.") if tag is None else _("This tag stands in the file twice.")
                problems.append(Problem(row.line, text))
                continue
            seen.add(row.tag_id)
            group = groups.setdefault(tag.group_id, tag.group)
            if tag.wecom_tag_id != row.wecom_tag_id:
                tag.wecom_tag_id = row.wecom_tag_id
                changed_tags[tag.pk] = tag
            if row.wecom_group_id and group.wecom_group_id != row.wecom_group_id:
                if group.pk in changed_groups:
                    problems.append(Problem(row.line, _("The rows of this group name different WeCom groups.")))
                    continue
                group.wecom_group_id = row.wecom_group_id
                changed_groups[group.pk] = group
            problems += _faults(row.line, tag, group)
        if not problems:
            problems += _save(rows, changed_tags, changed_groups)
        if problems:
            text = ngettext(
                "%(count)s row of the file is not right. Nothing was changed.",
                "%(count)s rows of the file are not right. Nothing was changed.",
                len(problems),
            )
            raise Invalid(text % {"count": len(problems)}, code="bad_mapping", field="file", problems=problems)
        return len(changed_tags) + len(changed_groups)


def _faults(line: int, tag: Tag, group: TagGroup) -> list[Problem]:
    found = []
    try:
        _check_id(tag.wecom_tag_id, "wecom_tag_id")
        if tag.wecom_tag_id and len(tag.name) > LONGEST_TAG:
            check_tag(tag)
        check_group(group)
    except Invalid as error:
        found.append(Problem(line, str(error)))
    return found


def _save(rows: Sequence[Mapped], tags: dict[int, Tag], groups: dict[int, TagGroup]) -> list[Problem]:
    """Ids may change places between tags, so they are taken away first. The transaction ends when a problem is told."""
    line_of = {row.wecom_tag_id: row.line for row in rows}
    Tag.objects.filter(pk__in=tags).exclude(wecom_tag_id="").update(wecom_tag_id="")
    TagGroup.objects.filter(pk__in=groups).exclude(wecom_group_id="").update(wecom_group_id="")
    problems = []
    changed: list[Tag | TagGroup] = [*tags.values(), *groups.values()]
    for row in changed:
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError:
            line = line_of.get(row.wecom_tag_id, 1) if isinstance(row, Tag) else 1
            problems.append(Problem(line, str(taken())))
    if Tag.objects.exclude(wecom_tag_id="").count() > MOST_TAGS:
        problems.append(Problem(1, str(full())))
    return problems


def _check_id(value: str, field: str) -> None:
    if len(value) > LONGEST_ID or not value.isprintable() or " " in value:
        raise Invalid(
            _("A WeCom id has at most %(count)s characters and no spaces.") % {"count": LONGEST_ID},
            code="wecom_bad_id",
            field=field,
        )
