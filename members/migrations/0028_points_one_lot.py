from importlib import import_module

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from scrm.common.functions import reword

_TAKINGS = """
-- Everything that entries did to lots, wherever it is written. Both halves have the same types and no condition of their
-- own, else PostgreSQL would read all of them where a join needs a few.
CREATE VIEW points_takings AS
    SELECT * FROM (
        SELECT member_id, currency_id, entry, lot, origin, taken, reserved FROM members_pointsallocation
        UNION ALL
        SELECT member_id, currency_id, number, lot, number, amount, 0::bigint FROM members_pointsentry
    ) x WHERE lot IS NOT NULL;
"""
# An allocation is taken of the newest entry only, which these are not.
_ALLOCATIONS = """
ALTER TABLE members_pointsallocation DISABLE TRIGGER points_allocation_fits;
INSERT INTO members_pointsallocation (member_id, currency_id, entry, lot, origin, taken)
SELECT member_id, currency_id, number, lot, number, amount FROM members_pointsentry WHERE lot IS NOT NULL;
ALTER TABLE members_pointsallocation ENABLE TRIGGER points_allocation_fits;
DROP VIEW points_takings;
"""
_ENTRY_FITS, *_ = import_module("members.migrations.0011_points")._CHECKS.partition("CREATE FUNCTION points_account_fits")
_FITS = "points_entry_fits(NEW.kind, NEW.debit, NEW.credit, NEW.amount, NEW.transaction, NEW.number)"
_COLUMNS = "                reference, source, reason, detail, actor, occurred_at, booked_at{}\n            ) VALUES ("
_VALUES = "'system'), p_now, p_now{}\n            );\n"
_ALLOCATION = """            INSERT INTO members_pointsallocation (member_id, currency_id, entry, lot, origin, taken)
            VALUES (p_member, p_currency, r.number, used, r.number, p_amount);
"""
_NEWEST = ("SELECT e.number, e.amount, g.taken, g.reserved INTO", "SELECT number, amount FROM members_pointsentry")
_TOO_MUCH = "IF newest.taken > newest.amount OR"
_WORDS = {
    # Said here, for a call less; in short lists, as PostgreSQL hashes those of nine and more, anew in each transaction.
    "points_entry_in_order": [
        (f"    IF {_FITS} IS NOT TRUE THEN",
         """    IF (NEW.amount BETWEEN 1 AND 1000000000000 AND NEW.transaction BETWEEN 1 AND NEW.number AND NEW.debit <> NEW.credit
        AND (NEW.kind IN ('earn', 'spend', 'adjust', 'refund', 'reverse', 'expire')
             OR NEW.kind IN ('activate', 'hold', 'post', 'release', 'move'))
        AND CASE WHEN NEW.debit IN ('pending', 'available', 'held') THEN
            NEW.credit IN ('pending', 'available', 'held')
            OR NEW.credit IN ('issued', 'redeemed', 'expired', 'reversed', 'adjusted', 'moved')
        ELSE NEW.debit IN ('issued', 'redeemed', 'expired', 'reversed', 'adjusted', 'moved')
            AND NEW.credit IN ('pending', 'available', 'held') END
        AND (NEW.lot IS NULL OR NEW.lot BETWEEN 1 AND NEW.number - 1 AND NEW.debit = 'available'
             AND NEW.kind IN ('spend', 'adjust'))) IS NOT TRUE
    THEN"""),
    ],
    "points_spend": [
        (_COLUMNS.format(""), _COLUMNS.format(", lot")),
        (_VALUES.format("") + _ALLOCATION, _VALUES.format(", used")),
        ("four plain statements", "three plain statements"),
        # Where the lot is, not its key: nobody else changes lots of an account that is locked.
        ("""WHERE t.member_id = p_member AND t.currency_id = p_currency AND t.remaining - t.held >= p_amount
          AND t.number = (
              SELECT l.number FROM""",
         """WHERE t.remaining - t.held >= p_amount
          AND t.ctid = (
              SELECT l.ctid FROM"""),
    ],
    "points_give_back": [
        ("AS taken FROM members_pointsallocation x", "AS taken FROM points_takings x"),
    ],
    "points_allocation_fits": [
        (_NEWEST[0], "SELECT e.number, e.amount, e.lot, g.taken, g.reserved INTO"),
        (_NEWEST[1], "SELECT number, amount, lot FROM members_pointsentry"),
        (_TOO_MUCH, "IF newest.lot IS NOT NULL OR newest.taken > newest.amount OR"),
        ("INTO given FROM members_pointsallocation", "INTO given FROM points_takings"),
    ],
}  # fmt: skip


def _into_the_entry(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for function, words in _WORDS.items():
        reword(schema_editor, function, words)


def _beside_it(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for function, words in _WORDS.items():
        reword(schema_editor, function, [(new, old) for old, new in reversed(words)])


class Migration(migrations.Migration):
    """What a spending takes of one lot stands in its entry; only what takes of several has rows of its own."""

    dependencies = [("members", "0027_points_in_steps")]

    operations = [
        migrations.AddField("pointsentry", "lot", models.BigIntegerField(null=True)),
        migrations.RunSQL(_TAKINGS, _ALLOCATIONS),
        migrations.RunPython(_into_the_entry, _beside_it),
        migrations.RunSQL("DROP FUNCTION points_entry_fits", _ENTRY_FITS),
    ]
