from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from members.enums import TaskClaim, TaskKind, TaskMeasure, TaskState, TaskWindow
from scrm.common.audit import audited
from scrm.common.placement import Placement

LARGEST_NEED = 10**12


class Task(models.Model):
    """Something members do for a reward: what counts, how often, within which window, for whom.

    `counting` says what counts, by kind:
    event {"types": [keys], "where": [tests]}, order {"sources", "stores", "channels", "categories", "products",
    "minimum" in minor units}, profile {"fields": [keys]}, checkin {"calendar": id}.
    `active` are the spans [from, to or null] in which facts count: a pause is a gap between two of them.
    Once it was started only what it is called, for whom it is, and what it gives can be changed (`version`).
    """

    placement = Placement.REFERENCE

    key = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=40)
    description = models.CharField(max_length=200, blank=True)
    icon = models.CharField(max_length=32, blank=True)
    position = models.IntegerField(default=0)  # where it stands on the members' map
    state = models.CharField(max_length=8, choices=TaskState, default=TaskState.DRAFT)
    kind = models.CharField(max_length=8, choices=TaskKind)
    counting = models.JSONField(default=dict)
    measure = models.CharField(max_length=8, choices=TaskMeasure, default=TaskMeasure.COUNT)
    needed = models.BigIntegerField()  # facts, days, or minor units, by `measure`
    window = models.CharField(max_length=8, choices=TaskWindow, default=TaskWindow.WHOLE)
    window_days = models.IntegerField(default=0)  # of a rolling window
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    times = models.IntegerField(default=1)  # how often a member can do it; 0: in every window
    counts_earlier = models.BooleanField(default=False)  # what was done before it was unlocked
    who = models.JSONField(null=True)  # a condition of the shared language
    rewards = models.JSONField(default=list)
    claim = models.CharField(max_length=8, choices=TaskClaim, default=TaskClaim.AUTOMATIC)
    stock = models.IntegerField(null=True)  # how many completions are rewarded
    active = models.JSONField(default=list)
    version = models.IntegerField(default=1)
    ended_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = [audited()]
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=TaskState.values), name="task_state_known"),
            models.CheckConstraint(condition=models.Q(kind__in=TaskKind.values), name="task_kind_known"),
            models.CheckConstraint(condition=models.Q(measure__in=TaskMeasure.values), name="task_measure_known"),
            models.CheckConstraint(condition=models.Q(window__in=TaskWindow.values), name="task_window_known"),
            models.CheckConstraint(condition=models.Q(claim__in=TaskClaim.values), name="task_claim_known"),
            models.CheckConstraint(
                condition=models.Q(
                    needed__gte=1, needed__lte=LARGEST_NEED, times__gte=0, times__lte=1_000, version__gte=1
                )
                & (models.Q(stock=None) | models.Q(stock__gte=0)),
                name="task_numbers_in_range",
            ),
            models.CheckConstraint(
                condition=models.Q(window="rolling", window_days__gte=1, window_days__lte=366)
                | (~models.Q(window="rolling") & models.Q(window_days=0)),
                name="task_rolling_has_days",
            ),
            models.CheckConstraint(
                condition=models.Q(starts_at=None)
                | models.Q(ends_at=None)
                | models.Q(ends_at__gt=models.F("starts_at")),
                name="task_ends_after_start",
            ),
            models.CheckConstraint(
                condition=models.Q(state="ended", ended_at__isnull=False)
                | (~models.Q(state="ended") & models.Q(ended_at=None)),
                name="task_ended_has_time",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


class TaskUnlock(models.Model):
    """A step of a chain: `task` is locked until `after` has been completed. Cycles are refused."""

    placement = Placement.REFERENCE

    task = models.ForeignKey(Task, models.CASCADE, related_name="unlocks")
    after = models.ForeignKey(Task, models.PROTECT, related_name="+")

    class Meta:
        triggers = [audited()]
        constraints = [
            models.UniqueConstraint(fields=["task", "after"], name="task_unlock_once"),
            models.CheckConstraint(condition=~models.Q(task=models.F("after")), name="task_unlock_of_another"),
        ]


class TaskVersion(models.Model):
    """What a task said from `created_at` on: completions name the version that rewarded them. Never changed."""

    placement = Placement.REFERENCE

    task = models.ForeignKey(Task, models.CASCADE, related_name="versions", db_index=False)
    version = models.IntegerField()
    content = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "version"], name="task_version_once")]


class TaskStock(models.Model):
    """How many completions of a task with a limited stock were rewarded: one row, written one after the other."""

    placement = Placement.LOCAL

    task = models.OneToOneField(Task, models.CASCADE, primary_key=True, related_name="+")
    taken = models.IntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(taken__gte=0), name="task_stock_not_negative")]


class TaskFact(models.Model):
    """One fact that counts for a member's task, once in a cycle: gone when the fact does not count any more.

    `fact` names it: "event:<id>", "order:<id>", "profile:<field>", "checkin:<day>".
    """

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "task_id", "cycle", "fact")
    member = models.ForeignKey(
        "members.Member", models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    task = models.ForeignKey(Task, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False)
    cycle = models.CharField(max_length=10)
    fact = models.CharField(max_length=80)
    at = models.DateTimeField()
    amount = models.BigIntegerField(db_default=0)


class TaskProgress(models.Model):
    """How far a member is in one cycle of a task: what its facts add up to.

    `cycle` is the first day of a day, week or month, else the number of the doing. `ends_at`: when what was counted
    lapses unless the task is done before.
    """

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "task_id", "cycle")
    member = models.ForeignKey(
        "members.Member", models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    task = models.ForeignKey(Task, models.PROTECT, related_name="+", db_index=False)
    cycle = models.CharField(max_length=10)
    value = models.BigIntegerField()
    done = models.BooleanField()
    started_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(value__gte=0), name="task_progress_not_negative")]
        indexes = [models.Index(fields=["task", "member"], name="task_progress_of_task")]


class TaskCompletion(models.Model):
    """A task that a member has done in one cycle. Undone when its facts fall below, done again when they return.

    `round` counts the doings of the same cycle: each gives its rewards once and may take them back once.
    """

    placement = Placement.MEMBER

    pk = models.CompositePrimaryKey("member_id", "task_id", "cycle")
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", db_index=False)
    task = models.ForeignKey(Task, models.PROTECT, related_name="+", db_index=False)
    cycle = models.CharField(max_length=10)
    round = models.IntegerField(default=1)
    version = models.IntegerField()
    completed_at = models.DateTimeField()  # when the last needed fact occurred
    noted_at = models.DateTimeField()  # when that became known
    rewarded_at = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)
    out_of_stock = models.BooleanField(default=False)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(round__gte=1), name="task_completion_round"),
            models.CheckConstraint(
                condition=models.Q(claimed_at=None) | models.Q(rewarded_at__isnull=False),
                name="task_completion_claimed_is_rewarded",
            ),
            models.CheckConstraint(
                condition=models.Q(out_of_stock=False) | models.Q(rewarded_at=None), name="task_completion_stock"
            ),
        ]
        indexes = [
            models.Index(
                fields=["task", "member"],
                include=["rewarded_at"],
                condition=models.Q(undone_at=None),
                name="task_completion_of_task",
            ),
        ]


class TaskFunnel(models.Model):
    """How far members were with a task that many have begun, when they were last counted (`queries.task_funnels`)."""

    placement = Placement.LOCAL

    task = models.OneToOneField(Task, models.CASCADE, primary_key=True, related_name="+")
    started = models.BigIntegerField()
    done = models.BigIntegerField()
    rewarded = models.BigIntegerField()
    completions = models.BigIntegerField()
    rewarded_completions = models.BigIntegerField()
    counted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(started__gte=0, rewarded__gte=0, done__gte=models.F("rewarded"))
                & models.Q(completions__gte=models.F("done"), rewarded_completions__gte=models.F("rewarded"))
                & models.Q(completions__gte=models.F("rewarded_completions")),
                name="task_funnel_narrows",
            ),
        ]
