"""The work queues. Every task names one; a test fails on a task that does not."""

from __future__ import annotations

from enum import StrEnum


class Queues(StrEnum):
    """Told apart by what may not wait for what: a long recomputation never delays a message that is due."""

    DEFAULT = "default"
    SENDING = "sending"
    COMPUTE = "compute"
    IMPORTS = "imports"
