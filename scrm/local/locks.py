"""Locks between processes: flock, so that the kernel frees them however their holder ends."""

import fcntl
import os
import time
from pathlib import Path

from scrm.local.errors import LocalError


class Lock:
    """One lock file. Held exclusively or shared; freed by `release` or by the end of the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor: int | None = None

    def take(self, *, shared: bool = False, patience: float | None = 0.0, busy: str | None = None) -> bool:
        """Take the lock, waiting up to `patience` seconds (None: for ever); False when it stayed taken.

        Raises LocalError with the text `busy` instead of answering False, when that is given.
        """
        if self.descriptor is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        if patience is None:
            fcntl.flock(self.descriptor, mode)
            return True
        until = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(self.descriptor, mode | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() >= until:
                    break
                time.sleep(0.05)
        self.release()
        if busy is not None:
            raise LocalError(busy)
        return False

    def release(self) -> None:
        """Let go of the lock; does nothing when it is not held."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def is_taken(self) -> bool:
        """Whether some process (this one included) holds the lock exclusively or shared at this moment."""
        if self.descriptor is not None:
            return True
        if not self.path.exists():
            return False
        if self.take():
            self.release()
            return False
        return True
