"""Sending a chunk: claim, fill in, hand over, record. Each of the four can be the last thing a worker does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from campaigns.channels import channel
from campaigns.channels.base import Outcome, Outgoing, Result
from campaigns.enums import FailReason, MessageState, MissingValue, SkipReason, UnknownReason
from campaigns.models import ShortLink
from campaigns.operations import campaigns, claims, outcomes
from campaigns.operations.claims import Claimed
from campaigns.operations.outcomes import Row
from campaigns.queries import accounts, contents
from campaigns.rules.rendering import RenderProblem
from members.queries import contacts
from members.queries.consents import ADDRESS_KINDS
from scrm.common import clock
from scrm.common.errors import DomainError

# A slow provider gets the rest of a chunk in another task: well under the time limit of one.
LONGEST = timedelta(seconds=300)


def send_chunk(*, campaign_id: int, number: int, tick: Callable[[], datetime] = clock.now) -> int:
    """Send the messages of one chunk; how many were claimed. `tick` tells the time at each step.

    Not one transaction but several: the claim commits before the first hand-over, and every batch is recorded when
    it has been handed over. Safe to call at any time, twice at once, and after a crash at any point.
    """
    started = tick()
    try:
        claimed = claims.claim(campaign_id=campaign_id, number=number, now=started)
    except DomainError as error:  # the segment cannot be read any more: a person has to look
        campaigns.hold(campaign_id=campaign_id, error=error)
        return 0
    if claimed is None:
        outcomes.finish_campaign(campaign_id=campaign_id, now=started)
        return 0
    _send(claimed, started, tick)
    outcomes.finish(
        campaign_id=campaign_id, number=number, lease=claimed.lease, hold_until=claimed.hold_until, now=tick()
    )
    outcomes.finish_campaign(campaign_id=campaign_id, now=tick())
    return len(claimed.messages)


def _send(claimed: Claimed, started: datetime, tick: Callable[[], datetime]) -> None:
    kind = channel(claimed.campaign.channel)
    outgoing, unfit = _fill_in(claimed)
    members = {message_id: recipient.member_id for message_id, recipient in claimed.messages}

    def record(rows: Sequence[Row]) -> bool:
        return outcomes.record(
            campaign_id=claimed.campaign.pk, number=claimed.number, lease=claimed.lease, rows=rows, now=tick()
        )

    def begin(batch: Sequence[Outgoing]) -> bool:
        return outcomes.begin(
            campaign_id=claimed.campaign.pk,
            number=claimed.number,
            lease=claimed.lease,
            message_ids=[message.id for message in batch],
            now=tick(),
        )

    going_on = not unfit or record(unfit)
    rest = outgoing
    with kind.open(accounts.opened(claimed.campaign.account)) as session:
        for batch in _batches(outgoing, kind.batch_size):
            if not going_on or tick() - started > LONGEST:
                break
            if not kind.deduplicates and not begin(batch):
                break
            going_on = record([_row(outcome, members[outcome.id]) for outcome in session.send_many(batch)])
            rest = rest[len(batch) :]
    if rest:  # not tried: nobody has them, anybody may claim them again
        record([Row(message.id, message.member_id, MessageState.PENDING, attempted=False) for message in rest])


def _fill_in(claimed: Claimed) -> tuple[list[Outgoing], list[Row]]:
    """The messages as they go out, and the outcomes of those that cannot."""
    campaign = claimed.campaign
    content = contents.parse(subject=campaign.subject, body=campaign.body)
    renderer = contents.renderer(content)
    skip_missing = campaign.missing_value == MissingValue.SKIP
    link_count = ShortLink.objects.filter(campaign_id=campaign.pk).count()
    kind = ADDRESS_KINDS.get(campaign.channel)
    addresses = contacts.addresses(member_ids=[r.member_id for _, r in claimed.messages], kind=kind) if kind else {}
    outgoing: list[Outgoing] = []
    unfit: list[Row] = []
    for message_id, recipient in claimed.messages:
        signed = contents.addresses(message_id, recipient.member_id, link_count)
        values = {
            **contents.values(recipient),
            "unsubscribe_url": signed.unsubscribe_url,
            "open_url": signed.open_url,
        }
        if kind and recipient.member_id not in addresses:  # gone since the claim read it
            unfit.append(Row(message_id, recipient.member_id, MessageState.SKIPPED, SkipReason.NO_ADDRESS))
        elif skip_missing and (missing := renderer.missing(values)):
            detail = ", ".join(missing)
            unfit.append(Row(message_id, recipient.member_id, MessageState.SKIPPED, SkipReason.MISSING_VALUE, detail))
        else:
            try:
                rendered = renderer.render(values, links=signed.links)
            except RenderProblem as problem:
                unfit.append(
                    Row(message_id, recipient.member_id, MessageState.FAILED, FailReason.TEMPLATE, str(problem))
                )
                continue
            outgoing.append(
                Outgoing(
                    id=message_id,
                    member_id=recipient.member_id,
                    address=addresses.get(recipient.member_id, ""),
                    subject=rendered.subject,
                    text=rendered.text,
                    html=rendered.html,
                    unsubscribe_url=signed.unsubscribe_url,
                )
            )
    return outgoing, unfit


def _batches(messages: Sequence[Outgoing], size: int) -> Iterator[Sequence[Outgoing]]:
    for start in range(0, len(messages), size):
        yield messages[start : start + size]


_STATES = {
    Result.HANDED: MessageState.HANDED,
    Result.FAILED: MessageState.FAILED,
    Result.LATER: MessageState.PENDING,
    Result.UNKNOWN: MessageState.UNKNOWN,
}


def _row(outcome: Outcome, member_id: int) -> Row:
    reason = outcome.reason.value if outcome.reason else ""
    if outcome.result is Result.UNKNOWN:
        reason = UnknownReason.LOST.value
    elif outcome.result is Result.FAILED and not reason:
        reason = FailReason.REFUSED.value
    return Row(outcome.id, member_id, _STATES[outcome.result], reason, outcome.detail, outcome.provider_id)
