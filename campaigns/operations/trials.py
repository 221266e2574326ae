"""Test sends: one message, to oneself, that no figure ever counts."""

from __future__ import annotations

import dataclasses
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from campaigns.channels import channel
from campaigns.channels.base import Result
from campaigns.enums import ChannelKind
from campaigns.queries import accounts, previews
from scrm.common import audit
from scrm.common.errors import DomainError, Invalid, NotFound
from scrm.common.transactions import atomic


class NotSent(DomainError):
    """The provider did not take the test message; the message says why."""

    code = "not_sent"
    status = 422


def send(*, campaign_id: int, account_id: int, subject: str, body: str, member_id: int, address: str = "") -> None:
    """Send the message, filled in for a real member, to `address`; on the sandbox to the member's place there.

    Raises `Invalid`, `NotFound` (the member), `NotSent` (the provider refused).
    """
    account = accounts.get(account_id)
    if account.channel == ChannelKind.EMAIL:
        try:
            validate_email(address)
        except ValidationError as error:
            raise Invalid(_("Not an e-mail address."), field="address") from error
    made = previews.compose(subject=subject, body=body, member_id=member_id, address=address)
    if made is None:
        raise NotFound("member")
    outgoing = dataclasses.replace(made[0], id=uuid4(), subject=_("[Test] %(subject)s") % {"subject": made[0].subject})
    with channel(account.channel).open(accounts.opened(account)) as session:
        (outcome,) = session.send_many([outgoing])
    with atomic():
        audit.record(
            action="test_send",
            object_type="campaigns_campaign",
            object_id=campaign_id,
            detail={"account": account.name, "result": outcome.result.value},
        )
    if outcome.result is not Result.HANDED:
        raise NotSent(_("The test message was not taken: %(detail)s") % {"detail": outcome.detail})
