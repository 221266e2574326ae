"""Keeps SCRM's own processes (web, worker, beat) running until it is told to stop."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scrm.local import processes
from scrm.local.environment import ROOT
from scrm.local.errors import LocalError
from scrm.local.logs import explain, open_log

LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0


class Child:
    """One process to keep running, with its log and its history of restarts."""

    def __init__(self, name: str, command: Sequence[str | Path], directory: Path) -> None:
        self.name = name
        self.command = command
        self.log = directory / "logs" / f"{name}.log"
        self.note = directory / "state" / f"{name}.pid"
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.log_start = 0
        self.pause = 1.0
        self.due = 0.0

    def start(self, environment: Mapping[str, str]) -> None:
        """Start the process and note its number, so that a later run finds it should we be killed."""
        with open_log(self.log) as log:
            self.log_start = log.tell()
            self.process = processes.spawn(self.command, environment=environment, directory=ROOT, output=log)
        self.started = time.monotonic()
        self.note.write_text(f"{self.process.pid} {start_time(self.process.pid)}")

    def reason(self) -> str:
        """Why the process ended, in one line."""
        code = self.process.returncode if self.process else None
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return f"{how}: {explain(self.log, self.log_start)}"

    def stop(self, patience: float) -> None:
        """Ask the process to finish what it does; then end it and whatever it started."""
        if self.process is None:
            return
        processes.stop(self.process, (signal.SIGTERM, patience))
        end_group(self.process.pid)
        self.process = None
        self.note.unlink(missing_ok=True)

    def reap(self) -> None:
        """End the process of an earlier run that was killed."""
        if not self.note.exists():
            return
        with contextlib.suppress(ValueError):
            pid, started = (int(part) for part in self.note.read_text().split())
            # The number may be somebody else's by now; a group whose first process is gone is still ours.
            if start_time(pid) in (0, started):
                for number in (signal.SIGTERM, signal.SIGKILL):
                    end_group(pid, number)
                    until = time.monotonic() + 10
                    while group_members(pid) and time.monotonic() < until:
                        time.sleep(0.05)
        self.note.unlink(missing_ok=True)


def start_time(pid: int) -> int:
    """When a process started, in the kernel's ticks; 0 when there is no such process (or no /proc).

    Together with its number it names a process for good: numbers are used again.
    """
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def end_group(pid: int, number: int = signal.SIGKILL) -> None:
    """Signal a process we started together with everything that it started in its session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def group_members(group: int) -> list[int]:
    """The living processes of a group (on Linux; elsewhere nobody is found)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            state, _, member_of = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            if member_of == str(group) and state != "Z":
                found.append(int(entry.name))
    return found


class Supervisor:
    """Starts children, starts those again that die, and stops them all."""

    def __init__(self, children: Sequence[Child], environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        self.children = children
        self.environment = environment
        self.say = say

    def start(self) -> None:
        """Start every child."""
        for child in self.children:
            child.start(self.environment)

    def wait_until(self, ready: Callable[[], bool], *, patience: float) -> None:
        """Return when `ready` says so. Raises LocalError when a child dies first or time runs out."""
        until = time.monotonic() + patience
        while not ready():
            for child in self.children:
                if child.process is not None and child.process.poll() is not None:
                    raise LocalError(f"{child.name} did not start ({child.reason()}); see {child.log}")
            if time.monotonic() > until:
                raise LocalError(f"SCRM did not answer within {patience:.0f} s; see {self.children[0].log}")
            time.sleep(0.1)

    def check(self) -> None:
        """Look after the children once: tell about one that died, and start it again after a pause."""
        now = time.monotonic()
        for child in self.children:
            if child.process is None:
                if now >= child.due:
                    child.start(self.environment)
            elif child.process.poll() is not None:
                steady = now - child.started > STEADY_SECONDS
                child.pause = 1.0 if steady else min(child.pause * 2, LONGEST_PAUSE)
                self.say(f"{child.name} ended ({child.reason()}); starting it again; see {child.log}")
                end_group(child.process.pid)
                child.process = None
                child.due = now + child.pause

    def stop(self, patience: float = 15.0) -> None:
        """Stop every child: all are asked first, so that they finish side by side."""
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        for child in self.children:
            child.stop(patience)
