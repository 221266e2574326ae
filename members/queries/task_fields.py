"""The fields of the condition language over tasks and check-ins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from members.enums import TaskState
from members.models import CheckInCalendar, Task
from scrm.common import clock
from scrm.common.conditions import (
    Aggregate,
    Choice,
    Context,
    Field,
    FieldType,
    Leaf,
    Param,
    Rows,
    Sql,
    bind,
    calendar,
    compose,
)
from scrm.common.conditions.fields import Source
from scrm.common.conditions.flips import count_turns, counts_of, earliest

_DAY = timedelta(days=1)
TASKS = _("Tasks and check-in")
_TASK, _CHECKIN = frozenset({"task"}), frozenset({"checkin"})
# What hangs on whether tasks are active and until when, and so is redefined by whoever starts, pauses or ends one.
STATE = frozenset({"task.state"})


def fields() -> list[Field]:
    """The fields in the order in which the builder offers them."""
    which = Param("task", _("Task"), choices=tasks)
    calendars = Param("calendar", _("Check-in calendar"), choices=checkin_calendars)
    return [
        Field("task.completed", _("Tasks done"), TASKS, FieldType.INTEGER, _completed, always_set=True, windowed=True,
              params=(which,), topics=_TASK, turns=_completed_turns),
        Field("task.open", _("Task begun and not done"), TASKS, FieldType.SET, _open, choices=tasks,
              topics=_TASK | STATE, turns=_open_turns),
        Field("checkin.streak", _("Days in a row checked in"), TASKS, FieldType.INTEGER, _streak, always_set=True,
              params=(calendars,), topics=_CHECKIN, turns=_streak_turns),
        Field("checkin.days", _("Days checked in"), TASKS, FieldType.INTEGER, _days, always_set=True, windowed=True,
              params=(calendars,), topics=_CHECKIN, turns=_days_turns),
    ]  # fmt: skip


def tasks() -> Sequence[Choice]:
    """Every task that was ever started."""
    found = Task.objects.exclude(state=TaskState.DRAFT).order_by("position", "pk")
    return [Choice(task.pk, task.name) for task in found]


def checkin_calendars() -> Sequence[Choice]:
    return [Choice(one.pk, one.name) for one in CheckInCalendar.objects.order_by("pk")]


def _narrowed(context: Context, key: str, column: str) -> list[Sql]:
    return [compose(f"{column} = ANY({{}})", bind(context.params[key]))] if key in context.params else []


def _within(context: Context, column: str) -> list[Sql]:
    if context.window is None:
        return []
    return [Sql(f"{column} {sign} %s", (bound,)) for sign, bound in context.window.bounds(context.as_of)]


def _rows(head: str, tests: Sequence[Sql]) -> Sql:
    return Sql(
        head + "".join(f" AND {test.text}" for test in tests), tuple(value for test in tests for value in test.params)
    )


def _completions(context: Context) -> Sql:
    return _rows(
        "FROM members_taskcompletion tc WHERE tc.member_id = m.id AND tc.undone_at IS NULL",
        [*_narrowed(context, "task", "tc.task_id"), *_within(context, "tc.completed_at")],
    )


def _completed(context: Context) -> Source:
    rows = _completions(context)
    return Aggregate(compose("(SELECT count(*) {})", rows), compose("EXISTS (SELECT 1 {})", rows))


def _completed_turns(leaf: Leaf, context: Context) -> Sql | None:
    return count_turns(_completions(replace(context, window=None)), "tc.completed_at", counts_of(leaf), context)


_BEGUN = "tp.member_id = m.id AND NOT tp.done AND ta.state = 'active'"


def _open(context: Context) -> Source:
    return Rows(
        "members_taskprogress tp JOIN members_task ta ON ta.id = tp.task_id",
        compose(
            f"{_BEGUN} AND (tp.ends_at IS NULL OR tp.ends_at > {{}}) AND (ta.ends_at IS NULL OR ta.ends_at > {{}})",
            bind(context.as_of), bind(context.as_of),
        ),
        Sql("tp.task_id"),
    )  # fmt: skip


def _open_turns(_leaf: Leaf, context: Context) -> Sql:
    """When what was counted lapses, or the task is over."""
    return compose(
        "(SELECT min(LEAST(tp.ends_at, ta.ends_at)) FROM members_taskprogress tp"
        f" JOIN members_task ta ON ta.id = tp.task_id WHERE {_BEGUN}"
        " AND LEAST(tp.ends_at, ta.ends_at) > {})",
        bind(context.as_of),
    )


def _recent(context: Context) -> Sql:
    return _rows(
        "FROM members_checkin c WHERE c.member_id = m.id",
        [
            compose("c.day BETWEEN {}::date AND {}::date", bind(context.today - _DAY), bind(context.today)),
            *_narrowed(context, "calendar", "c.calendar_id"),
        ],
    )


def _streak(context: Context) -> Source:
    """The streak that ends today or yesterday: a member has the whole day to go on with it."""
    rows = _recent(context)
    return Aggregate(compose("COALESCE((SELECT max(c.streak) {}), 0)", rows), compose("EXISTS (SELECT 1 {})", rows))


def _streak_turns(_leaf: Leaf, context: Context) -> Sql | None:
    """At midnight while a streak stands, for a day of it may be too long ago then."""
    coming = _rows(
        "FROM members_checkin c WHERE c.member_id = m.id",
        [compose("c.day > {}::date", bind(context.today)), *_narrowed(context, "calendar", "c.calendar_id")],
    )
    return earliest(
        [
            compose(
                "CASE WHEN EXISTS (SELECT 1 {}) THEN {}::timestamptz END",
                _recent(context), bind(clock.day_end(context.today)),
            ),
            calendar.day_begins(compose("(SELECT min(c.day) {})", coming), context.today),
        ]
    )  # fmt: skip


def _checkins(context: Context) -> Sql:
    return _rows(
        "FROM members_checkin c WHERE c.member_id = m.id",
        [*_narrowed(context, "calendar", "c.calendar_id"), *_within(context, "c.occurred_at")],
    )


def _days(context: Context) -> Source:
    rows = _checkins(context)
    return Aggregate(compose("(SELECT count(*) {})", rows), compose("EXISTS (SELECT 1 {})", rows))


def _days_turns(leaf: Leaf, context: Context) -> Sql | None:
    return count_turns(_checkins(replace(context, window=None)), "c.occurred_at", counts_of(leaf), context)
