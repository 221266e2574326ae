"""Whether the ledger of points keeps every promise: all invariants, for everybody, as sets.

Members are taken in ranges of ids, each one statement a rule and one instant for all of a range.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection, transaction

RANGE = 50_000
_MOST = 20  # findings of one rule and range that are told one by one

_ACCOUNT = "member_id, currency_id"
# Each answers member, currency, and what is there and what should be; %(a)s and %(b)s bound the members.
_ENTRIES = """
    SELECT member_id, currency_id, count(*) AS entries, max(number) AS last, min(number) AS first,
           COALESCE(sum(amount) FILTER (WHERE credit = 'pending'), 0)
           - COALESCE(sum(amount) FILTER (WHERE debit = 'pending'), 0) AS pending,
           COALESCE(sum(amount) FILTER (WHERE credit = 'available'), 0)
           - COALESCE(sum(amount) FILTER (WHERE debit = 'available'), 0) AS available,
           COALESCE(sum(amount) FILTER (WHERE credit = 'held'), 0)
           - COALESCE(sum(amount) FILTER (WHERE debit = 'held'), 0) AS held
    FROM members_pointsentry WHERE member_id BETWEEN %(a)s AND %(b)s GROUP BY member_id, currency_id
"""
_LOTS = """
    SELECT member_id, currency_id, COALESCE(sum(remaining) FILTER (WHERE active), 0) AS active,
           COALESCE(sum(remaining) FILTER (WHERE NOT active), 0) AS waiting, sum(held) AS held
    FROM members_pointslot WHERE member_id BETWEEN %(a)s AND %(b)s GROUP BY member_id, currency_id
"""
_TAKEN = """
    SELECT member_id, currency_id, lot, sum(taken) AS taken, sum(reserved) AS reserved
    FROM points_takings WHERE member_id BETWEEN %(a)s AND %(b)s GROUP BY member_id, currency_id, lot
"""
_ACCOUNTS = "(SELECT * FROM members_pointsaccount WHERE member_id BETWEEN %(a)s AND %(b)s)"

RULES: dict[str, str] = {
    "entries are numbered without gaps, and the account knows the last": f"""
        SELECT member_id, currency_id, 'last ' || COALESCE(x.last_number::text, 'none'),
               e.entries || ' entries up to ' || e.last
        FROM {_ACCOUNTS} x FULL JOIN ({_ENTRIES}) e USING ({_ACCOUNT})
        WHERE (COALESCE(x.last_number, 0), x.member_id IS NULL)
              IS DISTINCT FROM (COALESCE(e.last, 0), false) OR e.entries <> e.last OR e.first <> 1
    """,
    "balances are the sums of the entries": f"""
        SELECT member_id, currency_id, concat_ws('/', x.pending, x.available, x.held),
               concat_ws('/', COALESCE(e.pending, 0), COALESCE(e.available, 0), COALESCE(e.held, 0))
        FROM {_ACCOUNTS} x LEFT JOIN ({_ENTRIES}) e USING ({_ACCOUNT})
        WHERE (x.pending, x.available, x.held)
              IS DISTINCT FROM (COALESCE(e.pending, 0), COALESCE(e.available, 0), COALESCE(e.held, 0))
    """,
    "every entry knows the balance after it": """
        SELECT member_id, currency_id, 'entry ' || number || ': ' || available_after, so_far::text FROM (
            SELECT member_id, currency_id, number, available_after,
                   sum(CASE 'available' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END)
                       OVER (PARTITION BY member_id, currency_id ORDER BY number) AS so_far
            FROM members_pointsentry WHERE member_id BETWEEN %(a)s AND %(b)s
        ) e WHERE available_after <> so_far
    """,
    "lots are what was earned less what was taken": f"""
        SELECT member_id, currency_id, 'lot ' || l.number || ': ' || l.remaining || '/' || l.held,
               l.earned - COALESCE(t.taken, 0) || '/' || COALESCE(t.reserved, 0)
        FROM (SELECT *, number AS lot FROM members_pointslot WHERE member_id BETWEEN %(a)s AND %(b)s) l
        FULL JOIN ({_TAKEN}) t USING (member_id, currency_id, lot)
        WHERE (l.remaining, l.held) IS DISTINCT FROM (l.earned - COALESCE(t.taken, 0), COALESCE(t.reserved, 0))
              OR l.number IS NULL
    """,
    "every credit is a lot, with what it credited": """
        SELECT member_id, currency_id, 'lot ' || l.number || ': ' || l.earned, COALESCE(e.amount::text, 'no credit')
        FROM members_pointslot l LEFT JOIN members_pointsentry e USING (member_id, currency_id, number)
        WHERE member_id BETWEEN %(a)s AND %(b)s
          AND (l.earned IS DISTINCT FROM e.amount OR e.kind NOT IN ('earn', 'adjust', 'move'))
        UNION ALL
        SELECT member_id, currency_id, 'entry ' || e.number || ': no lot', e.amount::text
        FROM members_pointsentry e LEFT JOIN members_pointslot l USING (member_id, currency_id, number)
        WHERE member_id BETWEEN %(a)s AND %(b)s AND e.debit IN ('issued', 'adjusted') AND l.number IS NULL
    """,
    "what is left of lots less arrears is available and held": f"""
        SELECT member_id, currency_id, (COALESCE(l.active, 0) - GREATEST(-x.available, 0))::text,
               (x.available + x.held)::text
        FROM {_ACCOUNTS} x LEFT JOIN ({_LOTS}) l USING ({_ACCOUNT})
        WHERE COALESCE(l.active, 0) - GREATEST(-x.available, 0) <> x.available + x.held
    """,
    "what is left of waiting lots is pending": f"""
        SELECT member_id, currency_id, COALESCE(l.waiting, 0)::text, x.pending::text
        FROM {_ACCOUNTS} x LEFT JOIN ({_LOTS}) l USING ({_ACCOUNT}) WHERE COALESCE(l.waiting, 0) <> x.pending
    """,
    "open holds are what is held": f"""
        SELECT member_id, currency_id, COALESCE(h.amount, 0)::text, x.held::text FROM {_ACCOUNTS} x LEFT JOIN (
            SELECT member_id, currency_id, sum(amount) AS amount FROM members_pointshold
            WHERE member_id BETWEEN %(a)s AND %(b)s AND state = 'open' GROUP BY member_id, currency_id
        ) h USING ({_ACCOUNT})
        WHERE COALESCE(h.amount, 0) <> x.held
    """,
    "open holds reserve what they say, others nothing": """
        SELECT h.member_id, h.currency_id, 'hold ' || h.number || ': ' || COALESCE(sum(a.reserved), 0),
               CASE h.state WHEN 'open' THEN h.amount ELSE 0 END::text
        FROM members_pointshold h LEFT JOIN members_pointsallocation a
             ON a.member_id = h.member_id AND a.currency_id = h.currency_id
             AND (a.entry = h.number OR a.origin = h.number AND a.origin <> a.entry)
        WHERE h.member_id BETWEEN %(a)s AND %(b)s
        GROUP BY h.member_id, h.currency_id, h.number, h.state, h.amount
        HAVING COALESCE(sum(a.reserved), 0) <> CASE h.state WHEN 'open' THEN h.amount ELSE 0 END
    """,
    # What goes into arrears is taken of no lot: a reversal, and arrears that were moved.
    "entries take of lots what they move": """
        SELECT e.member_id, e.currency_id, 'entry ' || e.number || ' (' || e.kind || '): ' || COALESCE(a.taken, 0),
               e.amount::text
        FROM members_pointsentry e LEFT JOIN (
            SELECT member_id, currency_id, entry, COALESCE(sum(taken) FILTER (WHERE taken > 0), 0) AS taken,
                   COALESCE(sum(reserved) FILTER (WHERE taken = 0), 0) AS reserved,
                   COALESCE(-sum(taken) FILTER (WHERE taken < 0), 0) AS given
            FROM points_takings WHERE member_id BETWEEN %(a)s AND %(b)s
            GROUP BY member_id, currency_id, entry
        ) a ON a.member_id = e.member_id AND a.currency_id = e.currency_id AND a.entry = e.number
        WHERE e.member_id BETWEEN %(a)s AND %(b)s AND CASE
            WHEN e.kind IN ('spend', 'post', 'expire') OR e.kind = 'adjust' AND e.debit = 'available'
                 OR e.kind = 'move' AND e.debit <> 'moved' AND (e.debit <> 'available' OR e.source <> '')
            THEN COALESCE(a.taken, 0) <> e.amount
            WHEN e.kind = 'hold' THEN COALESCE(a.reserved, 0) <> e.amount
            WHEN e.kind = 'release' THEN COALESCE(-a.reserved, 0) <> e.amount OR a.taken > e.amount
            WHEN e.kind = 'refund' THEN COALESCE(a.given, 0) <> e.amount OR a.taken > e.amount
            ELSE COALESCE(a.taken, 0) > e.amount
        END
    """,
    "no spending is refunded beyond itself": """
        SELECT e.member_id, e.currency_id, 'entry ' || e.number || ': ' || -sum(a.taken), e.amount::text
        FROM members_pointsentry e JOIN members_pointsallocation a
             ON a.member_id = e.member_id AND a.currency_id = e.currency_id AND a.origin = e.number
             AND a.origin <> a.entry AND a.taken < 0
        WHERE e.member_id BETWEEN %(a)s AND %(b)s AND e.kind IN ('spend', 'post')
        GROUP BY e.member_id, e.currency_id, e.number, e.amount HAVING -sum(a.taken) > e.amount
    """,
    "no source is reversed beyond what it earned": """
        WITH RECURSIVE pair (one, other) AS (
            SELECT member_id, to_member_id FROM members_pointsmove
            UNION SELECT to_member_id, member_id FROM members_pointsmove
        ), related (member_id, other) AS (
            SELECT one, other FROM pair UNION SELECT r.member_id, p.other FROM related r JOIN pair p ON p.one = r.other
        ), roots AS (
            SELECT member_id, LEAST(member_id, min(other)) AS root FROM related GROUP BY member_id
        ), mine AS (
            SELECT x.member_id, x.currency_id, COALESCE(o.root, x.member_id) AS root
            FROM members_pointsaccount x LEFT JOIN roots o ON o.member_id = x.member_id
            WHERE COALESCE(o.root, x.member_id) BETWEEN %(a)s AND %(b)s
        )
        SELECT x.root, x.currency_id, 'of ' || e.source || ': ' || sum(e.amount) FILTER (WHERE e.kind = 'reverse'),
               COALESCE(sum(e.amount) FILTER (WHERE e.kind = 'earn'), 0)::text
        FROM mine x JOIN members_pointsentry e ON e.member_id = x.member_id AND e.currency_id = x.currency_id
             AND e.kind IN ('earn', 'reverse') AND e.source <> ''
        GROUP BY x.root, x.currency_id, e.source
        HAVING COALESCE(sum(e.amount) FILTER (WHERE e.kind = 'reverse'), 0)
               > COALESCE(sum(e.amount) FILTER (WHERE e.kind = 'earn'), 0)
    """,
    "nothing falls due unnoticed": f"""
        SELECT member_id, currency_id, COALESCE(x.due_at::text, 'never'), d.due_at::text FROM {_ACCOUNTS} x
        JOIN LATERAL (SELECT points_next_due(ROW(x.*)::members_pointsaccount) AS due_at) d
             ON x.due_at IS NULL OR x.due_at > d.due_at
        WHERE d.due_at IS NOT NULL
    """,
    "accounts are closed where the ledger was moved, and nowhere else": f"""
        SELECT x.member_id, x.currency_id, COALESCE('closed at ' || x.closed_at, 'open'),
               COALESCE('moved at ' || o.moved_at, 'not moved')
        FROM {_ACCOUNTS} x LEFT JOIN members_pointsmove o ON o.member_id = x.member_id AND o.undone_at IS NULL
        WHERE (x.closed_at IS NULL) <> (o.id IS NULL)
    """,
    "whoever is not active or has received a ledger is booked in steps": f"""
        SELECT member_id, currency_id, 'at once', 'in steps' FROM {_ACCOUNTS} x
        WHERE NOT x.in_steps AND points_in_steps(x.member_id)
    """,
    "closed accounts are empty": f"""
        SELECT member_id, currency_id, concat_ws('/', x.pending, x.available, x.held), '0/0/0' FROM {_ACCOUNTS} x
        WHERE x.closed_at IS NOT NULL AND (x.pending, x.available, x.held) <> (0, 0, 0)
    """,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A promise that one account does not keep."""

    rule: str
    member_id: int
    currency_id: int
    found: str
    expected: str

    def __str__(self) -> str:
        whose = f"member {self.member_id}, currency {self.currency_id}"
        return f"{self.rule}: {whose}: {self.found}, should be {self.expected}"


def check(*, first: int | None = None, last: int | None = None) -> Iterator[Finding]:
    """Everything that is wrong, of the members from `first` to `last` (everybody), range by range.

    Of one rule and range the first 20 findings are told. Bookings may go on: each range is seen as of one instant.
    """
    for low, high in _ranges(first, last):
        alone = not connection.in_atomic_block
        with transaction.atomic(), connection.cursor() as cursor:
            if alone:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            for rule, statement in RULES.items():
                cursor.execute(f"{statement} ORDER BY 1, 2 LIMIT {_MOST}", {"a": low, "b": high})
                for member_id, currency_id, found, expected in cursor.fetchall():
                    yield Finding(rule, member_id, currency_id, str(found), str(expected))


def programme() -> dict[tuple[str, str], int]:
    """What stands on the programme's own accounts, by currency and account, with the members' as `members`.

    Per currency they add up to zero, and what was moved out was moved in.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH sides AS (
                SELECT currency_id, debit AS account, -sum(amount) AS amount FROM members_pointsentry GROUP BY 1, 2
                UNION ALL
                SELECT currency_id, credit, sum(amount) FROM members_pointsentry GROUP BY 1, 2
            )
            SELECT c.key, account, sum(amount) FROM (
                SELECT currency_id, account, amount FROM sides WHERE account NOT IN ('pending', 'available', 'held')
                UNION ALL
                SELECT currency_id, 'members', pending + available + held FROM members_pointsaccount
            ) s JOIN members_pointscurrency c ON c.id = s.currency_id
            GROUP BY 1, 2 ORDER BY 1, 2
            """
        )
        return {(key, account): int(amount) for key, account, amount in cursor.fetchall()}


def unbalanced() -> list[str]:
    """What the programme's accounts and the members' do not agree on."""
    found = programme()
    told = []
    for currency in sorted({currency for currency, _account in found}):
        total = sum(amount for (key, _account), amount in found.items() if key == currency)
        if total:
            told.append(f"{currency}: programme and members differ by {total}")
        if found.get((currency, "moved"), 0):
            told.append(f"{currency}: {found[currency, 'moved']} moved points did not arrive")
    return told


def _ranges(first: int | None, last: int | None) -> Iterator[tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(member_id), max(member_id) FROM members_pointsaccount")
        low, high = cursor.fetchone()
        # Entries without an account are looked for as well.
        cursor.execute("SELECT min(member_id), max(member_id) FROM members_pointsentry")
        least, most = cursor.fetchone()
    if low is None and least is None:
        return
    start = max(min(one for one in (low, least) if one is not None), first or 0)
    end = min(max(one for one in (high, most) if one is not None), last if last is not None else 2**62)
    while start <= end:
        yield start, min(start + RANGE - 1, end)
        start += RANGE
