"""Using the embedded services of a DATA_DIR: started if they do not run, shared if they do."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from scrm.local.directories import make_data_directory, make_private
from scrm.local.environment import ROOT, SERVICE_VARIABLES
from scrm.local.errors import LocalError
from scrm.local.keeper import READY
from scrm.local.locks import Lock
from scrm.local.logs import open_log

START_SECONDS = 180.0
STOP_SECONDS = 60.0
# Keepers outlive the one that started them as long as others use them; kept to learn of their end in time.
STARTED_KEEPERS: list[subprocess.Popen[bytes]] = []


class Services:
    """One process's use of the services in `data_dir`; they stay up until the last user has let go."""

    def __init__(self, data_dir: Path, names: list[str], *, generous: bool = False) -> None:
        """`names` are those of "postgres" and "valkey" that are needed; `generous` tunes for benchmarks."""
        self.data_dir = data_dir
        self.names = names
        self.generous = generous
        self.users = Lock(data_dir / "locks" / "users")
        self.keeper = Lock(data_dir / "locks" / "keeper")
        self.gate = Lock(data_dir / "locks" / "start")

    def acquire(self) -> dict[str, str]:
        """Make sure the services run, and return their addresses as DATABASE_URL and REDIS_URL.

        Returns at once when they run already. Raises LocalError with the reason when they cannot start.
        """
        make_data_directory(self.data_dir)
        for folder in ("locks", "state", "logs", "secrets"):
            make_private(self.data_dir / folder)
        if not self.names:
            return {}
        # Waits for a keeper that is just shutting down.
        self.users.take(
            shared=True, patience=STOP_SECONDS, busy=f"the services in {self.data_dir} do not stop; try again"
        )
        self.gate.take(patience=START_SECONDS, busy=f"another process is starting the services in {self.data_dir}")
        try:
            if not self.keeper.is_taken():
                self._start_keeper()
            addresses: dict[str, str] = json.loads(self._state().read_text())["addresses"]
        except FileNotFoundError as error:
            raise LocalError(f"the services in {self.data_dir} ended; see {self._log()}") from error
        finally:
            self.gate.release()
        missing = [name for name in self.names if SERVICE_VARIABLES[name] not in addresses]
        if missing:
            raise LocalError(f"the running services lack {missing[0]}: stop the other `make run` first")
        return {SERVICE_VARIABLES[name]: addresses[SERVICE_VARIABLES[name]] for name in self.names}

    def release(self) -> None:
        """Let go; when nobody else uses the services, return after they have stopped."""
        if self.users.descriptor is None:
            return
        self.users.release()
        until = time.monotonic() + STOP_SECONDS
        while self.keeper.is_taken() and time.monotonic() < until:
            if self._used_by_others():
                return
            time.sleep(0.05)
        for keeper in STARTED_KEEPERS:
            keeper.poll()

    def _used_by_others(self) -> bool:
        """Whether somebody else holds a share: then a share can be had, but not the whole lock."""
        probe = Lock(self.users.path)
        try:
            return not probe.take() and probe.take(shared=True)
        finally:
            probe.release()

    def become(self, command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
        """Replace this process by `command`, which from then on is the user: the services end after it."""
        if self.users.descriptor is not None:
            os.set_inheritable(self.users.descriptor, True)
        sys.stdout.flush()
        os.chdir(ROOT)
        os.execve(command[0], list(command), dict(environment))  # noqa: S606

    def running(self) -> bool:
        """Whether a keeper runs."""
        return self.keeper.is_taken()

    def _state(self) -> Path:
        return self.data_dir / "state" / "services.json"

    def _log(self) -> Path:
        return self.data_dir / "logs" / "keeper.log"

    def _start_keeper(self) -> None:
        """Start the keeper apart from our terminal and wait for its word."""
        self._state().unlink(missing_ok=True)
        with open_log(self._log()) as log:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "scrm.local.keeper", str(self.data_dir), *self.names]
                + (["--generous"] if self.generous else []),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                start_new_session=True,
            )
        assert keeper.stdout is not None  # noqa: S101
        STARTED_KEEPERS.append(keeper)
        answer = keeper.stdout.readline().decode().strip()
        keeper.stdout.close()
        if answer != READY:
            keeper.wait()
            raise LocalError(answer or f"the services did not start; see {self._log()}")
