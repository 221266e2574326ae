"""The suite's own servers."""

import os

import psycopg
import redis


def test_the_suite_runs_on_a_real_postgres_18_and_valkey():
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        assert connection.info.server_version >= 180000
    assert redis.Redis.from_url(os.environ["REDIS_URL"]).ping() is True


def test_the_suites_role_is_no_superuser_but_may_create_databases():
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        row = connection.execute("SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user").fetchone()
    assert row == (False, True)
