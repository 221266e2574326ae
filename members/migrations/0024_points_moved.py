from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from scrm.common.functions import reword

# What functions say, and what they say from now on.
_WORDS = [
    # Nothing goes back to somebody who is not active: neither they nor anybody else could use it.
    (
        "points_unmove",
        """        RAISE EXCEPTION 'the account was moved' USING ERRCODE = 'LP013';
    END IF;
""",
        """        RAISE EXCEPTION 'the account was moved' USING ERRCODE = 'LP013';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM members_member WHERE id = m.member_id AND status = 'active') THEN
        RAISE EXCEPTION 'the member is not active' USING ERRCODE = 'LP018';
    END IF;
""",
    ),
    (
        "points_unmove",
        """SET undone_at = p_now WHERE id = p_move;
""",
        """SET undone_at = p_now WHERE id = p_move;
    PERFORM points_bring_along(m, p_now);
""",
    ),
    # Whoever's ledger was moved has a closed account in every currency, also where it is only asked for now.
    (
        "points_account",
        """WHERE id = p_member AND status = 'active') THEN""",
        """WHERE id = p_member AND status = 'active')
           AND NOT EXISTS (SELECT 1 FROM members_pointsmove WHERE member_id = p_member AND undone_at IS NULL) THEN""",
    ),
    (
        "points_earn_many",
        """x.member_id = m.id AND x.currency_id = p_currency)
    ORDER BY m.id""",
        """x.member_id = m.id AND x.currency_id = p_currency)
      AND NOT EXISTS (SELECT 1 FROM members_pointsmove o WHERE o.member_id = m.id AND o.undone_at IS NULL)
    ORDER BY m.id""",
    ),
]

_FUNCTIONS = """
-- Bring along what facts of a member, and of those whose ledger had come to that member, have earned where the ledger
-- was: what is left of it, lot by lot, whatever refunds may take back. What holds reserve stays. The move is undone.
CREATE FUNCTION points_bring_along(m members_pointsmove, p_now timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    f members_pointsaccount;
    t members_pointsaccount;
    c bigint;
    l record;
    side text;
    owed bigint;
    whose text[] := ARRAY(
        SELECT m.member_id::text UNION ALL SELECT origin::text FROM points_moved_among(ARRAY[m.member_id]));
BEGIN
    FOR c IN SELECT currency_id FROM members_pointsaccount WHERE member_id = m.to_member_id ORDER BY currency_id LOOP
        t := points_account(m.to_member_id, c, p_now);
        f := NULL;
        FOR l IN
            SELECT n.number, n.remaining - n.held AS part, n.active, n.earned_at, n.activates_at, n.expires_at, n.source,
                   e.detail
            FROM members_pointslot n
            JOIN members_pointsentry e ON e.member_id = n.member_id AND e.currency_id = n.currency_id
                 AND e.number = n.number
            WHERE n.member_id = t.member_id AND n.currency_id = c AND n.open AND n.remaining > n.held
              AND e.detail ->> 'of_member' = ANY(whose)
            ORDER BY n.number
        LOOP
            IF f.member_id IS NULL THEN f := points_account(m.member_id, c, p_now); END IF;
            side := CASE WHEN l.active THEN 'available' ELSE 'pending' END;
            owed := GREATEST(-f.available, 0);
            t := points_append(
                t, 'move', side, 'moved', l.part, NULL, 'move:' || m.id || ':' || t.last_number + 1, l.source, '',
                jsonb_build_object('unmove', m.id, 'to', m.member_id, 'of_member', l.detail -> 'of_member'),
                p_now, p_now);
            INSERT INTO members_pointsallocation (member_id, currency_id, entry, lot, origin, taken)
            VALUES (t.member_id, c, t.last_number, l.number, t.last_number, l.part);
            UPDATE members_pointslot SET remaining = remaining - l.part
            WHERE member_id = t.member_id AND currency_id = c AND number = l.number;
            f := points_append(
                f, 'move', 'moved', side, l.part, NULL, 'move:' || m.id || ':' || f.last_number + 1, l.source, '',
                CASE l.detail ->> 'of_member' WHEN m.member_id::text THEN l.detail - 'of_member' ELSE l.detail END
                || jsonb_build_object('unmove', m.id, 'from', m.to_member_id), p_now, p_now);
            INSERT INTO members_pointslot (
                member_id, currency_id, number, earned, remaining, active, earned_at, activates_at, expires_at, source
            ) VALUES (
                f.member_id, c, f.last_number, l.part, l.part, l.active, l.earned_at, l.activates_at, l.expires_at,
                l.source
            );
            IF l.active THEN
                PERFORM points_consume(f.member_id, c, f.last_number, LEAST(owed, l.part), NULL);
            END IF;
        END LOOP;
        IF f.member_id IS NOT NULL THEN
            f.idle_at := GREATEST(f.idle_at, t.idle_at);
            PERFORM points_settle(f, p_now);
            PERFORM points_settle(t, p_now);
        END IF;
    END LOOP;
END $$;

-- Accounts of a ledger that was moved are closed, also those of currencies that came later.
CREATE FUNCTION points_account_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.closed_at := COALESCE(NEW.closed_at, (
        SELECT moved_at FROM members_pointsmove WHERE member_id = NEW.member_id AND undone_at IS NULL));
    RETURN NEW;
END $$;
CREATE TRIGGER points_account_closed BEFORE INSERT ON members_pointsaccount
FOR EACH ROW EXECUTE FUNCTION points_account_closed();
"""
_DROP = """
DROP TRIGGER points_account_closed ON members_pointsaccount;
DROP FUNCTION points_account_closed, points_bring_along;
"""


def _mend(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for function, old, new in _WORDS:
        reword(schema_editor, function, [(old, new)])


def _back(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for function, old, new in _WORDS:
        reword(schema_editor, function, [(new, old)])


class Migration(migrations.Migration):
    """A ledger that was moved is closed in later currencies too; what goes back goes to active members, and takes
    along whatever their facts have earned meanwhile."""

    dependencies = [("members", "0023_points_back")]

    operations = [migrations.RunSQL(_FUNCTIONS, _DROP), migrations.RunPython(_mend, _back)]
