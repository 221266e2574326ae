"""Who is named in a transaction, and statements that are planned once per connection."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext

from members.models import Region
from scrm.common import statements
from scrm.common.access import Actor, Permission
from scrm.common.models import AuditEntry
from scrm.common.transactions import acting_as, atomic

pytestmark = pytest.mark.django_db

ANNE, BEN = (
    Actor(kind="user", id=number, name=name, permissions=frozenset(Permission))
    for number, name in ((7, "Anne"), (8, "Ben"))
)
SUM = "SELECT sum(n)::int, %(at)s FROM unnest(%(numbers)s::int[]) AS n"
AT = datetime(2026, 3, 1, 9, tzinfo=UTC)


def actors() -> dict[str, str]:
    found = AuditEntry.objects.filter(object_type="members_region", action="insert").order_by("id")
    return {str(entry.changes["code"][1]): entry.actor for entry in found}


def test_a_transaction_inside_another_is_audited_as_done_by_its_own_actor_and_the_rest_by_the_outer_one() -> None:
    with acting_as(ANNE), atomic():
        Region.objects.create(code="first", name="")
        with acting_as(BEN), atomic():
            Region.objects.create(code="second", name="")
        with atomic():
            Region.objects.create(code="third", name="")
    assert actors() == {"first": "user:7", "second": "user:8", "third": "user:7"}


def test_an_inner_actor_who_is_rolled_back_leaves_the_outer_one_named() -> None:
    with acting_as(ANNE), atomic():
        try:
            with acting_as(BEN), atomic():
                raise ValueError
        except ValueError:
            Region.objects.create(code="after", name="")
        with acting_as(BEN), atomic():
            Region.objects.create(code="again", name="")
    assert actors() == {"after": "user:7", "again": "user:8"}


def test_the_actor_is_named_once_to_postgres_however_deep_the_transactions_are() -> None:
    with CaptureQueriesContext(connection) as seen, acting_as(ANNE), atomic(), atomic(), atomic(savepoint=False):
        Region.objects.create(code="deep", name="")
    assert len([query for query in seen.captured_queries if "scrm.actor" in query["sql"]]) == 1
    assert actors() == {"deep": "user:7"}


def test_a_statement_is_prepared_at_its_first_use_only() -> None:
    statements.fetch(SUM, {"numbers": "{}", "at": AT})
    with CaptureQueriesContext(connection) as seen:
        assert statements.fetch(SUM, {"numbers": "{1,2,3}", "at": AT}) == [(6, AT)]
    assert [query["sql"].split()[0] for query in seen.captured_queries] == ["EXECUTE"]


def test_statements_that_a_pool_took_away_are_prepared_anew() -> None:
    statements.fetch(SUM, {"numbers": "{1}", "at": AT})
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    with pytest.raises(ProgrammingError), transaction.atomic():
        statements.fetch(SUM, {"numbers": "{1}", "at": AT})
    assert statements.fetch(SUM, {"numbers": "{1,2}", "at": AT}) == [(3, AT)]


def test_a_transaction_by_index_expects_few_rows_and_others_do_not() -> None:
    def settings() -> tuple[str, ...]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('enable_seqscan'), current_setting('plan_cache_mode')")
            found: tuple[str, ...] = cursor.fetchone()
            return found

    assert settings() == ("on", "auto")
    with transaction.atomic():
        with atomic(by_index=True):
            assert settings() == ("off", "force_generic_plan")
        transaction.set_rollback(True)
    assert settings() == ("on", "auto")
