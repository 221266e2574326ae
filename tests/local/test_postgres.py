"""The embedded PostgreSQL: private, durable, and back after every kind of crash."""

import os
import select
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from scrm.local.environment import ROOT
from scrm.local.errors import LocalError
from scrm.local.postgres import Postgres
from scrm.local.testing import throwaway_directory

from .sockets import tcp_listeners


@pytest.fixture(scope="module")
def cluster():
    """One durable server for all tests of this file: making a cluster is what costs time."""
    with throwaway_directory() as directory, Postgres(directory / "postgres") as server:
        yield server


@pytest.fixture
def server(cluster):
    """The file's server, running, whatever the test before did to it."""
    cluster.start()
    return cluster


def test_committed_rows_survive_a_kill_and_a_stale_pid_file(server, query):
    query(server.url, "DROP TABLE IF EXISTS t; CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 100)")
    server.kill()
    # The number in the file now belongs to a living process that is no PostgreSQL: this one.
    pid_file = server.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    server.start()
    assert query(server.url, "SELECT count(*), sum(n) FROM t") == [(100, 5050)]


def test_an_orphaned_server_is_ended_before_a_new_one_starts(server, query):
    query(server.url, "DROP TABLE IF EXISTS t; CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
    orphan = server.process
    # As if the process that started it had been killed: its lock is free, the server still runs.
    server.lock.release()
    server.process = None
    successor = Postgres(server.directory, password=server.password)
    successor.start()
    try:
        assert orphan.wait(10) == 0
        assert query(successor.url, "SELECT n FROM t") == [(1,)]
    finally:
        successor.stop()


def test_a_second_start_of_the_same_directory_is_refused(server):
    with pytest.raises(LocalError, match="another process already runs the PostgreSQL in"):
        Postgres(server.directory, password=server.password).start()


def test_nobody_enters_with_a_wrong_password_or_as_superuser(server):
    for user, password in (("scrm", "wrong"), ("scrm", ""), ("postgres", server.password), ("postgres", "")):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(host=str(server.sockets), user=user, password=password, dbname="scrm")


def test_it_listens_on_a_private_socket_and_on_no_address(server, query):
    assert query(server.url, "SHOW listen_addresses") == [("",)]
    assert tcp_listeners(server.process.pid) == set()
    assert stat.S_IMODE(server.sockets.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


def test_what_is_acknowledged_is_on_disk_and_limits_hold_for_the_role(server, query):
    for name in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
        assert query(server.url, f"SHOW {name}") == [("on",)]
    assert query(server.url, "SHOW statement_timeout") == [("10min",)]
    assert query(server.url, "SHOW lock_timeout") == [("30s",)]
    assert query(server.url, "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = 'scrm'") == [(False, True)]


def test_a_lost_password_file_does_not_lock_the_data_away(server, query):
    query(server.url, "DROP TABLE IF EXISTS t; CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
    server.stop()
    successor = Postgres(server.directory, password="another")
    with successor:
        assert query(successor.url, "SELECT n FROM t") == [(1,)]


def test_a_directory_too_long_for_sockets_works(private_directory, query):
    deep = private_directory / ("With Blanks " * 8) / ("很长" * 20)
    deep.mkdir(parents=True)
    server = Postgres(deep / "postgres", durable=False)
    try:
        server.start()
        assert len(str(server.sockets)) < 80
        assert query(server.url, "SELECT 1") == [(1,)]
    finally:
        server.destroy()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")
def test_started_by_root_it_runs_as_nobody_even_where_nobody_may_not_go(private_directory, query):
    closed = private_directory / "closed"
    closed.mkdir(mode=0o700)
    server = Postgres(closed / "postgres", durable=False)
    try:
        server.start()
        assert query(server.url, "SELECT 1") == [(1,)]
        assert Path(f"/proc/{server.process.pid}").stat().st_uid == 65534
        assert server.directory.parent == Path("/var/lib")
    finally:
        server.destroy()
    assert not server.directory.exists()


def test_a_server_ends_when_the_process_that_started_it_is_killed(private_directory):
    code = (
        "import pathlib, time; from scrm.local.postgres import Postgres;"
        f"p = Postgres(pathlib.Path({str(private_directory / 'postgres')!r}), durable=False); p.start();"
        "print(p.process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    server = os.pidfd_open(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    ended, _, _ = select.select([server], [], [], 10)
    os.close(server)
    assert ended == [server]
