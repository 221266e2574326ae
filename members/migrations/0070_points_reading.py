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

-- The open lots as `points_settle` would leave them at an instant, in the order in which they are consumed.
CREATE FUNCTION points_lots_ahead(a members_pointsaccount, p_now timestamptz)
RETURNS SETOF members_pointslot LANGUAGE plpgsql STABLE AS $$
DECLARE
    lots members_pointslot[];
    h record;
    r record;
    i int;
    part bigint;
    owed bigint := GREATEST(-a.available, 0);
    grace int;
BEGIN
    IF a.due_at IS NULL OR a.due_at > p_now THEN
        RETURN QUERY SELECT * FROM members_pointslot l
        WHERE l.member_id = a.member_id AND l.currency_id = a.currency_id AND l.remaining > 0
        ORDER BY l.expires_at, l.earned_at, l.number;
        RETURN;
    END IF;
    lots := ARRAY(
        SELECT l FROM members_pointslot l
        WHERE l.member_id = a.member_id AND l.currency_id = a.currency_id AND l.remaining > 0);
    FOR h IN
        SELECT number, amount, expires_at FROM members_pointshold
        WHERE member_id = a.member_id AND currency_id = a.currency_id AND state = 'open' AND expires_at <= p_now
        ORDER BY expires_at, number
    LOOP
        grace := COALESCE(grace, (SELECT grace_days FROM members_pointscurrency WHERE id = a.currency_id));
        FOR r IN
            SELECT lot, reserved FROM members_pointsallocation
            WHERE member_id = a.member_id AND currency_id = a.currency_id AND entry = h.number
        LOOP
            FOR i IN SELECT s FROM generate_subscripts(lots, 1) AS s WHERE (lots[s]).number = r.lot LOOP
                lots[i].held := (lots[i]).held - r.reserved;
                IF grace > 0 AND (lots[i]).expires_at <= h.expires_at THEN
                    lots[i].expires_at := h.expires_at + grace * interval '1 day';
                END IF;
            END LOOP;
        END LOOP;
        part := LEAST(owed, h.amount);
        lots := points_repaid(lots, part);
        owed := owed - part;
    END LOOP;
    FOR i IN
        SELECT s FROM generate_subscripts(lots, 1) AS s
        WHERE NOT (lots[s]).active AND (lots[s]).activates_at <= p_now
        ORDER BY (lots[s]).activates_at, (lots[s]).number
    LOOP
        lots[i].active := true;
        part := LEAST(owed, (lots[i]).remaining);
        lots := points_repaid(lots, part);
        owed := owed - part;
    END LOOP;
    FOR i IN
        SELECT s FROM generate_subscripts(lots, 1) AS s
        WHERE (lots[s]).active AND LEAST((lots[s]).expires_at, a.idle_at) <= p_now
    LOOP
        lots[i].remaining := (lots[i]).held;
    END LOOP;
    RETURN QUERY
    SELECT l.* FROM unnest(lots) AS l WHERE l.remaining > 0 ORDER BY l.expires_at, l.earned_at, l.number;
END $$;

-- The account as `points_settle` would leave it at an instant, with the next instant at which time changes it.
-- Reads only: expiry, activation and the end of holds count from their instant, whether or not they are booked yet.
CREATE FUNCTION points_ahead(a members_pointsaccount, p_now timestamptz)
RETURNS members_pointsaccount LANGUAGE plpgsql STABLE AS $$
DECLARE
    released bigint;
    hold_due timestamptz;
    was_pending bigint := a.pending;
    owed bigint := GREATEST(-a.available, 0);
    free bigint;
    lot_due timestamptz;
BEGIN
    IF a.due_at IS NULL OR a.due_at > p_now THEN RETURN a; END IF;
    SELECT COALESCE(sum(amount) FILTER (WHERE expires_at <= p_now), 0), min(expires_at) FILTER (WHERE expires_at > p_now)
    INTO released, hold_due FROM members_pointshold
    WHERE member_id = a.member_id AND currency_id = a.currency_id AND state = 'open';
    SELECT COALESCE(sum(l.remaining) FILTER (WHERE NOT l.active), 0),
           COALESCE(sum(l.remaining - l.held) FILTER (WHERE l.active), 0),
           min(CASE WHEN l.active THEN l.expires_at ELSE l.activates_at END) FILTER (WHERE l.remaining > l.held)
    INTO a.pending, free, lot_due
    FROM points_lots_ahead(a, p_now) AS l;
    a.held := a.held - released;
    a.available := free - GREATEST(owed - released - (was_pending - a.pending), 0);
    a.arrears := GREATEST(-a.available, 0);
    a.due_at := LEAST(hold_due, lot_due, CASE WHEN free > 0 AND a.idle_at > p_now THEN a.idle_at END);
    RETURN a;
END $$;
"""

_DROP = "DROP FUNCTION points_ahead, points_lots_ahead, points_repaid;"


class Migration(migrations.Migration):
    """Reading the ledger at an instant, before what time has brought is booked."""

    dependencies = [("members", "0060_points_moves")]

    operations = [migrations.RunSQL(_FUNCTIONS, _DROP)]
