"""`make run`: the whole of SCRM on this machine, until Ctrl-C."""

import ctypes
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from scrm.local import health, preparation
from scrm.local.directories import make_data_directory
from scrm.local.environment import data_directory, local_environment, needed_services
from scrm.local.errors import LocalError
from scrm.local.locks import Lock
from scrm.local.processes import PR_SET_PDEATHSIG
from scrm.local.servers import Services
from scrm.local.supervisor import Child, Supervisor

HOST = "127.0.0.1"


def say(text: str) -> None:
    """Tell how far the start is, on stderr."""
    print(f"scrm: {text}", file=sys.stderr, flush=True)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Treat SIGTERM and SIGHUP like Ctrl-C."""
    raise KeyboardInterrupt


def follow_make() -> None:
    """Be told to stop when the `make` that started us is killed: it could not pass that on itself."""
    if "MAKELEVEL" in os.environ and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def children(data_dir: Path, port: int) -> list[Child]:
    """The processes that SCRM consists of, as in production but smaller."""
    programs = Path(sys.executable).parent
    celery: list[str | Path] = [programs / "celery", "-A", "scrm.celery"]
    web: list[str | Path] = [
        *(programs / "granian", "--interface", "wsgi", "--host", HOST, "--port", str(port)),
        *("--workers", "2", "--blocking-threads", "4", "--respawn-failed-workers", "--no-ws"),
        *("--workers-kill-timeout", "10", "--log-level", "warning", "scrm.wsgi:application"),
    ]
    worker: list[str | Path] = [
        *(*celery, "worker", "--pool=prefork", "-c", "2", "--loglevel=INFO"),
        *("--without-gossip", "--without-mingle", "-n", f"local-{port}@%h"),
    ]
    beat: list[str | Path] = [
        *(*celery, "beat", "--loglevel=WARNING", "--schedule", data_dir / "state" / "beat-schedule"),
        *("--pidfile=",),
    ]
    return [Child("web", web, data_dir), Child("worker", worker, data_dir), Child("beat", beat, data_dir)]


def prepare(environment: Mapping[str, str]) -> None:
    """Bring database, translations and static files up to date, telling what takes time."""
    preparation.compile_translations(environment)
    preparation.collect_static_files(environment)
    say("migrating the database …")
    preparation.migrate(environment)
    say("loading the demo brand, if the database is empty …")
    preparation.seed_demo(environment)


def run() -> int:
    """Run SCRM until a signal; the exit code. Raises LocalError when it cannot start."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    follow_make()
    data_dir = data_directory()
    port_text = os.environ.get("PORT") or "8000"
    if not port_text.isdigit():
        raise LocalError(f"PORT must be a number, not {port_text!r}")
    port = int(port_text)
    make_data_directory(data_dir)
    single = Lock(data_dir / "locks" / "run")
    single.take(busy=f"SCRM already runs from {data_dir}; stop that one, or give another DATA_DIR and PORT")
    free_space(data_dir)
    services = Services(data_dir, needed_services())
    supervisor: Supervisor | None = None
    try:
        family = children(data_dir, port)
        for child in family:
            child.reap()
        health.check_port(HOST, port)
        say("starting PostgreSQL and Valkey …" if services.names else "using your PostgreSQL and Redis …")
        environment = local_environment(data_dir, services.acquire(), port=port)
        prepare(environment)
        supervisor = Supervisor(family, environment, say)
        supervisor.start()
        address = f"http://{HOST}:{port}/"
        supervisor.wait_until(lambda: 0 < health.status(f"{address}healthz") < 500, patience=90.0)
        print(f"SCRM is running at {address}")
        print(f"Log in as demo / {environment['DEMO_PASSWORD']}", flush=True)
        while True:
            time.sleep(0.5)
            supervisor.check()
            if services.names and not services.running():
                say("the database's keeper ended; starting it again")
                services.users.release()
                services.acquire()
    except KeyboardInterrupt:
        say("stopping …")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if supervisor is not None:
            supervisor.stop()
        services.release()
        single.release()
    say("stopped")
    return 0


def free_space(directory: Path) -> None:
    """Raise LocalError when the disk has too little room to start at all."""
    if shutil.disk_usage(directory).free < 200 * 2**20:
        raise LocalError(f"the disk is full: less than 200 MB are free in {directory}")
