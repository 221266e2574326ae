from django.db import migrations, models

# Where functions ask for open lots of the table: asking by the column is what finds the index.
_ASKING = {
    "points_consume": ["remaining > 0 AND active"],
    "points_next_due": ["remaining > 0 AND remaining > held"],
    "points_settle": ["remaining > 0 AND remaining > held", "remaining > 0 AND NOT active"],
    "points_spend": ["t.remaining > 0 AND t.active"],
    "points_hold": ["remaining > 0 AND active"],
    "points_reverse": ["t.remaining > 0"],
    "points_carry": ["remaining > 0 ORDER BY number"],
    "points_on_paper": ["l.remaining > 0 ORDER BY l.number"],
    "points_lots_ahead": ["l.currency_id = a.currency_id AND l.remaining > 0"],
}
_OPEN, _REMAINING = "open", "remaining > 0"

_GUARDS = """
-- Entries come one after the other: with the unique number, each account's are numbered without gaps.
CREATE OR REPLACE FUNCTION points_entry_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.number > 1 AND NOT EXISTS (
        SELECT 1 FROM members_pointsentry
        WHERE member_id = NEW.member_id AND currency_id = NEW.currency_id AND number = NEW.number - 1
    ) THEN RAISE EXCEPTION 'entries are booked in order' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
-- Without a WHEN, which is read and prepared anew for every statement.
DROP TRIGGER points_entry_in_order ON members_pointsentry;
CREATE TRIGGER points_entry_in_order BEFORE INSERT ON members_pointsentry
FOR EACH ROW EXECUTE FUNCTION points_entry_in_order();

-- An allocation belongs to the newest entry, takes no more than it moved, and gives back no more than was taken. After
-- the statement, which may write the entry as well.
CREATE OR REPLACE FUNCTION points_allocation_fits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    newest record;
    given record;
BEGIN
    SELECT number, amount INTO newest FROM members_pointsentry
    WHERE member_id = NEW.member_id AND currency_id = NEW.currency_id ORDER BY number DESC LIMIT 1;
    IF newest.number IS DISTINCT FROM NEW.entry THEN
        RAISE EXCEPTION 'only the newest entry takes' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.taken > 0 OR NEW.reserved > 0 THEN
        SELECT sum(GREATEST(taken, 0)) AS taken, sum(GREATEST(reserved, 0)) AS reserved INTO given
        FROM members_pointsallocation
        WHERE member_id = NEW.member_id AND currency_id = NEW.currency_id AND entry = NEW.entry;
        IF given.taken > newest.amount OR given.reserved > newest.amount THEN
            RAISE EXCEPTION 'an entry takes more than it moved' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
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

# Rows that are changed again and again keep some room on their page, so that a change touches no index. Little: the
# fuller a page may be, the less often it is tidied.
_ROOM = """
ALTER TABLE members_pointslot SET (fillfactor = 90);
ALTER TABLE members_pointsaccount SET (fillfactor = 90);
"""
_NO_ROOM = """
ALTER TABLE members_pointslot RESET (fillfactor);
ALTER TABLE members_pointsaccount RESET (fillfactor);
"""


def _ask(schema_editor: object, old: str, new: str) -> None:
    with schema_editor.connection.cursor() as cursor:  # type: ignore[attr-defined]
        for name, places in _ASKING.items():
            cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [name])
            text = cursor.fetchone()[0]
            for place in places:
                asked = place.replace(_REMAINING, old)
                if asked not in text:
                    raise ValueError(f"{name} does not say {asked!r}")
                text = text.replace(asked, place.replace(_REMAINING, new))
            cursor.execute(text)


def _by_column(_apps: object, schema_editor: object) -> None:
    _ask(schema_editor, _REMAINING, _OPEN)


def _by_amount(_apps: object, schema_editor: object) -> None:
    _ask(schema_editor, _OPEN, _REMAINING)


class Migration(migrations.Migration):
    """Spending a part of a lot touches no index; guards that cost less; one index fewer for every credit."""

    dependencies = [("members", "0021_points_console")]

    operations = [
        migrations.AddField(
            "pointslot",
            "open",
            models.GeneratedField(
                expression=models.ExpressionWrapper(models.Q(("remaining__gt", 0)), output_field=models.BooleanField()),
                output_field=models.BooleanField(),
                db_persist=True,
            ),
        ),
        migrations.RemoveIndex("pointslot", "points_lot_open"),
        migrations.RemoveIndex("pointslot", "points_lot_of_source"),
        migrations.AddIndex(
            "pointslot",
            models.Index(
                fields=["member", "currency", "expires_at", "earned_at", "number"],
                condition=models.Q(("open", True)),
                name="points_lot_open",
            ),
        ),
        migrations.RunPython(_by_column, _by_amount),
        migrations.RemoveConstraint("pointsallocation", "points_allocation_does_something"),
        migrations.RemoveConstraint("pointsallocation", "points_allocation_origin_before"),
        migrations.AddConstraint(
            "pointsallocation",
            models.CheckConstraint(
                condition=(~models.Q(taken=0) | ~models.Q(reserved=0)) & models.Q(origin__lte=models.F("entry")),
                name="points_allocation_sound",
            ),
        ),
        migrations.RunSQL(_GUARDS, migrations.RunSQL.noop),
        migrations.RunSQL(_ROOM, _NO_ROOM),
    ]
