"""Many claimers at once: never more than the quota, never one code twice, never one claim used twice."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from members.models import BenefitCode, MemberBenefit
from members.operations import benefit_stock, benefit_uses, benefits
from members.operations.benefit_stock import CodeIn
from scrm.common.errors import DomainError
from scrm.common.transactions import retrying
from tests.factories import NOW, make_member
from tests.members.giving import make_benefit

pytestmark = pytest.mark.django_db(transaction=True)

CLAIMERS = 16


def outcomes(*works: Callable[[], object]) -> list[str]:
    """Run each in a thread with a connection of its own, all started together; "done", or the code of the refusal."""
    gate = threading.Barrier(len(works))
    found: list[str] = []

    def run(work: Callable[[], object]) -> None:
        try:
            gate.wait()
            retrying(work)
            found.append("done")
        except DomainError as error:
            found.append(error.code)
        except BaseException as error:
            found.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return sorted(found)


def test_one_member_never_claims_more_than_the_quota() -> None:
    make_benefit(quota=3)
    member = make_member()
    found = outcomes(
        *(
            lambda number=number: benefits.claim(
                member_id=member.pk, benefit_key="parking", reference=f"r{number}", now=NOW
            )
            for number in range(CLAIMERS)
        )
    )
    assert found == ["done"] * 3 + ["quota_reached"] * (CLAIMERS - 3)
    assert sorted(MemberBenefit.objects.values_list("ordinal", flat=True)) == [1, 2, 3]


def test_one_reference_claims_once() -> None:
    make_benefit(quota=5)
    member = make_member()
    found = outcomes(
        *[lambda: benefits.claim(member_id=member.pk, benefit_key="parking", reference="r", now=NOW)] * CLAIMERS
    )
    assert found == ["done"] * CLAIMERS
    assert MemberBenefit.objects.count() == 1


def test_no_code_is_given_twice() -> None:
    benefit = make_benefit("coffee", "partner_code", quota=1)
    codes = [CodeIn(f"CODE-{number:04d}") for number in range(10)]
    benefit_stock.add(benefit_id=benefit.pk, codes=codes, batch="first", now=NOW)
    members = [make_member() for _ in range(CLAIMERS)]
    found = outcomes(
        *(
            lambda member=member: benefits.claim(
                member_id=member.pk, benefit_key="coffee", reference="r", now=NOW
            )
            for member in members
        )
    )  # fmt: skip
    assert found == ["done"] * 10 + ["out_of_codes"] * (CLAIMERS - 10)
    given = list(MemberBenefit.objects.values_list("partner_code_id", flat=True))
    assert len(set(given)) == 10
    assert BenefitCode.objects.filter(state="given").count() == 10


def test_a_claim_is_used_once() -> None:
    make_benefit()
    claim = benefits.claim(member_id=make_member().pk, benefit_key="parking", reference="r", now=NOW).claim
    found = outcomes(
        *(
            lambda number=number: benefit_uses.redeem(
                member_id=claim.member_id, claim_id=claim.pk, reference=f"till-{number}", now=NOW
            )
            for number in range(CLAIMERS)
        )
    )
    assert found == ["already_redeemed"] * (CLAIMERS - 1) + ["done"]


def test_using_and_voiding_at_once_leaves_one_of_them() -> None:
    make_benefit(quota=None)
    member = make_member()
    for number in range(5):
        claim = benefits.claim(member_id=member.pk, benefit_key="parking", reference=f"r{number}", now=NOW).claim
        found = outcomes(
            lambda claim=claim: benefit_uses.redeem(
                member_id=member.pk, claim_id=claim.pk, reference=f"u{claim.pk}", now=NOW
            ),
            lambda claim=claim: benefit_uses.void(member_id=member.pk, claim_id=claim.pk, now=NOW),
        )
        claim.refresh_from_db()
        assert (found, claim.state) in [(["already_redeemed", "done"], "redeemed"), (["done", "voided"], "voided")]
