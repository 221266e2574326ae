"""A provider that sends to nobody: what it takes is shown on a page of the console."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection, transaction

from campaigns.channels.base import Account, Channel, Outcome, Outgoing, Result, Session


class SandboxSession(Session):
    def send_many(self, messages: Sequence[Outgoing]) -> list[Outcome]:
        """Take every message once, by its id; committed before this returns, as a remote provider would."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO campaigns_sandboxmessage (member_id, message_id, subject, body)
                SELECT * FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::text[])
                ON CONFLICT (message_id, member_id) DO NOTHING
                """,
                [
                    [message.member_id for message in messages],
                    [message.id for message in messages],
                    [message.subject[:200] for message in messages],
                    [message.text for message in messages],
                ],
            )
        return [Outcome(message.id, Result.HANDED, provider_id=str(message.id)) for message in messages]


class SandboxChannel(Channel):
    deduplicates = True
    batch_size = 1_000

    @contextmanager
    def open(self, account: Account) -> Iterator[Session]:
        yield SandboxSession()
