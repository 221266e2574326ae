"""Many clients on few ledgers: whatever the order, every promise is kept and every answer was true."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from members.models import Member, PointsAccount, PointsEntry
from members.operations import currencies, points, points_grants, points_moves, points_rebuild
from members.operations.points import Credit
from members.queries import points_check
from scrm.common import jobs
from scrm.common.access import SYSTEM, Actor
from scrm.common.errors import DomainError
from scrm.common.models import Job
from scrm.common.transactions import acting_as, retrying
from tests.factories import NOW, make_member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _proven() -> Any:
    currencies.get("points")
    yield
    assert list(map(str, points_check.check())) == []
    assert points_check.unbalanced() == []
    assert points_rebuild.rebuild() == 0


def at_once(works: list[Callable[[], Any]]) -> list[Any]:
    """Run each in a thread with a connection of its own, let go together; answers, or the codes of refusals."""
    gate, answers = threading.Barrier(len(works)), [None] * len(works)
    failures: list[BaseException] = []

    def run(number: int, work: Callable[[], Any]) -> None:
        try:
            gate.wait(timeout=60)
            answers[number] = retrying(work)
        except DomainError as error:
            answers[number] = error.code
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=one) for one in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert failures == []
    return answers


def interleaved(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any]:
    """The second starts when the first has written and not committed, and waits for it."""
    written, waiting = threading.Event(), threading.Event()

    def begin() -> Any:
        with transaction.atomic():
            answer = first()
            written.set()
            waiting.wait(timeout=60)
            for _ in range(2_000):
                with connection.cursor() as cursor:
                    cursor.execute(
                        "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
                    )
                    if cursor.fetchone()[0]:
                        return answer
                    # Within a transaction the view would stay as it was first seen.
                    cursor.execute("SELECT pg_stat_clear_snapshot(), pg_sleep(0.005)")
            raise AssertionError("nobody waited")

    def follow() -> Any:
        written.wait(timeout=60)
        waiting.set()
        return second()

    one, other = at_once([begin, follow])
    return one, other


def spend(member: Member, amount: int, reference: str) -> Callable[[], Any]:
    return lambda: points.spend(member_id=member.pk, amount=amount, reference=reference, now=NOW)


def refund(member: Member, amount: int, reference: str) -> Callable[[], Any]:
    return lambda: points.refund(member_id=member.pk, spent="s", amount=amount, reference=reference, now=NOW)


@pytest.fixture
def ann() -> Member:
    member = make_member()
    points.earn(member_id=member.pk, amount=100, reference="e", now=NOW)
    return member


def test_two_spendings_share_what_there_is(ann: Member) -> None:
    first, second = interleaved(spend(ann, 70, "a"), spend(ann, 70, "b"))
    assert (first.available, second) == (30, "not_enough_points")
    first, second = interleaved(spend(ann, 10, "c"), spend(ann, 20, "d"))
    assert (first.available, second.available) == (20, 0)


def test_one_spending_twice_is_booked_once(ann: Member) -> None:
    first, second = interleaved(spend(ann, 70, "a"), spend(ann, 70, "a"))
    assert second == first._replace(duplicate=True)
    assert interleaved(spend(ann, 10, "b"), spend(ann, 20, "b"))[1] == "reference_reused"


def test_a_hold_and_a_spending_share_what_there_is(ann: Member) -> None:
    def hold(reference: str) -> Callable[[], Any]:
        return lambda: points.hold(member_id=ann.pk, amount=70, reference=reference, now=NOW)

    first, second = interleaved(hold("h"), spend(ann, 40, "s"))
    assert (first.held, second) == (70, "not_enough_points")
    assert interleaved(spend(ann, 30, "t"), hold("i"))[1] == "not_enough_points"
    post = lambda: points.post(member_id=ann.pk, reference="h", amount=50, now=NOW)  # noqa: E731
    void = lambda: points.void(member_id=ann.pk, reference="h", now=NOW)  # noqa: E731
    first, second = interleaved(post, void)
    assert (first.booked, first.available, second) == (50, 20, "hold_resolved")


def test_two_refunds_never_give_back_more_than_was_spent(ann: Member) -> None:
    spend(ann, 60, "s")()
    first, second = interleaved(refund(ann, 40, "a"), refund(ann, 40, "a"))
    assert second == first._replace(duplicate=True)
    assert interleaved(refund(ann, 15, "b"), refund(ann, 15, "c"))[1] == "above_original"


def erase(member: Member) -> Callable[[], Any]:
    return lambda: Member.objects.filter(pk=member.pk).update(status="erased")


def test_who_stops_being_a_member_and_a_spending_wait_for_each_other(ann: Member) -> None:
    first, changed = interleaved(spend(ann, 10, "a"), erase(ann))
    assert (first.available, changed, spend_code(ann)) == (90, 1, "unknown_member")
    Member.objects.filter(pk=ann.pk).update(status="active")
    assert interleaved(erase(ann), spend(ann, 10, "b")) == (1, "unknown_member")


def test_an_account_that_is_opened_while_its_member_is_leaving_books_nothing_afterwards() -> None:
    ben = make_member()
    earn = lambda: points.earn(member_id=ben.pk, amount=5, reference="e", now=NOW)  # noqa: E731
    with transaction.atomic():
        erase(ben)()
        # Nobody waits, and ben was still a member as far as anybody else can see.
        assert at_once([earn])[0].available == 5
    assert spend_code(ben) == "unknown_member"


def test_who_leaves_waits_for_an_account_that_is_being_opened() -> None:
    ben = make_member()
    earn = lambda: points.earn(member_id=ben.pk, amount=5, reference="e", now=NOW)  # noqa: E731
    opened, changed = interleaved(earn, erase(ben))
    assert (opened.available, changed, spend_code(ben)) == (5, 1, "unknown_member")


def spend_code(member: Member) -> str:
    with pytest.raises(DomainError) as refused:
        spend(member, 1, "later")()
    return refused.value.code


def test_a_bulk_credit_and_a_single_one_both_arrive(ann: Member) -> None:
    many = lambda reference: lambda: points.earn_many(credits=[Credit(ann.pk, 5, reference)], now=NOW)  # noqa: E731
    one = lambda reference: lambda: points.earn(member_id=ann.pk, amount=5, reference=reference, now=NOW)  # noqa: E731
    assert interleaved(many("a"), one("b"))[1].available == 110
    assert interleaved(one("c"), many("d"))[1] == {ann.pk: True}
    assert interleaved(many("x"), one("x"))[1].duplicate
    assert interleaved(one("y"), many("y"))[1] == {ann.pk: False}
    assert PointsAccount.objects.get(member=ann).available == 130


def test_a_booking_that_waited_for_a_move_is_told_so(ann: Member) -> None:
    ben = make_member()
    move = lambda: points_moves.move(from_member=ann.pk, to_member=ben.pk, now=NOW)  # noqa: E731
    assert interleaved(move, spend(ann, 10, "s"))[1] == "account_moved"
    assert PointsAccount.objects.get(member=ben, currency__key="points").available == 100


def test_twenty_clients_with_one_reference_have_one_effect(ann: Member) -> None:
    kinds: dict[str, Callable[[], Any]] = {
        "earn": lambda: points.earn(member_id=ann.pk, amount=10, reference="k", now=NOW),
        "spend": spend(ann, 30, "s"),
        "hold": lambda: points.hold(member_id=ann.pk, amount=20, reference="h", now=NOW),
        "refund": refund(ann, 5, "k"),
        "post": lambda: points.post(member_id=ann.pk, amount=15, reference="h", now=NOW),
        "adjust": lambda: points.adjust(member_id=ann.pk, amount=-1, reference="k", reason="why", now=NOW),
    }
    for kind, work in kinds.items():
        answers = at_once([work] * 20)
        assert sorted(answer.duplicate for answer in answers) == [False] + [True] * 19, kind
        assert len({answer.number for answer in answers}) == 1
        assert PointsEntry.objects.filter(kind=kind, reference__in="ksh").count() == 1


def test_sixteen_clients_on_few_members_and_every_answer_was_true() -> None:
    """What was acknowledged is what there is: to the point."""
    members = [make_member().pk for _ in range(3)]
    added: Counter[int] = Counter()
    lock = threading.Lock()

    def client(seed: int) -> Callable[[], None]:
        def work() -> None:
            choice = random.Random(seed)
            for step in range(25):
                member, amount, now = choice.choice(members), choice.randint(1, 30), NOW + timedelta(minutes=step)
                reference, known = f"{seed}-{step}", choice.choice([f"{seed}-{step - 1}", f"{seed % 4}-{step}"])
                values = {"member_id": member, "now": now}
                deltas: dict[int, int] = {}
                try:
                    match choice.randrange(9):
                        case 0 | 1:
                            moved = points.earn(**values, amount=amount, reference=reference, source=f"o:{known}")
                            deltas[member] = 0 if moved.duplicate else moved.booked
                        case 2 | 3:
                            moved = points.spend(**values, amount=amount, reference=known)
                            deltas[member] = 0 if moved.duplicate else -moved.booked
                        case 4:
                            points.hold(**values, amount=amount, reference=known, minutes=choice.choice([1, 600]))
                        case 5:
                            moved = points.post(**values, amount=amount, reference=known)
                            deltas[member] = 0 if moved.duplicate else -moved.booked
                        case 6:
                            moved = points.refund(**values, spent=known, amount=amount, reference=reference)
                            deltas[member] = 0 if moved.duplicate else moved.booked
                        case 7:
                            moved = points.reverse(**values, source=f"o:{known}", amount=amount, reference=reference)
                            deltas[member] = 0 if moved.duplicate else -moved.booked
                        case _:
                            credits = [Credit(one, amount, known) for one in members]
                            booked = points.earn_many(credits=credits, now=now)
                            deltas = {one: amount for one, fresh in booked.items() if fresh}
                except DomainError:
                    continue
                with lock:
                    added.update(deltas)

        return work

    at_once([client(seed) for seed in range(16)])
    found = {
        account.member_id: account.pending + account.available + account.held
        for account in PointsAccount.objects.filter(member__in=members)
    }
    assert found == {member: added[member] for member in found}
    assert PointsEntry.objects.count() > 100


def test_nothing_is_acknowledged_before_it_is_on_disk(ann: Member) -> None:
    """Locks are let go before the flush, which comes before the answer; inside a transaction its end flushes."""
    with CaptureQueriesContext(connection) as queries:
        points.earn(member_id=ann.pk, amount=1, reference="a", now=NOW)
    said = [query["sql"] for query in queries]
    assert "COMMIT; SELECT pg_logical_emit_message(false, 'scrm', '', true)" in said
    assert [one for one in said if "COMMIT" in one] == [
        "COMMIT; SELECT pg_logical_emit_message(false, 'scrm', '', true)",
        "COMMIT",  # Django's own, which finds nothing to do
    ]
    assert any("set_config('synchronous_commit', 'off', true)" in one for one in said)
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        points.earn(member_id=ann.pk, amount=1, reference="b", now=NOW)
    assert not [query for query in queries if "synchronous_commit" in query["sql"] or "emit" in query["sql"]]


def granting(members: list[Member], key: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, int]]:
    monkeypatch.setattr(points_grants, "CHUNK", 2)
    ids = [member.pk for member in members]
    job = points_grants.start(grant=key, amount=50, member_ids=ids, actor=SYSTEM, now=NOW)

    def run() -> dict[str, int]:
        jobs.run(job_id=job.pk, handler=lambda _id, progress: points_grants.run(params=job.params, progress=progress))
        job.refresh_from_db()
        assert (job.state, job.error) == ("succeeded", "")
        return job.counts

    return run


def test_a_grant_books_chunks_side_by_side_and_each_member_once(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [make_member() for _ in range(9)]
    with acting_as(Actor(kind="key", id=7, name="ERP", permissions=frozenset())):
        assert granting(members, "春节", monkeypatch)() == {"granted": 9, "known": 0, "skipped": 0}
    assert granting(members, "春节", monkeypatch)() == {"granted": 0, "known": 9, "skipped": 0}
    assert set(PointsEntry.objects.values_list("actor", "amount")) == {("key:7", 50)}
    assert PointsEntry.objects.count() == 9


def test_a_killed_grant_is_repeated_without_booking_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [make_member() for _ in range(9)]
    run = granting(members, "春节", monkeypatch)

    def killed(_progress: jobs.Progress, **_values: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(jobs.Progress, "report", killed)
        with pytest.raises(KeyboardInterrupt):
            run()
    # The first chunk, which was not reported, what was beside it, and what had been begun after it.
    assert PointsEntry.objects.count() == 6
    Job.objects.update(state="queued", finished_at=None)
    assert run() == {"granted": 3, "known": 6, "skipped": 0}
    assert PointsEntry.objects.count() == 9


def test_grants_across_one_another_and_moved_ledgers_go_through(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [make_member() for _ in range(9)]
    points.earn(member_id=members[0].pk, amount=1, reference="e", now=NOW)
    points.earn(member_id=members[8].pk, amount=1, reference="e", now=NOW)
    points_moves.move(from_member=members[0].pk, to_member=members[7].pk, now=NOW)
    points_moves.move(from_member=members[8].pk, to_member=members[1].pk, now=NOW)
    counts = at_once([granting(members, key, monkeypatch) for key in ("春节", "中秋", "国庆")])
    assert counts == [{"granted": 7, "known": 2, "skipped": 0}] * 3
