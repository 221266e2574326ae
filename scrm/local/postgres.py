"""An embedded PostgreSQL 18, driven by its own programs."""

import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from scrm.local import directories, processes
from scrm.local.errors import LocalError
from scrm.local.locks import Lock
from scrm.local.logs import explain, open_log
from scrm.local.programs import POSTGRES_MAJOR, postgres_programs

ROLE = "scrm"
DATABASE = "scrm"

# Nothing acknowledged is ever lost: these are PostgreSQL's defaults, spelt out so that nobody turns them off.
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
# A server that is thrown away after the run and may lose everything with the machine.
FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
}
# Limits of the application's role: nothing may hang for ever, or hold others up.
ROLE_SETTINGS = {
    "statement_timeout": "10min",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "5min",
}


class Postgres:
    """One PostgreSQL server and its data directory.

    It listens on a unix socket in a private directory only and asks for a password (SCRAM). The
    application's role owns the database, may create others (tests do) and is no superuser; the superuser has
    no password and so cannot log in. With `durable`, what was committed survives a crash.
    """

    def __init__(
        self,
        directory: Path,
        *,
        password: str | None = None,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
        sockets: Path | None = None,
    ) -> None:
        """Prepare, without starting, a server whose files live in `directory`.

        `password` is the role's (random when left out); `settings` are added to postgresql.conf.
        """
        self.account = processes.unprivileged_account()
        self.wanted = directory.absolute()
        self.password = password or secrets.token_urlsafe(24)
        self.durable = durable
        self.settings = {**(DURABLE if durable else FAST), **(settings or {})}
        self.preferred_sockets = sockets
        self.process: subprocess.Popen[bytes] | None = None
        self.directory = self.wanted
        self.sockets = sockets or self.wanted / "sockets"
        self.lock: Lock | None = None

    @property
    def data(self) -> Path:
        """The cluster's data directory."""
        return self.directory / "data"

    @property
    def url(self) -> str:
        """The address as DATABASE_URL takes it (libpq, psycopg and django-environ all read it)."""
        return f"postgresql://{ROLE}:{quote(self.password)}@/{DATABASE}?host={self.sockets}"

    @property
    def log(self) -> Path:
        """What the server wrote."""
        return self.directory / "postgres.log"

    def start(self, patience: float = 60.0) -> None:
        """Start the server and return once it accepts connections.

        Cleans up after a crash first. Safe against a second start of the same directory. Raises LocalError.
        """
        if self.process is not None and self.process.poll() is None:
            return
        self.directory = directories.place_data(self.wanted, self.account)
        self.lock = Lock(self.directory / "lock")
        self.lock.take(busy=f"another process already runs the PostgreSQL in {self.directory}")
        try:
            self.sockets = directories.place_sockets(self.preferred_sockets or self.directory / "sockets", self.account)
            programs = postgres_programs(self.account)
            self._recover()
            self._make_cluster(programs)
            self._write_configuration()
            self._launch(programs, patience)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut the server down: open transactions are rolled back, everything else is written out."""
        if self.process is not None:
            if self.durable:
                processes.stop(self.process, (signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0))
            else:
                processes.stop(self.process, (signal.SIGQUIT, 10.0))
            self.process = None
        if self.lock is not None:
            self.lock.release()
            self.lock = None
        if self.sockets.parent != self.directory:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would: for tests of recovery."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        if self.lock is not None:
            self.lock.release()
            self.lock = None

    def destroy(self) -> None:
        """Stop the server and delete its files."""
        self.stop()
        for directory in {self.directory, self.wanted}:
            shutil.rmtree(directory, ignore_errors=True)

    def __enter__(self) -> "Postgres":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _recover(self) -> None:
        """Clear away what a killed run left: its processes, and lock files that would bar the start.

        PostgreSQL takes such a file for valid as long as any process, even a zombie, has the number in it.
        """
        processes.reap(self.data, "postgres", signal.SIGINT)
        for stale in (self.data / "postmaster.pid", *self.sockets.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)
        for unfinished in self.directory.glob("data.new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)

    def _make_cluster(self, programs: Path) -> None:
        """Make the data directory if it is missing, whole or not at all; keep the role's password right."""
        version = self.data / "PG_VERSION"
        if version.exists():
            found = version.read_text().strip()
            if found != str(POSTGRES_MAJOR):
                raise LocalError(
                    f"{self.data} was made by PostgreSQL {found}, this is {POSTGRES_MAJOR}: dump and reload"
                )
            if not self._password_is_current():
                self._run_single(programs, self.data, [f"ALTER ROLE {ROLE} PASSWORD '{self.password}';"])
                self._remember_password(self.data)
            return
        unfinished = self.directory / f"data.new-{os.getpid()}"
        self._initialise(programs, unfinished)
        unfinished.rename(self.data)

    def _initialise(self, programs: Path, place: Path) -> None:
        """Make a new cluster in `place`, with the application's role and database."""
        command: list[Path | str] = [
            programs / "initdb", "--pgdata", place, "--username", "postgres", "--encoding", "UTF8",
            "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8",
            "--auth", "scram-sha-256", "--data-checksums", "--no-instructions",
        ]  # fmt: skip
        # initdb insists on a first password for SCRAM; it is taken away again below.
        first = self.directory / f"first-{os.getpid()}"
        first.touch(0o600)
        first.write_text(secrets.token_urlsafe(24))
        processes.own(first, self.account)
        try:
            self._run([*command, "--pwfile", first, *([] if self.durable else ["--no-sync"])])
        finally:
            first.unlink()
        limits = [f"ALTER ROLE {ROLE} SET {name} = '{value}';" for name, value in ROLE_SETTINGS.items()]
        self._run_single(
            programs,
            place,
            [
                "ALTER ROLE postgres PASSWORD NULL;",
                f"CREATE ROLE {ROLE} LOGIN NOSUPERUSER CREATEDB PASSWORD '{self.password}';",
                *limits,
                f"CREATE DATABASE {DATABASE} OWNER {ROLE};",
            ],
        )
        self._remember_password(place)

    def _password_mark(self) -> str:
        return hashlib.sha256(self.password.encode()).hexdigest()

    def _password_is_current(self) -> bool:
        mark = self.data / "scrm.password-mark"
        return mark.exists() and mark.read_text() == self._password_mark()

    def _remember_password(self, place: Path) -> None:
        mark = place / "scrm.password-mark"
        mark.write_text(self._password_mark())
        mark.chmod(0o600)
        processes.own(mark, self.account)

    def _run_single(self, programs: Path, data: Path, statements: list[str]) -> None:
        """Execute SQL without a running server and without a login."""
        command: list[Path | str] = [
            programs / "postgres",
            "--single",
            "-D",
            data,
            "-c",
            "log_min_messages=fatal",
            "postgres",
        ]
        self._run(command, "".join(f"{statement}\n" for statement in statements))

    def _run(self, command: list[Path | str], text: str | None = None) -> None:
        """Run one of the server's programs to its end as the server's user."""
        identity = {}
        if self.account is not None:
            identity = {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}
        done = subprocess.run(
            [str(part) for part in command],
            input=text,
            capture_output=True,
            text=True,
            env=self._environment(),
            cwd="/",
            check=False,
            **identity,  # type: ignore[call-overload]
        )
        if done.returncode != 0 or "ERROR:" in done.stderr:
            reason = explain(done.stderr or done.stdout)
            raise LocalError(f"{Path(str(command[0])).name} failed: {reason}")

    def _environment(self) -> dict[str, str]:
        """A clean environment: PG* variables of the person at the terminal must not leak in."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
        return {**kept, "LC_ALL": "C", "TZ": "UTC"}

    def _write_configuration(self) -> None:
        """Write postgresql.conf and pg_hba.conf anew: this code says how the server runs."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "password_encryption": "scram-sha-256",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "datestyle": "iso, mdy",
            "log_min_messages": "warning",
            "dynamic_shared_memory_type": shared_memory_type(),
            **self.settings,
        }
        configuration = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        for name, text in (
            ("postgresql.conf", "# Written at every start by scrm.local.postgres.\n" + configuration),
            (
                "pg_hba.conf",
                "# Written at every start by scrm.local.postgres.\nlocal all all scram-sha-256\n",
            ),
        ):
            path = self.data / name
            path.write_text(text)
            path.chmod(0o600)
            processes.own(path, self.account)

    def _launch(self, programs: Path, patience: float) -> None:
        """Start the server process and wait for the line in its pid file that says it is ready."""
        with open_log(self.log, self.account) as log:
            start = log.tell()
            self.process = processes.spawn(
                [programs / "postgres", "-D", self.data],
                account=self.account,
                environment=self._environment(),
                directory=Path("/"),
                output=log,
                death_signal=signal.SIGINT if self.durable else signal.SIGQUIT,
            )
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise LocalError(f"PostgreSQL did not start: {explain(self.log, start)}")
            with contextlib.suppress(OSError, IndexError):
                if (self.data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready":
                    return
            time.sleep(0.02)
        raise LocalError(f"PostgreSQL was not ready after {patience:.0f} s; see {self.log}")


def shared_memory_type() -> str:
    """How parallel queries share memory: a container's /dev/shm of 64 MB would be too small."""
    try:
        room = os.statvfs("/dev/shm")  # noqa: S108
    except OSError:
        return "posix"
    return "posix" if room.f_bsize * room.f_blocks >= 256 * 2**20 else "mmap"
