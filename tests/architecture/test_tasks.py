"""Every task names its queue, and the clock only names tasks that exist."""

from __future__ import annotations

import pytest

from scrm.celery import app
from scrm.common.queues import Queues
from scrm.schedule import BEAT_SCHEDULE

OWN = ("scrm.", "members.", "tags.", "analytics.", "campaigns.")


@pytest.fixture(scope="module")
def tasks() -> dict[str, object]:
    app.loader.import_default_modules()
    return {name: task for name, task in app.tasks.items() if name.startswith(OWN)}


def test_every_task_names_one_of_the_queues(tasks: dict[str, object]) -> None:
    known = {queue.value for queue in Queues}
    assert {name for name, task in tasks.items() if getattr(task, "queue", None) not in known} == set()


def test_the_clock_names_tasks_that_exist(tasks: dict[str, object]) -> None:
    assert {entry["task"] for entry in BEAT_SCHEDULE.values()} - set(tasks) == set()
