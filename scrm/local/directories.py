"""Where local files live: private, reachable by the server's user, with socket paths that fit."""

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from scrm.local.errors import LocalError
from scrm.local.processes import Account, own

# The kernel's limit for a unix socket's path is 107 bytes; PostgreSQL adds "/.s.PGSQL.5432.lock".
SOCKET_DIRECTORY_LIMIT = 107 - len("/.s.PGSQL.5432.lock")
SHARED_STATE = Path("/var/lib")


def fingerprint(path: Path) -> str:
    """A short name for `path` that differs between checkouts."""
    return hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:12]


def make_private(directory: Path, account: Account | None = None, mode: int = 0o700) -> Path:
    """Make `directory` (and its parents) with `mode`, owned by the server's account when there is one.

    Raises LocalError when it belongs to a stranger: a planted directory in a shared temporary folder.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        status = directory.lstat()
        trusted = {os.geteuid(), account.uid if account else os.geteuid()}
        if directory.is_symlink() or status.st_uid not in trusted:
            raise LocalError(f"{directory} belongs to somebody else; remove it or choose another DATA_DIR")
        own(directory, account)
        directory.chmod(mode)
    except OSError as error:
        raise LocalError(f"cannot use {directory}: {error.strerror}") from error
    return directory


def make_data_directory(directory: Path) -> None:
    """Make DATA_DIR. One that exists keeps its mode: it may be a folder that holds more than ours.

    Root's is one that the servers' user can pass through to its own private folders, but not list.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, exist_ok=True)
    except OSError as error:
        raise LocalError(f"cannot use DATA_DIR {directory}: {error.strerror}") from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise LocalError(f"cannot write to DATA_DIR {directory}")


def temporary_root() -> Path:
    """The folder for short-lived files whose own path is short and plain enough for sockets."""
    chosen = Path(tempfile.gettempdir())
    return chosen if fits_socket(chosen / "scrm-test-12345678" / "sockets") else Path("/tmp")  # noqa: S108


def fits_socket(directory: Path) -> bool:
    """Whether a PostgreSQL socket may live in `directory`: short enough, and no character to be quoted."""
    text = os.fspath(directory)
    return len(os.fsencode(text)) <= SOCKET_DIRECTORY_LIMIT and re.fullmatch(r"[\w./+-]+", text, re.A) is not None


def place_sockets(preferred: Path, account: Account | None) -> Path:
    """A private directory for sockets: `preferred`, or a short one in /tmp named after it."""
    if fits_socket(preferred) and (account is None or account.may_enter(preferred.parent)):
        return make_private(preferred, account)
    return make_private(temporary_root() / f"scrm-{os.geteuid()}-{fingerprint(preferred)}", account)


def place_data(preferred: Path, account: Account | None) -> Path:
    """The directory that a server's files go to: `preferred`, unless its user cannot get there.

    A root user's checkout under /root is closed to the unprivileged server, whose files then live in
    /var/lib/scrm-<hash>, named after the preferred place.
    """
    if account is None or account.may_enter(preferred.parent):
        return make_private(preferred, account)
    return make_private(SHARED_STATE / f"scrm-{fingerprint(preferred)}", account)


def place_programs(root: Path, parts: tuple[str, ...], account: Account | None) -> Path:
    """A folder that holds the trees `parts` of `root` and that `account` can execute from.

    `root` itself whenever it can be reached, else a copy in /var/lib that is made once per installed version.
    """
    if account is None or account.may_enter(root / parts[0]):
        return root
    stamp = hashlib.sha256(repr([(part, (root / part).stat().st_mtime_ns) for part in parts]).encode()).hexdigest()
    place = SHARED_STATE / f"scrm-programs-{fingerprint(root)}-{stamp[:12]}"
    if place.is_dir():
        return place
    unfinished = place.with_name(f"{place.name}.{os.getpid()}")
    try:
        for part in parts:
            shutil.copytree(root / part, unfinished / part, symlinks=True)
        unfinished.rename(place)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not place.is_dir():
            raise LocalError(f"cannot copy the server programs to {place}: {error.strerror}") from error
    return place
