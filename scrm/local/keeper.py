"""The process that owns the embedded services for as long as anybody uses them.

Every user (a `make run`, a `make manage`) holds a shared lock on one file; the keeper stops the services and
ends when it can take that lock for itself. The kernel frees a lock however its holder ends, so that neither a
kill -9 nor a crash of a user leaves a server running, and none is stopped under somebody's feet.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from scrm.local.errors import LocalError
from scrm.local.locks import Lock
from scrm.local.postgres import Postgres
from scrm.local.secrets import Secrets
from scrm.local.tuning import server_settings
from scrm.local.valkey import Valkey

READY = "ready"
POLL_SECONDS = 0.1
MOST_RESTARTS = 5


class Keeper:
    """Starts the services of one DATA_DIR, again when they die, and stops them when nobody is left."""

    def __init__(self, data_dir: Path, names: list[str], *, generous: bool) -> None:
        self.state = data_dir / "state" / "services.json"
        self.own = Lock(data_dir / "locks" / "keeper")
        self.users = Lock(data_dir / "locks" / "users")
        secrets = Secrets(data_dir)
        self.services: dict[str, Postgres | Valkey] = {}
        if "postgres" in names:
            self.services["postgres"] = Postgres(
                data_dir / "postgres",
                password=secrets["postgres_password"],
                settings=server_settings(generous=generous),
                sockets=data_dir / "sockets",
            )
        if "valkey" in names:
            self.services["valkey"] = Valkey(data_dir / "valkey", password=secrets["valkey_password"])
        self.restarts: list[float] = []
        self.told_to_end = False

    def keep(self) -> None:
        """Run until the last user is gone. Prints one line first: "ready", or why not."""
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self.own.take(patience=5.0, busy="the services are already being started")
            for service in self.services.values():
                service.start()
            self._publish()
            report(READY)
            self._watch()
        except LocalError as error:
            report(str(error))
        finally:
            self.state.unlink(missing_ok=True)
            for service in reversed(self.services.values()):
                service.stop()
            self.own.release()
            self.users.release()

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.told_to_end = True

    def _watch(self) -> None:
        """Return when nobody uses the services any more; until then keep them alive."""
        while not self.told_to_end and not self.users.take():
            for name, service in self.services.items():
                if service.process is not None and service.process.poll() is not None:
                    self._start_again(name, service)
            time.sleep(POLL_SECONDS)

    def _start_again(self, name: str, service: Postgres | Valkey) -> None:
        """Bring a service back that died; give up on one that keeps dying."""
        now = time.monotonic()
        self.restarts = [moment for moment in self.restarts if now - moment < 60] + [now]
        if len(self.restarts) > MOST_RESTARTS:
            raise LocalError(f"{name} keeps dying; see {service.log}")
        service.kill()
        service.start()
        self._publish()

    def _publish(self) -> None:
        """Write where the services are, for users that come later."""
        variables = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL"}
        addresses = {variables[name]: service.url for name, service in self.services.items()}
        self.state.parent.mkdir(parents=True, exist_ok=True)
        draft = self.state.with_suffix(".new")
        draft.touch(0o600)
        draft.write_text(json.dumps({"pid": os.getpid(), "addresses": addresses}))
        draft.replace(self.state)


def report(line: str) -> None:
    """Tell the user who started us, if that one still listens; later reports go to the keeper's log."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        return
    if line == READY:
        # From here on nobody reads the pipe.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    chosen = sys.argv[2:]
    Keeper(Path(sys.argv[1]), [name for name in chosen if name != "--generous"], generous="--generous" in chosen).keep()
