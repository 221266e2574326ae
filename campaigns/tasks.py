"""Thin Celery entry points of campaigns. Every one may be lost or doubled: the sweep finds what is left to do."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from kombu.exceptions import OperationalError

from campaigns.operations import outcomes, preparing, sending
from campaigns.queries import work
from scrm.common import clock
from scrm.common.queues import Queues


@shared_task(queue=Queues.SENDING.value)
def start_due(**_: Any) -> None:
    for campaign_id in work.to_prepare(now=clock.now()):
        prepare.delay(campaign_id=campaign_id)


@shared_task(queue=Queues.SENDING.value)
def prepare(*, campaign_id: int, **_: Any) -> None:
    if preparing.prepare(campaign_id=campaign_id, now=clock.now()):
        announce(campaign_id)


@shared_task(queue=Queues.SENDING.value)
def sweep(**_: Any) -> None:
    announce()
    for campaign_id in work.to_finish():
        outcomes.finish_campaign(campaign_id=campaign_id, now=clock.now())


@shared_task(queue=Queues.SENDING.value)
def send_chunk(*, campaign_id: int, number: int, **_: Any) -> None:
    sending.send_chunk(campaign_id=campaign_id, number=number)


def announce(campaign_id: int | None = None) -> None:
    """A hint per chunk that can be claimed now."""
    for campaign, number in work.claimable(now=clock.now(), campaign_id=campaign_id):
        send_chunk.delay(campaign_id=campaign, number=number)


def hint() -> None:
    """Tell a worker that a person changed something. A lost hint is made good by the clock within seconds."""
    for task in (start_due, sweep):
        try:
            task.apply_async(retry=False)
        except OperationalError:
            return
