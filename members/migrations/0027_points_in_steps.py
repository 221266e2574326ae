from importlib import import_module

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from scrm.common.functions import reword

_FUNCTIONS = """
-- Whether a member's bookings have to ask about everything.
CREATE FUNCTION points_in_steps(p_member bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (SELECT 1 FROM members_member WHERE id = p_member AND status = 'active')
        OR EXISTS (SELECT 1 FROM members_pointsmove WHERE to_member_id = p_member AND undone_at IS NULL)
$$;

-- New accounts, all of a statement together: a grant opens a million.
DROP TRIGGER points_account_closed ON members_pointsaccount;
DROP FUNCTION points_account_closed;
CREATE FUNCTION points_accounts_opened() RETURNS trigger LANGUAGE plpgsql
-- However many there are when it is planned, members are found by their ids.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    UPDATE members_pointsaccount x SET closed_at = o.moved_at
    FROM opened n JOIN members_pointsmove o ON o.member_id = n.member_id AND o.undone_at IS NULL
    WHERE n.closed_at IS NULL AND x.member_id = n.member_id AND x.currency_id = n.currency_id;
    -- The members are shared until the end, so that whoever changes a status afterwards finds the accounts. Who is being
    -- changed now is not waited for: the account then is booked in steps.
    WITH ordinary AS MATERIALIZED (
        SELECT m.id FROM opened n JOIN members_member m ON m.id = n.member_id
        WHERE m.status = 'active'
          AND NOT EXISTS (SELECT 1 FROM members_pointsmove o WHERE o.to_member_id = m.id AND o.undone_at IS NULL)
        FOR SHARE OF m SKIP LOCKED
    ), others AS MATERIALIZED (
        SELECT n.member_id, n.currency_id FROM opened n WHERE n.member_id NOT IN (SELECT id FROM ordinary)
    )
    UPDATE members_pointsaccount x SET in_steps = true FROM others n
    WHERE x.member_id = n.member_id AND x.currency_id = n.currency_id;
    -- What foreign keys would ask row by row, at a quarter of the cost of a grant. Shared in either way.
    IF FOUND THEN
        PERFORM 1 FROM opened n JOIN members_member m ON m.id = n.member_id FOR KEY SHARE OF m;
        IF EXISTS (SELECT 1 FROM opened n WHERE NOT EXISTS (SELECT 1 FROM members_member m WHERE m.id = n.member_id)) THEN
            RAISE EXCEPTION 'an account is of a member' USING ERRCODE = 'foreign_key_violation';
        END IF;
    END IF;
    PERFORM 1 FROM members_pointscurrency c WHERE c.id IN (SELECT currency_id FROM opened) FOR KEY SHARE;
    IF EXISTS (
        SELECT 1 FROM (SELECT DISTINCT currency_id FROM opened) n
        WHERE NOT EXISTS (SELECT 1 FROM members_pointscurrency c WHERE c.id = n.currency_id)
    ) THEN RAISE EXCEPTION 'an account is of a currency' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER points_accounts_opened AFTER INSERT ON members_pointsaccount
REFERENCING NEW TABLE AS opened FOR EACH STATEMENT EXECUTE FUNCTION points_accounts_opened();
CREATE FUNCTION points_account_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'members_member' AND EXISTS (SELECT 1 FROM members_pointsaccount WHERE member_id = OLD.id)
       OR TG_TABLE_NAME <> 'members_member' AND EXISTS (SELECT 1 FROM members_pointsaccount WHERE currency_id = OLD.id)
    THEN RAISE EXCEPTION 'there are accounts of it' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER points_account_kept AFTER DELETE OR UPDATE OF id ON members_member
FOR EACH ROW EXECUTE FUNCTION points_account_kept();
CREATE TRIGGER points_account_kept AFTER DELETE OR UPDATE OF id ON members_pointscurrency
FOR EACH ROW EXECUTE FUNCTION points_account_kept();

-- Accounts that are there already, whatever is said about them now: changing one waits for a booking under way.
CREATE FUNCTION points_status_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE members_pointsaccount SET in_steps = points_in_steps(NEW.id) WHERE member_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER points_status_changed AFTER UPDATE OF status ON members_member
FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION points_status_changed();
CREATE FUNCTION points_ledger_received() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE members_pointsaccount SET in_steps = points_in_steps(NEW.to_member_id) WHERE member_id = NEW.to_member_id;
    RETURN NULL;
END $$;
CREATE TRIGGER points_ledger_received AFTER INSERT OR UPDATE OF undone_at ON members_pointsmove
FOR EACH ROW EXECUTE FUNCTION points_ledger_received();

-- As the check of accounts: PostgreSQL reads the words of a check anew at each statement.
CREATE FUNCTION points_lot_fits(earned bigint, held bigint, remaining bigint) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN earned >= 1 AND held >= 0 AND remaining BETWEEN held AND earned;
END $$;

-- One guard at each new row instead of a check and a guard.
CREATE OR REPLACE FUNCTION points_entry_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF points_entry_fits(NEW.kind, NEW.debit, NEW.credit, NEW.amount, NEW.transaction, NEW.number) IS NOT TRUE THEN
        RAISE EXCEPTION 'an entry does not fit (points_entry_fits)'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'points_entry_fits';
    END IF;
    IF NEW.number > 1 AND NOT EXISTS (
        SELECT 1 FROM members_pointsentry
        WHERE member_id = NEW.member_id AND currency_id = NEW.currency_id AND number = NEW.number - 1
    ) THEN RAISE EXCEPTION 'entries are booked in order' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION points_allocation_fits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    newest record;
    given record;
BEGIN
    IF NEW.taken = 0 AND NEW.reserved = 0 OR NEW.origin > NEW.entry THEN
        RAISE EXCEPTION 'an allocation is not sound (points_allocation_sound)'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'points_allocation_sound';
    END IF;
    SELECT e.number, e.amount, g.taken, g.reserved INTO newest
    FROM (
        SELECT number, amount FROM members_pointsentry
        WHERE member_id = NEW.member_id AND currency_id = NEW.currency_id ORDER BY number DESC LIMIT 1
    ) e CROSS JOIN (
        SELECT sum(GREATEST(taken, 0)) AS taken, sum(GREATEST(reserved, 0)) AS reserved FROM members_pointsallocation
        WHERE member_id = NEW.member_id AND currency_id = NEW.currency_id AND entry = NEW.entry
    ) g;
    IF newest.number IS DISTINCT FROM NEW.entry THEN
        RAISE EXCEPTION 'only the newest entry takes' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF newest.taken > newest.amount OR newest.reserved > newest.amount THEN
        RAISE EXCEPTION 'an entry takes more than it moved' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.taken < 0 OR NEW.reserved < 0 THEN
        SELECT sum(taken) AS taken, sum(reserved) AS reserved INTO given FROM members_pointsallocation
        WHERE member_id = NEW.member_id AND currency_id = NEW.currency_id AND lot = NEW.lot
          AND (entry = NEW.origin OR origin = NEW.origin AND origin <> entry);
        IF NEW.taken < 0 AND given.taken < 0 OR NEW.reserved < 0 AND given.reserved < 0 THEN
            RAISE EXCEPTION 'more is given back than was taken' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;
"""
# What is there already.
_FILL = """
UPDATE members_pointsaccount x SET in_steps = true
WHERE EXISTS (SELECT 1 FROM members_member m WHERE m.id = x.member_id AND m.status <> 'active')
   OR EXISTS (SELECT 1 FROM members_pointsmove o WHERE o.to_member_id = x.member_id AND o.undone_at IS NULL);
"""
_BACK = """
DROP TRIGGER points_ledger_received ON members_pointsmove;
DROP TRIGGER points_status_changed ON members_member;
DROP TRIGGER points_accounts_opened ON members_pointsaccount;
DROP TRIGGER points_account_kept ON members_member;
DROP TRIGGER points_account_kept ON members_pointscurrency;
DROP FUNCTION points_account_kept, points_ledger_received, points_status_changed, points_accounts_opened, points_in_steps,
    points_lot_fits;
CREATE FUNCTION points_account_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.closed_at := COALESCE(NEW.closed_at, (
        SELECT moved_at FROM members_pointsmove WHERE member_id = NEW.member_id AND undone_at IS NULL));
    RETURN NEW;
END $$;
CREATE TRIGGER points_account_closed BEFORE INSERT ON members_pointsaccount
FOR EACH ROW EXECUTE FUNCTION points_account_closed();
"""

_ACTIVE = "EXISTS (SELECT 1 FROM members_member WHERE id = p_member AND status = 'active')"
_RECEIVED = """
          AND NOT EXISTS (SELECT 1 FROM members_pointsmove WHERE to_member_id = p_member AND undone_at IS NULL)"""
# What the two functions say of an ordinary movement, and what they say from now on: one flag of the account, which is
# locked by then, for two look-ups that each movement paid for.
_WORDS = {
    "points_earn": [
        ("      AND y.idle_at IS NULL AND COALESCE(", "      AND y.idle_at IS NULL AND NOT y.in_steps AND COALESCE("),
        (f"        WHERE {_ACTIVE}\n          AND EXISTS (", "        WHERE EXISTS ("),
        (_RECEIVED, ""),
    ],
    "points_spend": [
        ("      AND y.closed_at IS NULL AND y.idle_at IS NULL AND COALESCE(",
         "      AND y.closed_at IS NULL AND y.idle_at IS NULL AND NOT y.in_steps AND COALESCE("),
        (f"          AND {_ACTIVE}\n", ""),
        (_RECEIVED, ""),
    ],
}  # fmt: skip


def _ask_the_account(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for function, words in _WORDS.items():
        reword(schema_editor, function, words)


def _ask_the_tables(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    before = import_module("members.migrations.0026_points_account_first")
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(before._FUNCTIONS)


class Migration(migrations.Migration):
    """An account knows whether its bookings have to ask about everything; one guard for each new row instead of two."""

    dependencies = [("members", "0026_points_account_first")]

    operations = [
        migrations.AddField("pointsaccount", "in_steps", models.BooleanField(db_default=False)),
        migrations.AlterField(
            "pointsaccount",
            "member",
            models.ForeignKey(
                on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False, to="members.member"
            ),
        ),
        migrations.AlterField(
            "pointsaccount",
            "currency",
            models.ForeignKey(
                on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False, to="members.pointscurrency"
            ),
        ),
        migrations.RunSQL(_FUNCTIONS, _BACK),
        migrations.RemoveConstraint("pointslot", "points_lot_within_earned"),
        migrations.AddConstraint(
            "pointslot",
            models.CheckConstraint(
                condition=models.Func(
                    "earned", "held", "remaining", function="points_lot_fits", output_field=models.BooleanField()
                ),
                name="points_lot_fits",
            ),
        ),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
        migrations.RemoveConstraint("pointsentry", "points_entry_fits"),
        migrations.RemoveConstraint("pointsallocation", "points_allocation_sound"),
        migrations.RunPython(_ask_the_account, _ask_the_tables),
    ]
