"""Tag rules: write them, try them out, switch them on and off.

How a rule and people get along:

- A tag that somebody took off by hand stays off until the rule turns false and true again.
- A tag that was put on by hand is never taken off by the rule; putting it on by hand over the rule makes it so.
- In a single-choice group a tag put on by hand keeps the place. Among rules of one group the one that was made first
  wins; when it ceases to hold, the next one that holds takes over.
- Validity. Of a condition rule: the tag lapses so many days after it was put on and comes back when the rule turns
  false and true again. Of keyword and interest rules: it lapses so many days after the last matching event, and a new
  matching event brings it back.
- Pausing leaves the tags as they are; enabling again brings them up to date.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from scrm.common.errors import Conflict, NotFound
from scrm.common.transactions import atomic, current_actor
from tags.enums import Choice, RuleForm, RuleState, TagKind, WatchKind
from tags.models import Tag, TagGroup, TagRule
from tags.operations import catalogue, watches
from tags.operations.automatic_trials import DryRun, Replay, ReplayDay, dry_run, replay
from tags.queries import automatic as queries

__all__ = [
    "DryRun", "Replay", "ReplayDay", "apply_preset", "create", "delete", "dry_run", "enable", "pause", "release",
    "replay", "update", "validity_changed",
]  # fmt: skip


def create(*, tag_id: int, form: str, definition: dict[str, Any], now: datetime) -> TagRule:
    """A new rule for a tag that has none, as a draft. The tag's kind follows the form.

    Raises `NotFound`, `Conflict` (`has_rule`, `tag_archived`, `model_tag`), `Invalid` (`cycle`: the rule hangs on its
    own tag; `too_deep`; or what the definition lacks, `field` naming it), `conditions.BadCondition`.
    """
    with atomic():
        tag = _usable(tag_id)
        if TagRule.objects.filter(tag=tag).exists():
            raise Conflict(_("The tag “%(name)s” has a rule already.") % {"name": tag.name}, code="has_rule")
        condition = queries.checked(form=form, definition=definition, tag=tag, now=now)
        actor = current_actor()
        rule = TagRule.objects.create(
            tag=tag,
            watch=watches.create(kind=WatchKind.TAG, condition=condition, now=now),
            form=form,
            definition=definition,
            created_by_id=actor.id if actor.kind == "user" else None,
            created_at=now,
            updated_at=now,
        )
        _set_kind(tag, _kind(form))
        return rule


def update(*, rule_id: int, version: int, form: str, definition: dict[str, Any], now: datetime) -> TagRule:
    """Change a rule. An enabled one goes on with the new definition, and everyone is evaluated again.

    `version` is the one the editor started from. Raises `Conflict` (`stale`), else as `create`. A broken rule
    becomes a draft again.
    """
    with atomic():
        rule = _locked(rule_id)
        if rule.version != version:
            raise Conflict(
                _("Somebody else has saved this rule meanwhile. Your changes are still on this page."),
                code="stale",
                version=rule.version,
            )
        tag = _usable(rule.tag_id)
        condition = queries.checked(form=form, definition=definition, tag=tag, now=now)
        rule.form, rule.definition = form, definition
        rule.version += 1
        rule.updated_at = now
        if rule.state == RuleState.BROKEN:
            rule.state = RuleState.DRAFT
        rule.save(update_fields=["form", "definition", "version", "updated_at", "state"])
        rule.watch = watches.change(watch_id=rule.watch_id, condition=condition, now=now)
        _set_kind(tag, _kind(form))
        return rule


def enable(*, rule_id: int, now: datetime) -> TagRule:
    """Let the rule work from now on; everyone is evaluated in the background.

    Raises `NotFound`, `Conflict` (`tag_archived`), `conditions.BadCondition` when it can no longer be used.
    """
    with atomic():
        rule = _locked(rule_id)
        tag = _usable(rule.tag_id)
        # Other rules may have been made meanwhile that close a circle.
        queries.checked(form=rule.form, definition=rule.definition, tag=tag, now=now)
        _set_state(rule, RuleState.ENABLED, now)
        rule.watch = watches.enable(watch_id=rule.watch_id, now=now)
        return rule


def pause(*, rule_id: int, now: datetime) -> TagRule:
    """Stop the rule. Tags stay as they are. Twice changes nothing."""
    with atomic():
        rule = _locked(rule_id)
        if rule.state == RuleState.ENABLED:
            _set_state(rule, RuleState.PAUSED, now)
            rule.watch = watches.disable(watch_id=rule.watch_id)
        return rule


def delete(*, rule_id: int, now: datetime) -> None:
    """Remove the rule. Its tags stay on their members; the tag is then put on by hand only."""
    with atomic():
        rule = _locked(rule_id)
        watch_id = rule.watch_id
        rule.delete()
        watches.discard(watch_id=watch_id)
        _set_kind(rule.tag, TagKind.MANUAL)


def release(*, tag_id: int, now: datetime) -> None:
    """Take the rule, if any, away from a tag that is being merged or archived. Assignments stay as they are."""
    rule = TagRule.objects.filter(tag_id=tag_id).first()
    if rule is not None:
        delete(rule_id=rule.pk, now=now)


def validity_changed(*, tag_id: int, now: datetime) -> None:
    """The validity (`valid_days`) of a tag was changed: its keyword or interest rule follows."""
    with atomic():
        rule = TagRule.objects.select_related("tag", "watch").filter(tag_id=tag_id).first()
        if rule is None or rule.form == RuleForm.CONDITION:
            return
        condition = queries.checked(form=rule.form, definition=rule.definition, tag=rule.tag, now=now)
        if condition != rule.watch.condition:
            watches.change(watch_id=rule.watch_id, condition=condition, now=now)


def apply_preset(*, key: str, enabled: bool = True, now: datetime) -> TagGroup:
    """Make the group, the tags and the rules of a preset, and enable them. What is there already is left as it is.

    Raises `NotFound` for an unknown key.
    """
    with atomic():
        preset = next((one for one in queries.presets() if one.key == key), None)
        if preset is None:
            raise NotFound(_("There is no such preset."))
        group = TagGroup.objects.filter(name=preset.group).first()
        if group is None:
            group = catalogue.create_group(name=preset.group, choice=Choice.SINGLE)
        there = set(Tag.objects.filter(group=group).values_list("name", flat=True))
        for wanted in preset.tags:
            if wanted.name in there:
                continue
            tag = catalogue.create_tag(group_id=group.pk, name=wanted.name)
            definition = {"condition": wanted.condition}
            rule = create(tag_id=tag.pk, form=RuleForm.CONDITION, definition=definition, now=now)
            if enabled:
                enable(rule_id=rule.pk, now=now)
        return group


def _usable(tag_id: int) -> Tag:
    tag = catalogue.locked_tag(tag_id)
    if tag.archived_at is not None:
        raise Conflict(_("The tag “%(name)s” is archived.") % {"name": tag.name}, code="tag_archived")
    catalogue.refuse_model(tag)
    return tag


def _locked(rule_id: int) -> TagRule:
    rule = TagRule.objects.select_for_update(of=("self",)).select_related("tag", "watch").filter(pk=rule_id).first()
    if rule is None:
        raise NotFound(_("There is no such tag rule."))
    return rule


def _kind(form: str) -> TagKind:
    return TagKind.RULE if form == RuleForm.CONDITION else TagKind.EVENT


def _set_kind(tag: Tag, kind: TagKind) -> None:
    if tag.kind != kind:
        tag.kind = kind
        tag.save(update_fields=["kind"])


def _set_state(rule: TagRule, state: RuleState, now: datetime) -> None:
    if rule.state != state:
        rule.state, rule.updated_at = state, now
        rule.save(update_fields=["state", "updated_at"])
