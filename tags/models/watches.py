from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from scrm.common.audit import audited
from scrm.common.placement import Placement
from tags.enums import RuleForm, RuleState, WatchKind


class Watch(models.Model):
    """A condition whose answer is kept for everyone: by each batch of facts, and when time alone turns it.

    A tag rule and a segment that reports entries each have one.
    """

    placement = Placement.REFERENCE

    kind = models.CharField(max_length=8, choices=WatchKind)
    condition = models.JSONField()
    # What its answer hangs on ("profile", "order", "event:page" …): a batch that touched none of it passes it by.
    depends = ArrayField(models.CharField(max_length=80), default=list)
    version = models.PositiveIntegerField(default=1)  # counts changes of the condition
    enabled = models.BooleanField(default=False)
    # Why it stopped by itself: what the condition names no longer exists.
    broken = models.CharField(max_length=300, blank=True)
    # When everyone was last evaluated, and of which version.
    evaluated_at = models.DateTimeField(null=True)
    evaluated_version = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(enabled=False) | models.Q(broken=""), name="watch_broken_is_not_enabled"
            ),
            models.CheckConstraint(condition=models.Q(kind__in=WatchKind.values), name="watch_kind_known"),
        ]


class WatchMember(models.Model):
    """A member who fulfils a watched condition now.

    No foreign key is checked per row, here and in `WatchFlip`: every batch of facts writes some, and would lock the
    watch's row for each. Who removes a watch removes what it has found (`watches.discard`).

    `suppressed`: somebody took the tag off by hand; it stays off until the condition turns false and true again.
    """

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("watch_id", "member_id")
    watch = models.ForeignKey(Watch, models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    member = models.ForeignKey("members.Member", models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    since = models.DateTimeField()
    suppressed = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = [models.Index(fields=["member", "watch"], name="watch_of_member")]


class WatchFlip(models.Model):
    """The next instant at which time alone can turn a watched condition for a member."""

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("watch_id", "member_id")
    watch = models.ForeignKey(Watch, models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    member = models.ForeignKey("members.Member", models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    due_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="watch_flip_due")]


class TagRule(models.Model):
    """How a tag puts itself on and off."""

    placement = Placement.REFERENCE

    tag = models.OneToOneField("tags.Tag", models.CASCADE, related_name="rule")
    watch = models.OneToOneField(Watch, models.PROTECT, related_name="rule")
    form = models.CharField(max_length=12, choices=RuleForm, default=RuleForm.CONDITION)
    # What the form was filled in with; the condition is made from it. See tags/rules/automatic.py
    definition = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=RuleState, default=RuleState.DRAFT)
    version = models.PositiveIntegerField(default=1)  # counts edits; a form with an older one is a conflict
    created_by = models.ForeignKey("common.User", models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [audited()]
        constraints = [
            models.CheckConstraint(condition=models.Q(form__in=RuleForm.values), name="tag_rule_form_known"),
            models.CheckConstraint(condition=models.Q(state__in=RuleState.values), name="tag_rule_state_known"),
        ]
