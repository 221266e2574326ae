"""Reading tag rules: what they say, how they stand, and the presets that are offered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scrm.common import conditions
from scrm.common.conditions import BadCondition, Node, fields
from scrm.common.errors import DomainError, Invalid, NotFound
from tags.enums import Choice
from tags.models import Tag, TagRule, WatchMember
from tags.queries import watches
from tags.rules import automatic as forms
from tags.rules.automatic import BadRule


@dataclass(frozen=True, slots=True)
class Standing:
    """How a rule stands now. `fulfilling` counts members who fulfil its condition, `suppressed` those of them from
    whom somebody took the tag off by hand. `evaluated_at` is None until everyone was evaluated once; `evaluating`
    says that a run over everyone is still to come or under way."""

    fulfilling: int
    suppressed: int
    evaluated_at: datetime | None
    evaluating: bool
    broken: str


@dataclass(frozen=True, slots=True)
class PresetTag:
    """One tag of a preset with its condition."""

    name: str
    condition: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Preset:
    """A single-choice group whose tags follow a score or stage: offered for one click."""

    key: str
    label: str | Promise
    group: str
    tags: tuple[PresetTag, ...]
    exists: bool


_PRESETS: dict[str, tuple[str | Promise, str | Promise]] = {
    # key of the field → (label, name of the group)
    "rfm.class": (gettext_lazy("RFM: the eight classes"), gettext_lazy("RFM class")),
    "rfm.layer": (gettext_lazy("RFM: the named layers"), gettext_lazy("RFM layer")),
    "lifecycle": (gettext_lazy("Lifecycle stages"), gettext_lazy("Lifecycle stage")),
    "aipl": (gettext_lazy("AIPL stages"), gettext_lazy("AIPL stage")),
}


def rules() -> QuerySet[TagRule]:
    """Every rule with its tag, group and watch, the newest first."""
    return TagRule.objects.select_related("tag__group", "watch", "created_by").order_by("-pk")


def listed(*, search: str = "", state: str = "") -> QuerySet[TagRule]:
    """The rules whose tag or group contains a text, in a state; of tags in use."""
    found = rules().filter(tag__archived_at=None)
    if search:
        found = found.filter(Q(tag__name__icontains=search) | Q(tag__group__name__icontains=search))
    return found.filter(state=state) if state else found


def get(rule_id: int) -> TagRule:
    """A rule with its tag, group and watch. Raises `NotFound`."""
    found = rules().filter(pk=rule_id).first()
    if found is None:
        raise NotFound(_("There is no such tag rule."))
    return found


def of_tag(tag_id: int) -> TagRule | None:
    """The rule of a tag, if it has one."""
    return rules().filter(tag_id=tag_id).first()


def sentence(rule: TagRule) -> str:
    """The rule in words, in the language of the reader; why it cannot be read when it is broken."""
    try:
        return conditions.describe(conditions.parse(rule.watch.condition))
    except conditions.BadCondition as error:
        return str(error.message)


def standing(rule: TagRule) -> Standing:
    """How the rule stands. Two counts over its own rows."""
    members = WatchMember.objects.filter(watch_id=rule.watch_id)
    watch = rule.watch
    return Standing(
        fulfilling=members.count(),
        suppressed=members.filter(suppressed=True).count(),
        evaluated_at=watch.evaluated_at,
        evaluating=watch.enabled and watch.evaluated_version != watch.version,
        broken=watch.broken,
    )


def presets() -> list[Preset]:
    """What can be made with one click: groups that follow the RFM classes and layers, the lifecycle and AIPL stages.

    `exists`: a group of that name is there already.
    """
    found = []
    groups = set(Tag.objects.values_list("group__name", flat=True))
    for key, (label, group) in _PRESETS.items():
        field = fields.find(key)
        if field is None or field.choices is None:
            continue
        tags = tuple(
            PresetTag(str(choice.label)[:40], {"all": [{"field": key, "op": "in", "value": [choice.value]}]})
            for choice in field.choices()
        )
        found.append(Preset(key, label, str(group), tags, str(group) in groups))
    return found


_REFUSALS: dict[str, str | Promise] = {
    "unknown_form": gettext_lazy("Not a form of tag rule."),
    "unknown_key": gettext_lazy("The rule has a part that is not known."),
    "value_needed": gettext_lazy("Enter a value."),
    "too_many": gettext_lazy("Too many values."),
    "too_long": gettext_lazy("The text is too long."),
    "out_of_range": gettext_lazy("The number is out of range."),
}


def checked(*, form: str, definition: Mapping[str, Any], tag: Tag | None, now: datetime) -> Any:
    """The condition that a definition stands for, as raw JSON, checked for a tag (or a new one that has none yet).

    Raises `Invalid` (`cycle`, or what the definition lacks, `field` naming it), `conditions.BadCondition`.
    """
    try:
        condition = forms.condition_of(form, definition, valid_days=None if tag is None else tag.valid_days)
    except BadRule as error:
        raise Invalid(_REFUSALS[error.code], code=error.code, field=error.field) from error
    node = conditions.parse(condition)
    topics = conditions.dependencies(node)
    if tag is not None and (_hangs_on_itself(tag, node) or topics & {"event:tag.added", "event:tag.removed"}):
        raise Invalid(
            _("The rule hangs on its own tag, directly or through other rules."), code="cycle", field="condition"
        )
    return condition


def _hangs_on_itself(tag: Tag, node: Node) -> bool:
    """Whether the answer can change by the tag being put on or taken off. Follows other rules, enabled or not."""
    tags = {rule.tag_id: rule for rule in TagRule.objects.exclude(tag=tag).select_related("watch", "tag__group", "tag")}
    own = _moved_with(tag, (rule.tag for rule in tags.values()))
    # In a single-choice group a rule moves the others' tags too, so that their conditions count as its own.
    waiting: list[Node | None] = [node, *(_node(tags[other].watch.condition) for other in own if other in tags)]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        named = None if one is None else watches.tags_named(one)
        if named is None:
            if one is not None:
                return True
            continue
        if named & own:
            return True
        for tag_id in named - seen:
            seen.add(tag_id)
            if tag_id in tags:
                for other in _moved_with(tags[tag_id].tag, (rule.tag for rule in tags.values())):
                    waiting.append(_node(tags[other].watch.condition))
    return False


def _moved_with(tag: Tag, others: Iterable[Tag]) -> set[int]:
    """The tag, and in a single-choice group those that give way to it."""
    if tag.group.choice != Choice.SINGLE:
        return {tag.pk}
    return {tag.pk, *(other.pk for other in others if other.group_id == tag.group_id)}


def _node(condition: Any) -> Node | None:
    """A stored condition; None when it is broken, and so does nothing."""
    try:
        return conditions.parse(condition)
    except (BadCondition, DomainError):
        return None
