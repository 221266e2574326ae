"""What every channel can do: take messages and say, for each, what became of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar
from uuid import UUID

from campaigns.enums import FailReason


class Result(Enum):
    HANDED = "handed"  # the provider has it
    FAILED = "failed"  # the provider will never take it
    LATER = "later"  # the provider provably does not have it and may take it later
    UNKNOWN = "unknown"  # handed over, but the answer was lost


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message filled in for one member. `id` is ours and stays the same when it is handed over again."""

    id: UUID
    member_id: int
    address: str  # empty on a channel that writes to nobody
    subject: str
    text: str
    html: str = ""
    unsubscribe_url: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    id: UUID
    result: Result
    reason: FailReason | None = None
    detail: str = ""
    provider_id: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A configured provider account with its secrets opened."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict)


class Session(ABC):
    """An open connection to a provider, for the messages of one chunk."""

    @abstractmethod
    def send_many(self, messages: Sequence[Outgoing]) -> list[Outcome]:
        """Hand messages over. One outcome per message, in order; never raises for what a provider does."""


class Channel(ABC):
    """A way to hand messages over.

    `deduplicates`: the provider takes a message id once, so handing it over again after a crash is safe.
    `batch_size`: messages between two records of what happened; after a crash at most so many are in doubt.
    """

    deduplicates: ClassVar[bool]
    batch_size: ClassVar[int]

    @contextmanager
    @abstractmethod
    def open(self, account: Account) -> Iterator[Session]:
        """A session. Never raises because the provider cannot be reached: then every outcome is LATER."""
        yield from ()

    def check(self, account: Account) -> str:
        """Try to reach the provider without sending. An empty string, or what is wrong."""
        return ""
