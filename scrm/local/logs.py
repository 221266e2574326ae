"""Logs of local processes: opened without growing for ever, and read for the reason of a failure."""

import os
from pathlib import Path
from typing import IO

from scrm.local.processes import Account, own

LARGEST_LOG = 10 * 2**20


def open_log(path: Path, account: Account | None = None) -> IO[bytes]:
    """Open a log for appending; one that has grown large is set aside as `.1` first."""
    if path.exists() and path.stat().st_size > LARGEST_LOG:
        path.replace(path.with_name(path.name + ".1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    own(path, account)
    return os.fdopen(descriptor, "ab")


def explain(source: Path | str, start: int = 0) -> str:
    """The reason for a failure, in one line, from a server's output or its log file after byte `start`."""
    if isinstance(source, Path):
        with source.open("rb") as log:
            log.seek(start)
            text = log.read().decode(errors="replace")
    else:
        text = source
    if "No space left on device" in text:
        return "the disk is full"
    if "Address already in use" in text:
        return "its address is already in use"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for mark in ("PANIC:", "FATAL:", "ERROR:", "error:", "# "):
        for line in reversed(lines):
            if mark in line:
                return line[line.index(mark) :].removeprefix(mark).strip()
    return lines[-1] if lines else "it gave no reason"
