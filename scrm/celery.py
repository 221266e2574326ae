"""The Celery application and its queues.

The broker is a hint and Postgres is the truth: a sweep finds a lost task again, a repeated one changes nothing.
"""

from __future__ import annotations

import os

from celery import Celery
from kombu import Queue  # type: ignore[attr-defined]  # it is loaded lazily

from scrm.common.queues import Queues
from scrm.schedule import BEAT_SCHEDULE

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings.production")

app = Celery("scrm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=False,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_time_limit=540,  # under the visibility timeout, so that a task is never running twice
    task_soft_time_limit=500,
    task_queues=[Queue(queue.value) for queue in Queues],  # type: ignore[no-untyped-call]  # the library is untyped
    task_default_queue=Queues.DEFAULT.value,
    task_create_missing_queues=False,
    worker_prefetch_multiplier=1,
    worker_soft_shutdown_timeout=10.0,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    # With the library's defaults redelivery after kill -9 takes minutes and a half-open connection hangs for good.
    broker_transport_options={
        "visibility_timeout": 600,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 10,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 5,
    },
    timezone="UTC",
    beat_schedule=BEAT_SCHEDULE,
)
app.autodiscover_tasks(["scrm.common", "members", "tags", "analytics", "campaigns"])
