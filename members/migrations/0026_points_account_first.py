from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from scrm.common.functions import reword

_FUNCTIONS = """
-- Credit. `p_kind` is earn (from issued) or adjust (from adjusted).
-- Points are pending until `p_activates`. Arrears are repaid first. The member is held by the caller.
CREATE OR REPLACE FUNCTION points_earn(
    p_member bigint, p_currency bigint, p_amount bigint, p_kind text, p_reference text, p_source text,
    p_occurred timestamptz, p_activates timestamptz, p_expires timestamptz, p_reason text, p_detail jsonb,
    p_now timestamptz
) RETURNS points_answer LANGUAGE plpgsql AS $$
DECLARE
    a members_pointsaccount;
    r points_answer;
    owed bigint;
    now_available boolean := p_activates <= p_now;
    live bigint := CASE WHEN p_activates <= p_now THEN p_amount ELSE 0 END;
    was_due timestamptz;
    side text := CASE p_kind WHEN 'adjust' THEN 'adjusted' ELSE 'issued' END;
    due timestamptz := CASE WHEN p_activates <= p_now THEN p_expires ELSE p_activates END;
    idle int;
BEGIN
    -- The account first: changing it locks it, so that what is asked afterwards sees what others have committed. Three
    -- plain statements when nothing about the member is special; everything else takes the steps below.
    UPDATE members_pointsaccount y
    SET available = y.available + live, pending = y.pending + (p_amount - live), last_number = y.last_number + 1,
        due_at = LEAST(y.due_at, due)
    WHERE y.member_id = p_member AND y.currency_id = p_currency AND y.available >= 0 AND y.closed_at IS NULL
      AND y.idle_at IS NULL AND COALESCE(LEAST(y.due_at, due), 'infinity') > p_now
      AND p_amount BETWEEN 1 AND 1000000000000 AND y.pending + y.available + y.held + p_amount <= 1000000000000000
    RETURNING y.last_number, y.pending, y.available, y.held, OLD.due_at
    INTO r.number, r.pending, r.available, r.held, was_due;
    IF FOUND THEN
        INSERT INTO members_pointsentry (
            member_id, currency_id, number, transaction, kind, debit, credit, amount, available_after,
            reference, source, reason, detail, actor, occurred_at, booked_at
        )
        SELECT p_member, p_currency, r.number, r.number, p_kind, side,
               CASE WHEN now_available THEN 'available' ELSE 'pending' END, p_amount, r.available,
               p_reference, COALESCE(p_source, ''), COALESCE(p_reason, ''), COALESCE(p_detail, '{}'),
               COALESCE(NULLIF(current_setting('scrm.actor', true), ''), 'system'), p_occurred, p_now
        WHERE EXISTS (SELECT 1 FROM members_member WHERE id = p_member AND status = 'active')
          AND EXISTS (SELECT 1 FROM members_pointscurrency WHERE id = p_currency AND expiry <> 'inactivity')
          AND NOT EXISTS (
              SELECT 1 FROM members_pointsentry
              WHERE reference = p_reference AND member_id = p_member AND currency_id = p_currency AND kind = p_kind
                AND transaction = number)
          AND NOT EXISTS (SELECT 1 FROM members_pointsmove WHERE to_member_id = p_member AND undone_at IS NULL);
        IF FOUND THEN
            INSERT INTO members_pointslot (
                member_id, currency_id, number, earned, remaining, active, earned_at, activates_at, expires_at, source
            ) VALUES (
                p_member, p_currency, r.number, p_amount, p_amount, now_available, p_occurred, p_activates, p_expires,
                COALESCE(p_source, '')
            );
            r.duplicate := false;
            r.booked := p_amount;
            RETURN r;
        END IF;
        -- Back to what it was, still locked.
        UPDATE members_pointsaccount
        SET available = r.available - live, pending = r.pending - (p_amount - live), last_number = r.number - 1,
            due_at = was_due
        WHERE member_id = p_member AND currency_id = p_currency;
    END IF;

    a := points_account(p_member, p_currency, p_now);
    owed := GREATEST(-a.available, 0);
    r := points_known(a, ARRAY[p_kind], p_reference, p_amount, side, NULL);
    IF r.number IS NOT NULL THEN RETURN r; END IF;
    PERFORM points_checked(a, p_amount, true);
    a := points_append(
        a, p_kind, side,
        CASE WHEN now_available THEN 'available' ELSE 'pending' END,
        p_amount, NULL, p_reference, p_source, p_reason, p_detail, p_occurred, p_now
    );
    INSERT INTO members_pointslot (
        member_id, currency_id, number, earned, remaining, active, earned_at, activates_at, expires_at, source
    ) VALUES (
        p_member, p_currency, a.last_number, p_amount, p_amount, now_available, p_occurred, p_activates, p_expires,
        COALESCE(p_source, '')
    );
    IF now_available THEN
        PERFORM points_consume(p_member, p_currency, a.last_number, LEAST(owed, p_amount), NULL);
    END IF;
    r.number := a.last_number;
    SELECT expiry_count INTO idle FROM members_pointscurrency WHERE id = p_currency AND expiry = 'inactivity';
    a.idle_at := CASE WHEN idle IS NOT NULL THEN GREATEST(a.idle_at, p_now + idle * interval '1 day') END;
    a.due_at := LEAST(a.due_at, due, a.idle_at);
    -- A fact that comes so late that its points have expired by now.
    IF a.due_at <= p_now THEN a := points_settle(a, p_now);
    ELSE PERFORM points_store(a);
    END IF;
    r.duplicate := false;
    r.booked := p_amount;
    r.pending := a.pending;
    r.available := a.available;
    r.held := a.held;
    RETURN r;
END $$;

-- Debit of what is available. `p_kind` is spend (to redeemed) or adjust (to adjusted).
CREATE OR REPLACE FUNCTION points_spend(
    p_member bigint, p_currency bigint, p_amount bigint, p_kind text, p_reference text, p_source text,
    p_reason text, p_detail jsonb, p_now timestamptz
) RETURNS points_answer LANGUAGE plpgsql AS $$
DECLARE
    a members_pointsaccount;
    c record;
    r points_answer;
    used bigint;
    side text := CASE p_kind WHEN 'adjust' THEN 'adjusted' ELSE 'redeemed' END;
    -- Spendings and holds share references, so that a refund says which of them it means.
    kinds text[] := CASE p_kind WHEN 'spend' THEN ARRAY['spend', 'hold'] ELSE ARRAY[p_kind] END;
BEGIN
    -- The account first, as in `points_earn`; four plain statements when nothing about the member is special and one lot
    -- suffices.
    UPDATE members_pointsaccount y SET available = y.available - p_amount, last_number = y.last_number + 1
    WHERE y.member_id = p_member AND y.currency_id = p_currency AND y.available >= p_amount
      AND y.closed_at IS NULL AND y.idle_at IS NULL AND COALESCE(y.due_at, 'infinity') > p_now
      AND p_amount BETWEEN 1 AND 1000000000000
    RETURNING y.last_number, y.pending, y.available, y.held INTO r.number, r.pending, r.available, r.held;
    IF FOUND THEN
        UPDATE members_pointslot t SET remaining = t.remaining - p_amount
        WHERE t.member_id = p_member AND t.currency_id = p_currency AND t.remaining - t.held >= p_amount
          AND t.number = (
              SELECT l.number FROM members_pointslot l
              WHERE l.member_id = p_member AND l.currency_id = p_currency AND l.open AND l.active
                AND l.remaining > l.held
              ORDER BY l.expires_at, l.earned_at, l.number LIMIT 1)
          AND EXISTS (SELECT 1 FROM members_member WHERE id = p_member AND status = 'active')
          AND EXISTS (SELECT 1 FROM members_pointscurrency
                      WHERE id = p_currency AND expiry <> 'inactivity' AND (spendable OR p_kind <> 'spend'))
          AND NOT EXISTS (
              SELECT 1 FROM members_pointsentry
              WHERE reference = p_reference AND member_id = p_member AND currency_id = p_currency AND kind = ANY(kinds)
                AND transaction = number)
          AND NOT EXISTS (SELECT 1 FROM members_pointsmove WHERE to_member_id = p_member AND undone_at IS NULL)
        RETURNING t.number INTO used;
        IF FOUND THEN
            INSERT INTO members_pointsentry (
                member_id, currency_id, number, transaction, kind, debit, credit, amount, available_after,
                reference, source, reason, detail, actor, occurred_at, booked_at
            ) VALUES (
                p_member, p_currency, r.number, r.number, p_kind, 'available', side, p_amount, r.available,
                p_reference, COALESCE(p_source, ''), COALESCE(p_reason, ''), COALESCE(p_detail, '{}'),
                COALESCE(NULLIF(current_setting('scrm.actor', true), ''), 'system'), p_now, p_now
            );
            INSERT INTO members_pointsallocation (member_id, currency_id, entry, lot, origin, taken)
            VALUES (p_member, p_currency, r.number, used, r.number, p_amount);
            r.duplicate := false;
            r.booked := p_amount;
            RETURN r;
        END IF;
        -- Back to what it was, still locked.
        UPDATE members_pointsaccount SET available = r.available + p_amount, last_number = r.number - 1
        WHERE member_id = p_member AND currency_id = p_currency;
    END IF;

    a := points_account(p_member, p_currency, p_now);
    r := points_known(a, kinds, p_reference, p_amount, 'available', NULL);
    IF r.number IS NOT NULL THEN RETURN r; END IF;
    PERFORM points_checked(a, p_amount, true);
    SELECT spendable, CASE WHEN expiry = 'inactivity' THEN expiry_count END AS idle INTO c
    FROM members_pointscurrency WHERE id = p_currency;
    IF p_kind = 'spend' AND NOT c.spendable THEN
        RAISE EXCEPTION 'this currency cannot be spent' USING ERRCODE = 'LP009';
    END IF;
    IF a.available < 0 THEN RAISE EXCEPTION 'in arrears' USING ERRCODE = 'LP002', DETAIL = (-a.available)::text; END IF;
    IF a.available < p_amount THEN
        RAISE EXCEPTION 'not enough points' USING ERRCODE = 'LP001', DETAIL = a.available::text;
    END IF;
    a := points_append(
        a, p_kind, 'available', side, p_amount, NULL, p_reference, p_source, p_reason, p_detail, p_now, p_now
    );
    IF points_consume(p_member, p_currency, a.last_number, p_amount, NULL) <> p_amount THEN
        RAISE EXCEPTION 'lots and balance of member % differ', p_member;
    END IF;
    IF p_kind = 'spend' THEN
        a.idle_at := CASE WHEN c.idle IS NOT NULL THEN GREATEST(a.idle_at, p_now + c.idle * interval '1 day') END;
        a.due_at := LEAST(a.due_at, a.idle_at);
    END IF;
    PERFORM points_store(a);
    r.number := a.last_number;
    r.duplicate := false;
    r.booked := p_amount;
    r.pending := a.pending;
    r.available := a.available;
    r.held := a.held;
    RETURN r;
END $$;
"""

_ARREARS, _NEXT = "    a.arrears := GREATEST(-a.available, 0);\n", "    a.due_at := LEAST(\n"


def _forget_arrears(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    reword(schema_editor, "points_on_paper", [(_ARREARS + _NEXT, _NEXT)])


def _show_arrears(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    reword(schema_editor, "points_on_paper", [(_NEXT, _ARREARS + _NEXT)])


class Migration(migrations.Migration):
    """An ordinary movement changes the account first, which locks it, and then writes what follows from that.

    Three or four plain statements take less than the one with everything in it, and the member's summary is not
    touched: who calls holds the member, if anything else hangs on the movement.
    """

    dependencies = [("members", "0025_exact_counts")]

    operations = [
        # Going back keeps these functions: they book the same.
        migrations.RunSQL(_FUNCTIONS, migrations.RunSQL.noop),
        # What is missing to zero is worked out where it is asked for, not at every movement.
        migrations.RunPython(_forget_arrears, _show_arrears),
        migrations.RemoveField("pointsaccount", "arrears"),
    ]
