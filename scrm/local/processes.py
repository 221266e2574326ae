"""Child processes: whose they are, how they start, end, and never outlive their parent."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Account:
    """The unprivileged user that servers run as when the machine's user is root."""

    name: str
    uid: int
    gid: int

    def may_enter(self, directory: Path) -> bool:
        """Whether this user can pass through `directory` and all its parents (by mode bits)."""
        for part in (directory, *directory.parents):
            try:
                status = part.stat()
            except FileNotFoundError:
                continue
            bit = 0o100 if status.st_uid == self.uid else 0o010 if status.st_gid == self.gid else 0o001
            if not status.st_mode & bit:
                return False
        return True


def unprivileged_account() -> Account | None:
    """The account that servers drop to: None unless this process is root (PostgreSQL refuses root)."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def own(path: Path, account: Account | None) -> None:
    """Hand `path` to the unprivileged account, when there is one."""
    if account is not None:
        os.chown(path, account.uid, account.gid)


def own_tree(root: Path, account: Account | None) -> None:
    """Hand `root` and everything below it to the unprivileged account, when there is one."""
    if account is None:
        return
    own(root, account)
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            os.chown(os.path.join(folder, name), account.uid, account.gid, follow_symlinks=False)


def die_with_parent(signal_number: int) -> Callable[[], None]:
    """A hook for the forked child: the kernel sends it `signal_number` when its parent ends, however it ends.

    Runs after the change of user, because that change would clear the request. Does nothing outside Linux.
    """
    parent = os.getpid()
    library = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def hook() -> None:
        if library is None:
            return
        library.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:  # the parent ended before the request was made
            os._exit(1)

    return hook


def spawn(
    command: Sequence[str | Path],
    *,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    output: IO[Any] | int | None = None,
    death_signal: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, so that the terminal's Ctrl-C reaches only us.

    When we are killed, the kernel sends it `death_signal`. `output` takes both its streams.
    """
    identity: dict[str, Any] = {}
    if account is not None:
        identity = {"user": account.uid, "group": account.gid, "extra_groups": []}
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=dict(environment) if environment is not None else None,
        cwd=directory,
        start_new_session=True,
        preexec_fn=die_with_parent(death_signal),
        **identity,
    )


def stop(process: subprocess.Popen[bytes], *steps: tuple[int, float]) -> int:
    """End `process` by trying each (signal, seconds to wait) in turn, at last SIGKILL; its exit code."""
    for signal_number, patience in steps:
        if process.poll() is not None:
            break
        process.send_signal(signal_number)
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    if process.poll() is None:
        process.kill()
    return process.wait()


def alive(pid: int) -> bool:
    """Whether a process of this number exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


def living_in(directory: Path, program: str) -> list[int]:
    """Processes named `program` whose working directory is `directory`: what a killed run left behind.

    Reads /proc; elsewhere than on Linux the answer is empty and the servers' own checks have to do.
    """
    found = []
    wanted = os.path.realpath(directory)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd").removesuffix(" (deleted)") != wanted:
                continue
            if (entry / "comm").read_text().strip() == program:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def reap(directory: Path, program: str, gentle_signal: int, patience: float = 10.0) -> int:
    """End every `program` still living in `directory`; how many there were.

    Only to be called by whoever holds the directory's lock: nobody else may rightfully run there.
    """
    left = living_in(directory, program)
    count = len(left)
    for signal_number, wait in ((gentle_signal, patience), (signal.SIGKILL, patience)):
        for pid in left:
            try:
                os.kill(pid, signal_number)
            except ProcessLookupError:
                continue
        until = time.monotonic() + wait
        while left and time.monotonic() < until:
            left = [pid for pid in left if alive(pid)]
            if left:
                time.sleep(0.02)
    return count
