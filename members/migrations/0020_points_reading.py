from django.db import migrations

_FUNCTIONS = """
-- Repay up to `p_owed` out of the free part of available lots, what expires first first: `points_consume`, unwritten.
CREATE FUNCTION points_repaid(lots members_pointslot[], p_owed bigint)
RETURNS members_pointslot[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    i int;
    part bigint;
BEGIN
    FOR i IN
        SELECT s FROM generate_subscripts(lots, 1) AS s
        ORDER BY (lots[s]).expires_at, (lots[s]).earned_at, (lots[s]).number
    LOOP
        EXIT WHEN p_owed <= 0;
        CONTINUE WHEN NOT (lots[i]).active;
        part := LEAST(p_owed, (lots[i]).remaining - (lots[i]).held);
        lots[i].remaining := (lots[i]).remaining - part;
        p_owed := p_owed - part;
    END LOOP;
    RETURN lots;
END $$;

-- An account and its open lots on paper.
CREATE TYPE points_paper AS (account members_pointsaccount, lots members_pointslot[]);

-- What `points_settle` would leave at an instant, step by step in the order of time as it does, without writing.
CREATE FUNCTION points_on_paper(a members_pointsaccount, p_now timestamptz)
RETURNS points_paper LANGUAGE plpgsql STABLE AS $$
DECLARE
    answer points_paper;
    lots members_pointslot[] := ARRAY(
        SELECT l FROM members_pointslot l
        WHERE l.member_id = a.member_id AND l.currency_id = a.currency_id AND l.remaining > 0 ORDER BY l.number);
    past timestamptz := '-infinity';
    step record;
    h record;
    r record;
    c record;
    i int;
    owed bigint;
BEGIN
    SELECT grace_days AS grace, CASE WHEN expiry = 'inactivity' THEN expiry_count END AS idle INTO c
    FROM members_pointscurrency WHERE id = a.currency_id;
    LOOP
        SELECT s.at, s.what INTO step FROM (
            SELECT LEAST(l.expires_at, a.idle_at) AS at, 1 AS what FROM unnest(lots) AS l
            WHERE l.active AND l.remaining > l.held AND LEAST(l.expires_at, a.idle_at) <= p_now
            UNION ALL
            SELECT expires_at, 2 FROM members_pointshold
            WHERE member_id = a.member_id AND currency_id = a.currency_id AND state = 'open'
              AND expires_at <= p_now AND expires_at > past
            UNION ALL
            SELECT l.activates_at, 3 FROM unnest(lots) AS l
            WHERE NOT l.active AND l.remaining > 0 AND l.activates_at <= p_now
        ) s ORDER BY s.at, s.what LIMIT 1;
        EXIT WHEN NOT FOUND;
        IF step.what = 1 THEN
            FOR i IN SELECT s FROM generate_subscripts(lots, 1) AS s LOOP
                CONTINUE WHEN NOT (lots[i]).active OR (lots[i]).remaining <= (lots[i]).held
                    OR LEAST((lots[i]).expires_at, a.idle_at) IS DISTINCT FROM step.at;
                a.available := a.available - ((lots[i]).remaining - (lots[i]).held);
                lots[i].remaining := (lots[i]).held;
            END LOOP;
        ELSIF step.what = 2 THEN
            FOR h IN
                SELECT number, amount FROM members_pointshold
                WHERE member_id = a.member_id AND currency_id = a.currency_id AND state = 'open'
                  AND expires_at = step.at
                ORDER BY number
            LOOP
                owed := GREATEST(-a.available, 0);
                a.held := a.held - h.amount;
                a.available := a.available + h.amount;
                FOR r IN
                    SELECT lot, reserved FROM members_pointsallocation
                    WHERE member_id = a.member_id AND currency_id = a.currency_id AND entry = h.number
                LOOP
                    FOR i IN SELECT s FROM generate_subscripts(lots, 1) AS s WHERE (lots[s]).number = r.lot LOOP
                        lots[i].held := (lots[i]).held - r.reserved;
                        IF c.grace > 0 AND (lots[i]).expires_at <= step.at THEN
                            lots[i].expires_at := step.at + c.grace * interval '1 day';
                        END IF;
                    END LOOP;
                END LOOP;
                lots := points_repaid(lots, LEAST(owed, h.amount));
            END LOOP;
            past := step.at;
            IF a.idle_at <= step.at AND c.grace > 0 THEN a.idle_at := step.at + c.grace * interval '1 day'; END IF;
        ELSE
            FOR i IN SELECT s FROM generate_subscripts(lots, 1) AS s LOOP
                CONTINUE WHEN (lots[i]).active OR (lots[i]).remaining <= 0 OR (lots[i]).activates_at <> step.at;
                owed := GREATEST(-a.available, 0);
                lots[i].active := true;
                a.pending := a.pending - (lots[i]).remaining;
                a.available := a.available + (lots[i]).remaining;
                lots := points_repaid(lots, LEAST(owed, (lots[i]).remaining));
            END LOOP;
            IF c.idle IS NOT NULL THEN a.idle_at := GREATEST(a.idle_at, step.at + c.idle * interval '1 day'); END IF;
        END IF;
    END LOOP;
    a.arrears := GREATEST(-a.available, 0);
    a.due_at := LEAST(
        (SELECT min(expires_at) FROM members_pointshold
         WHERE member_id = a.member_id AND currency_id = a.currency_id AND state = 'open' AND expires_at > past),
        (SELECT min(CASE WHEN l.active THEN LEAST(l.expires_at, a.idle_at) ELSE l.activates_at END)
         FROM unnest(lots) AS l WHERE l.remaining > l.held));
    answer.account := a;
    answer.lots := lots;
    RETURN answer;
END $$;

-- The open lots as `points_settle` would leave them at an instant, in the order in which they are consumed.
CREATE FUNCTION points_lots_ahead(a members_pointsaccount, p_now timestamptz)
RETURNS SETOF members_pointslot LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF a.due_at IS NULL OR a.due_at > p_now THEN
        RETURN QUERY SELECT * FROM members_pointslot l
        WHERE l.member_id = a.member_id AND l.currency_id = a.currency_id AND l.remaining > 0
        ORDER BY l.expires_at, l.earned_at, l.number;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT l.* FROM unnest((points_on_paper(a, p_now)).lots) AS l
    WHERE l.remaining > 0 ORDER BY l.expires_at, l.earned_at, l.number;
END $$;

-- The account as `points_settle` would leave it at an instant, with the next instant at which time changes it.
-- Reads only: expiry, activation and the end of holds count from their instant, whether or not they are booked yet.
CREATE FUNCTION points_ahead(a members_pointsaccount, p_now timestamptz)
RETURNS members_pointsaccount LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF a.due_at IS NULL OR a.due_at > p_now THEN RETURN a; END IF;
    RETURN (points_on_paper(a, p_now)).account;
END $$;
"""

_DROP = """
DROP FUNCTION points_ahead, points_lots_ahead, points_on_paper, points_repaid;
DROP TYPE points_paper;
"""


class Migration(migrations.Migration):
    """Reading the ledger at an instant, before what time has brought is booked."""

    dependencies = [("members", "0019_points_moves")]

    operations = [migrations.RunSQL(_FUNCTIONS, _DROP)]
