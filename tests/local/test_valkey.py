"""The embedded Valkey: on loopback with a password, never evicting, back after a crash."""

import socket

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from scrm.local.errors import LocalError
from scrm.local.valkey import Valkey

from .sockets import tcp_listeners


def test_writes_older_than_a_second_survive_a_kill(durable_valkey):
    server = durable_valkey()
    client = redis.Redis.from_url(server.url)
    client.rpush("queue", "a", "b")
    client.execute_command("WAITAOF", 1, 0, 5000)
    server.kill()
    server.start()
    assert redis.Redis.from_url(server.url).lrange("queue", 0, -1) == [b"a", b"b"]


def test_it_is_on_loopback_only_and_asks_for_a_password(durable_valkey):
    server = durable_valkey()
    assert tcp_listeners(server.process.pid) == {f"0100007F:{server.port:04X}"}
    for password in (None, "wrong"):
        with pytest.raises((redis.AuthenticationError, redis.ResponseError)):
            redis.Redis("127.0.0.1", server.port, password=password, retry=Retry(NoBackoff(), 0)).ping()


def test_it_refuses_writes_rather_than_evicting(durable_valkey):
    server = durable_valkey()
    client = redis.Redis.from_url(server.url)
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
    assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_a_taken_port_is_told_in_one_line_when_it_was_chosen(private_directory):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LocalError) as caught:
            Valkey(private_directory / "valkey", port=port).start()
    assert str(caught.value) == f"Valkey did not start: port {port} is already in use"


def test_it_moves_to_another_port_when_its_old_one_was_taken_meanwhile(durable_valkey):
    server = durable_valkey()
    old = server.port
    server.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", old))
        other.listen()
        server.start()
        assert server.port != old
        assert redis.Redis.from_url(server.url).ping() is True


def test_it_keeps_its_port_over_a_restart(durable_valkey):
    server = durable_valkey()
    old = server.port
    server.stop()
    server.start()
    assert server.port == old
