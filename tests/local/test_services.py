"""The services of one DATA_DIR, used by several processes that come, go and are killed."""

import json
import os
import select
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import redis

from scrm.local.environment import ROOT, local_environment, needed_services
from scrm.local.servers import Services


def keeper_of(services):
    """The process number of the keeper of these services."""
    return json.loads((services.data_dir / "state" / "services.json").read_text())["pid"]


def test_they_start_once_are_shared_and_stop_after_the_last_user(services, query):
    first, second = services(), services()
    addresses = first.acquire()
    assert second.acquire() == addresses
    first.release()
    assert query(addresses["DATABASE_URL"], "SELECT 1") == [(1,)]
    second.release()
    assert second.running() is False


def test_two_starts_at_the_same_moment_share_one_server(services):
    users = [services() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        addresses = list(pool.map(Services.acquire, users))
    assert addresses == [addresses[0]] * 4


def test_two_checkouts_run_side_by_side(services, private_directory, query):
    one = services().acquire()
    two = services(private_directory / "other").acquire()
    query(one["DATABASE_URL"], "CREATE TABLE only_in_one ()")
    assert query(two["DATABASE_URL"], "SELECT to_regclass('only_in_one')") == [(None,)]
    assert one["REDIS_URL"] != two["REDIS_URL"]


def test_rows_survive_when_the_keeper_and_both_servers_are_killed(services, query):
    user = services()
    addresses = user.acquire()
    query(addresses["DATABASE_URL"], "DROP TABLE IF EXISTS t; CREATE TABLE t (n int); INSERT INTO t VALUES (42)")
    os.kill(keeper_of(user), signal.SIGKILL)
    user.release()
    again = services().acquire()
    assert query(again["DATABASE_URL"], "SELECT n FROM t") == [(42,)]
    assert redis.Redis.from_url(again["REDIS_URL"]).ping() is True


def test_a_killed_user_does_not_leave_servers_behind(services, shared_data_dir):
    code = (
        "import pathlib, time; from scrm.local.servers import Services;"
        f"Services(pathlib.Path({str(shared_data_dir)!r}), ['postgres', 'valkey']).acquire();"
        "print('up', flush=True); time.sleep(60)"
    )
    user = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert user.stdout.readline() == "up\n"
    observer = services()
    keeper = os.pidfd_open(keeper_of(observer))
    user.kill()
    user.communicate()
    ended, _, _ = select.select([keeper], [], [], 20)
    assert ended == [keeper]
    os.close(keeper)
    assert observer.running() is False


def test_addresses_in_the_environment_replace_the_embedded_services(monkeypatch, private_directory):
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/scrm")
    monkeypatch.setenv("REDIS_URL", "redis://cache.example/0")
    assert needed_services() == []
    services = Services(private_directory / "data", needed_services())
    environment = local_environment(services.data_dir, services.acquire())
    assert environment["DATABASE_URL"] == "postgresql://db.example/scrm"
    assert environment["REDIS_URL"] == "redis://cache.example/0"
    assert not (services.data_dir / "postgres").exists()


def test_secrets_are_made_once_and_only_for_their_owner(monkeypatch, private_directory):
    for name in ("SECRET_KEY", "DATA_KEYS", "INDEX_KEY", "DEMO_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    first = local_environment(private_directory, {})
    assert local_environment(private_directory, {}) == first
    modes = {path.stat().st_mode & 0o777 for path in (private_directory / "secrets").iterdir()}
    assert modes == {0o600}
    assert first["DATA_KEYS"].startswith("k1:")
