"""An embedded Valkey (the Redis protocol): the broker of Celery and the cache."""

import contextlib
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from scrm.local import directories, processes
from scrm.local.errors import LocalError
from scrm.local.locks import Lock
from scrm.local.logs import explain, open_log
from scrm.local.programs import valkey_program

HOST = "127.0.0.1"


class Valkey:
    """One Valkey server, on loopback with a password.

    It never evicts (a queue would lose work) and, with `durable`, appends every write to a file that is
    synced once a second.
    """

    def __init__(
        self,
        directory: Path,
        *,
        password: str | None = None,
        durable: bool = True,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare, without starting, a server whose files live in `directory`.

        `port` None keeps the port of the last run when it is still free and otherwise takes a free one.
        """
        self.account = processes.unprivileged_account()
        self.wanted = directory.absolute()
        self.directory = self.wanted
        self.password = password or secrets.token_urlsafe(24)
        self.durable = durable
        self.port = port or 0
        self.fixed_port = port
        self.settings = dict(settings or {})
        self.process: subprocess.Popen[bytes] | None = None
        self.lock: Lock | None = None

    @property
    def url(self) -> str:
        """The address as REDIS_URL takes it."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    @property
    def log(self) -> Path:
        """What the server wrote."""
        return self.directory / "valkey.log"

    def start(self, patience: float = 30.0) -> None:
        """Start the server and return once it answers; recovers after a crash. Raises LocalError."""
        if self.process is not None and self.process.poll() is None:
            return
        self.directory = directories.place_data(self.wanted, self.account)
        self.lock = Lock(self.directory / "lock")
        self.lock.take(busy=f"another process already runs the Valkey in {self.directory}")
        try:
            processes.reap(self.directory, "valkey-server", signal.SIGTERM)
            program = valkey_program(self.account)
            # A port found free can be taken by somebody else before the server binds it.
            for attempt in range(5):
                self.port = self._choose_port(fresh=attempt > 0)
                if self._launch(program, patience, last=self.fixed_port is not None or attempt == 4):
                    return
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut the server down after it has written everything."""
        if self.process is not None:
            processes.stop(self.process, (signal.SIGTERM if self.durable else signal.SIGKILL, 15.0))
            self.process = None
        if self.lock is not None:
            self.lock.release()
            self.lock = None

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would: for tests of recovery."""
        if self.process is not None:
            self.process.kill()
        self.stop()

    def destroy(self) -> None:
        """Stop the server and delete its files."""
        self.stop()
        for directory in {self.directory, self.wanted}:
            shutil.rmtree(directory, ignore_errors=True)

    def __enter__(self) -> "Valkey":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _choose_port(self, *, fresh: bool) -> int:
        """The fixed port, or the last run's while it is free, or any free one, remembered for next time."""
        if self.fixed_port is not None:
            return self.fixed_port
        memory = self.directory / "port"
        if not fresh and memory.exists() and (known := memory.read_text().strip()).isdigit() and is_free(int(known)):
            return int(known)
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        memory.write_text(str(port))
        return port

    def _write_configuration(self) -> Path:
        """Write valkey.conf anew; it holds the password and so is private."""
        settings = {
            "bind": HOST,
            "port": str(self.port),
            "protected-mode": "yes",
            "requirepass": self.password,
            "daemonize": "no",
            "dir": f'"{self.directory}"',
            "logfile": '""',
            "save": '""',
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "timeout": "0",
            "tcp-keepalive": "60",
            **self.settings,
        }
        path = self.directory / "valkey.conf"
        path.touch(0o600)
        path.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        processes.own(path, self.account)
        return path

    def _launch(self, program: Path, patience: float, *, last: bool) -> bool:
        """Start the process and wait for its answer; False when its port was taken, to try another."""
        configuration = self._write_configuration()
        with open_log(self.log, self.account) as log:
            start = log.tell()
            self.process = processes.spawn(
                [program, configuration],
                account=self.account,
                directory=Path("/"),
                output=log,
                death_signal=signal.SIGTERM if self.durable else signal.SIGKILL,
            )
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if self.process.poll() is not None:
                reason = explain(self.log, start)
                if reason == "its address is already in use":
                    if not last:
                        return False
                    raise LocalError(f"Valkey did not start: port {self.port} is already in use")
                raise LocalError(f"Valkey did not start: {reason}")
            if self._answers():
                return True
            time.sleep(0.02)
        raise LocalError(f"Valkey was not ready after {patience:.0f} s; see {self.log}")

    def _answers(self) -> bool:
        """Whether the server takes our password and has loaded its data."""
        with (
            contextlib.suppress(OSError),
            socket.create_connection((HOST, self.port), timeout=1) as connection,
        ):
            connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2 and (part := connection.recv(256)):
                answer += part
            return answer == b"+OK\r\n+PONG\r\n"
        return False


def is_free(port: int) -> bool:
    """Whether nobody listens on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
