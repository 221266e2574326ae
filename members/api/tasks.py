"""The API of tasks: what members do for a reward, and how far each is."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from members.api.managed import ManagedView
from members.enums import TaskClaim, TaskKind, TaskMeasure, TaskState, TaskWindow
from members.models import Task, TaskCompletion, TaskFact
from members.operations import task_definitions
from members.operations import tasks as operations
from members.operations.task_definitions import Content
from members.queries import profiles, task_funnels, task_previews, tasks
from members.queries.task_words import Words
from scrm.api.views import ApiView, valid
from scrm.common import clock
from scrm.common.access import Permission

_LARGEST = 10**12


class TaskContentSerializer(serializers.Serializer[Any]):
    """What a task says. `counting` by kind: event {types, where}, order {sources, stores, channels, categories,
    products, minimum}, profile {fields}, checkin {calendar}; money in minor units.
    """

    name = serializers.CharField(max_length=40)
    description = serializers.CharField(max_length=200, allow_blank=True, default="")
    icon = serializers.CharField(max_length=32, allow_blank=True, default="")
    position = serializers.IntegerField(min_value=0, max_value=10_000, default=0)
    kind = serializers.ChoiceField(choices=TaskKind.choices)
    counting = serializers.DictField()
    measure = serializers.ChoiceField(choices=TaskMeasure.choices, default=TaskMeasure.COUNT.value)
    needed = serializers.IntegerField(min_value=1, max_value=_LARGEST, default=1)
    window = serializers.ChoiceField(choices=TaskWindow.choices, default=TaskWindow.WHOLE.value)
    window_days = serializers.IntegerField(min_value=0, max_value=366, default=0)
    starts_at = serializers.DateTimeField(allow_null=True, default=None)
    ends_at = serializers.DateTimeField(allow_null=True, default=None)
    times = serializers.IntegerField(min_value=0, max_value=1_000, default=1)
    counts_earlier = serializers.BooleanField(default=False)
    who = serializers.DictField(allow_null=True, default=None)
    rewards = serializers.ListField(child=serializers.DictField(), max_length=10, default=list)
    claim = serializers.ChoiceField(choices=TaskClaim.choices, default=TaskClaim.AUTOMATIC.value)
    stock = serializers.IntegerField(min_value=0, max_value=10**9, allow_null=True, default=None)
    after = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**31 - 1), max_length=10, default=list
    )


class TaskInSerializer(TaskContentSerializer):
    key = serializers.RegexField(r"^[a-z0-9][a-z0-9_-]{0,31}\Z")


class TaskChangeSerializer(TaskContentSerializer):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class TaskSerializer(TaskContentSerializer):
    id = serializers.IntegerField()
    key = serializers.CharField()
    state = serializers.ChoiceField(choices=TaskState.choices)
    version = serializers.IntegerField()
    sentence = serializers.CharField()


class TaskListSerializer(serializers.Serializer[Any]):
    items = TaskSerializer(many=True)


class TaskStateSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=[TaskState.ACTIVE.value, TaskState.PAUSED.value, TaskState.ENDED.value])


class PreviewSerializer(serializers.Serializer[Any]):
    started = serializers.IntegerField()
    done = serializers.IntegerField()
    completions = serializers.IntegerField()
    exact = serializers.BooleanField()


class FunnelSerializer(serializers.Serializer[Any]):
    started = serializers.IntegerField()
    done = serializers.IntegerField()
    rewarded = serializers.IntegerField()
    completions = serializers.IntegerField()
    rewarded_completions = serializers.IntegerField()
    cost = serializers.IntegerField(help_text="Minor units.")
    counted_at = serializers.DateTimeField(help_text="Now, or when the task was last counted if many have begun it.")


class MemberTaskSerializer(serializers.Serializer[Any]):
    """One task of a member. `unlocked_by` names what has to be done first; `fits`: the task is for this member."""

    task = serializers.IntegerField()
    key = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    icon = serializers.CharField()
    standing = serializers.ChoiceField(choices=[one.value for one in tasks.Standing])
    value = serializers.IntegerField()
    needed = serializers.IntegerField()
    progress = serializers.CharField()
    ends_at = serializers.DateTimeField(allow_null=True)
    rewards = serializers.ListField(child=serializers.CharField())
    unlocked_by = serializers.ListField(child=serializers.CharField())
    times_done = serializers.IntegerField()
    done_at = serializers.DateTimeField(allow_null=True)
    fits = serializers.BooleanField()
    out_of_stock = serializers.BooleanField()


class MemberTaskListSerializer(serializers.Serializer[Any]):
    items = MemberTaskSerializer(many=True)


class CompletionSerializer(serializers.ModelSerializer[TaskCompletion]):
    class Meta:
        model = TaskCompletion
        fields = (
            "cycle", "round", "version", "completed_at", "rewarded_at", "claimed_at", "out_of_stock", "undone_at",
        )  # fmt: skip


class FactSerializer(serializers.ModelSerializer[TaskFact]):
    class Meta:
        model = TaskFact
        fields = ("fact", "at", "amount")


class CycleSerializer(serializers.Serializer[Any]):
    cycle = serializers.CharField()
    value = serializers.IntegerField()
    progress = serializers.CharField()
    facts = FactSerializer(many=True)
    completion = CompletionSerializer(allow_null=True)


class CycleListSerializer(serializers.Serializer[Any]):
    items = CycleSerializer(many=True)


def _shown(task: Task, words: Words) -> dict[str, Any]:
    return {
        **asdict(task_definitions.of(task)),
        "id": task.pk,
        "key": task.key,
        "state": task.state,
        "version": task.version,
        "sentence": words.sentence(task),
    }


class TaskListView(ManagedView):
    """Tasks, in the order of the members' map."""

    @extend_schema(operation_id="tasks_list", responses=TaskListSerializer)
    def get(self, request: Request) -> Response:
        words = Words()
        shown = [_shown(task, words) for task in tasks.listed()]
        return Response({"items": TaskSerializer(shown, many=True).data})

    @extend_schema(operation_id="tasks_create", request=TaskInSerializer, responses={201: TaskSerializer})
    def post(self, request: Request) -> Response:
        """Make a draft: nothing counts until it is started."""
        values = valid(TaskInSerializer(data=request.data))
        made = operations.create(key=values.pop("key"), content=Content(**values), now=clock.now())
        return Response(TaskSerializer(_shown(made, Words())).data, status=201)


class TaskView(ManagedView):
    """One task. Once it was started, what counts stays as it is."""

    @extend_schema(operation_id="tasks_retrieve", responses=TaskSerializer)
    def get(self, request: Request, task_id: int) -> Response:
        return Response(TaskSerializer(_shown(tasks.get(task_id), Words())).data)

    @extend_schema(operation_id="tasks_update", request=TaskChangeSerializer, responses=TaskSerializer)
    def put(self, request: Request, task_id: int) -> Response:
        """`version` is the one that was read; 409 `changed_meanwhile` when it is not the present one."""
        values = valid(TaskChangeSerializer(data=request.data))
        version = values.pop("version")
        changed = operations.change(task_id=task_id, version=version, content=Content(**values), now=clock.now())
        return Response(TaskSerializer(_shown(changed, Words())).data)

    @extend_schema(operation_id="tasks_destroy", responses={204: None})
    def delete(self, request: Request, task_id: int) -> Response:
        """Remove a draft that unlocks no other."""
        operations.delete(task_id=task_id)
        return Response(status=204)


class TaskStateView(ManagedView):
    """Start, pause or end a task."""

    @extend_schema(operation_id="tasks_state", request=TaskStateSerializer, responses=TaskSerializer)
    def post(self, request: Request, task_id: int) -> Response:
        given = valid(TaskStateSerializer(data=request.data))
        act = {"active": operations.start, "paused": operations.pause, "ended": operations.end}
        task = act[given["state"]](task_id=task_id, now=clock.now())
        return Response(TaskSerializer(_shown(task, Words())).data)


class TaskPreviewView(ManagedView):
    """How many members would have done a task over the last 30 days."""

    @extend_schema(operation_id="tasks_preview", request=TaskContentSerializer, responses=PreviewSerializer)
    def post(self, request: Request) -> Response:
        content = replace(Content(**valid(TaskContentSerializer(data=request.data))), after=[])
        found = task_previews.preview(Task(**task_definitions.checked(content)), now=clock.now())
        return Response(PreviewSerializer(found).data)


class TaskFunnelView(ManagedView):
    """How many members have begun a task, done it, and had its reward."""

    @extend_schema(operation_id="tasks_funnel", responses=FunnelSerializer)
    def get(self, request: Request, task_id: int) -> Response:
        return Response(FunnelSerializer(task_funnels.of(tasks.get(task_id).pk)).data)


_OF_STEP = (
    "standing", "value", "progress", "ends_at", "rewards", "unlocked_by", "times_done", "done_at", "fits",
    "out_of_stock",
)  # fmt: skip


class MemberTasksView(ApiView):
    """A member's map: open, locked, done and claimable tasks."""

    permission = Permission.LOYALTY_VIEW

    @extend_schema(operation_id="member_tasks_list", responses=MemberTaskListSerializer)
    def get(self, request: Request, member_id: int) -> Response:
        member = profiles.get(member_id=member_id, actor=self.actor)
        steps = tasks.for_member(member_id=member.pk, now=clock.now())
        items = [
            {
                **{name: getattr(step, name) for name in _OF_STEP},
                "task": step.task.pk,
                "key": step.task.key,
                "name": step.task.name,
                "description": step.task.description,
                "icon": step.task.icon,
                "needed": step.task.needed,
            }
            for step in steps
        ]
        return Response({"items": MemberTaskSerializer(items, many=True).data})


class MemberTaskView(ApiView):
    """Which facts counted for a member's task, the newest cycle first."""

    permission = Permission.LOYALTY_VIEW

    @extend_schema(operation_id="member_tasks_explain", responses=CycleListSerializer)
    def get(self, request: Request, member_id: int, task_id: int) -> Response:
        member = profiles.get(member_id=member_id, actor=self.actor)
        return Response({"items": CycleSerializer(tasks.explain(member_id=member.pk, task_id=task_id), many=True).data})


class MemberTaskClaimView(ApiView):
    """Give a member the reward of a task that they have done. Claimed twice it is given once."""

    permission = Permission.POINTS_WRITE

    @extend_schema(operation_id="member_tasks_claim", request=None, responses=CompletionSerializer)
    def post(self, request: Request, member_id: int, task_id: int) -> Response:
        member = profiles.get(member_id=member_id, actor=self.actor)
        done = operations.claim(member_id=member.pk, task_id=task_id, now=clock.now())
        return Response(CompletionSerializer(done).data)
