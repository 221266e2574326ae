from django.db import migrations, models

_FUNCTIONS = """
-- The answer of every movement.
CREATE TYPE points_answer AS (
    number bigint, duplicate boolean, booked bigint, pending bigint, available bigint, held bigint
);

-- Book one entry: moves the balances of `a`, numbers and writes the row. `a` is written back by the caller.
CREATE FUNCTION points_append(
    a members_pointsaccount, p_kind text, p_debit text, p_credit text, p_amount bigint, p_transaction bigint,
    p_reference text, p_source text, p_reason text, p_detail jsonb, p_occurred timestamptz, p_now timestamptz
) RETURNS members_pointsaccount LANGUAGE plpgsql AS $$
BEGIN
    a.last_number := a.last_number + 1;
    IF p_debit = 'available' THEN a.available := a.available - p_amount;
    ELSIF p_debit = 'pending' THEN a.pending := a.pending - p_amount;
    ELSIF p_debit = 'held' THEN a.held := a.held - p_amount;
    END IF;
    IF p_credit = 'available' THEN a.available := a.available + p_amount;
    ELSIF p_credit = 'pending' THEN a.pending := a.pending + p_amount;
    ELSIF p_credit = 'held' THEN a.held := a.held + p_amount;
    END IF;
    -- What comes in or goes out changes the total; what time brings does not, and so is never refused.
    IF abs(a.pending + a.available + a.held) > 1000000000000000 OR a.available < -1000000000000000 THEN
        RAISE EXCEPTION 'the balance would leave its range' USING ERRCODE = 'LP012';
    END IF;
    INSERT INTO members_pointsentry (
        member_id, currency_id, number, transaction, kind, debit, credit, amount, available_after,
        reference, source, reason, detail, actor, occurred_at, booked_at
    ) VALUES (
        a.member_id, a.currency_id, a.last_number, COALESCE(p_transaction, a.last_number), p_kind, p_debit, p_credit,
        p_amount, a.available, p_reference, COALESCE(p_source, ''), COALESCE(p_reason, ''), COALESCE(p_detail, '{}'),
        COALESCE(NULLIF(current_setting('scrm.actor', true), ''), 'system'), p_occurred, p_now
    );
    RETURN a;
END $$;

-- Take up to `p_amount` from the free part of available lots, what expires first first; of one source when given.
CREATE FUNCTION points_consume(p_member bigint, p_currency bigint, p_entry bigint, p_amount bigint, p_source text)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    l record;
    rest bigint := p_amount;
    part bigint;
BEGIN
    IF p_amount <= 0 THEN RETURN 0; END IF;
    FOR l IN
        SELECT number, remaining - held AS free FROM members_pointslot
        WHERE member_id = p_member AND currency_id = p_currency AND remaining > 0 AND active AND remaining > held
          AND (p_source IS NULL OR source = p_source)
        ORDER BY expires_at, earned_at, number
    LOOP
        part := LEAST(rest, l.free);
        UPDATE members_pointslot SET remaining = remaining - part
        WHERE member_id = p_member AND currency_id = p_currency AND number = l.number;
        INSERT INTO members_pointsallocation (member_id, currency_id, entry, lot, origin, taken)
        VALUES (p_member, p_currency, p_entry, l.number, p_entry, part);
        rest := rest - part;
        EXIT WHEN rest = 0;
    END LOOP;
    RETURN p_amount - rest;
END $$;

-- Give what a hold reserves and does not post back to its lots. Those that expired meanwhile get the days of grace.
CREATE FUNCTION points_unreserve(
    p_member bigint, p_currency bigint, p_entry bigint, p_hold bigint, p_amount bigint, p_now timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    l record;
    rest bigint := p_amount;
    part bigint;
    grace int := (SELECT grace_days FROM members_pointscurrency WHERE id = p_currency);
BEGIN
    FOR l IN
        SELECT r.lot, r.reserved, t.expires_at FROM (
            SELECT x.lot, sum(x.reserved)::bigint AS reserved FROM members_pointsallocation x
            WHERE x.member_id = p_member AND x.currency_id = p_currency
              AND (x.entry = p_hold OR x.origin = p_hold AND x.origin <> x.entry)
            GROUP BY x.lot
        ) r JOIN members_pointslot t ON t.member_id = p_member AND t.currency_id = p_currency AND t.number = r.lot
        WHERE r.reserved > 0 ORDER BY t.expires_at DESC, t.earned_at DESC, t.number DESC
    LOOP
        part := LEAST(rest, l.reserved);
        EXIT WHEN part = 0;
        UPDATE members_pointslot
        SET held = held - part,
            expires_at = CASE WHEN expires_at <= p_now AND grace > 0 THEN p_now + grace * interval '1 day'
                              ELSE expires_at END
        WHERE member_id = p_member AND currency_id = p_currency AND number = l.lot;
        INSERT INTO members_pointsallocation (member_id, currency_id, entry, lot, origin, reserved)
        VALUES (p_member, p_currency, p_entry, l.lot, p_hold, -part);
        rest := rest - part;
    END LOOP;
    IF rest <> 0 THEN RAISE EXCEPTION 'hold % reserves less than it says', p_hold; END IF;
END $$;

-- The next instant at which time alone changes the balances.
CREATE FUNCTION points_next_due(a members_pointsaccount) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT LEAST(
        (SELECT min(expires_at) FROM members_pointshold
         WHERE member_id = a.member_id AND currency_id = a.currency_id AND state = 'open'),
        (SELECT min(CASE WHEN active THEN LEAST(expires_at, a.idle_at) ELSE activates_at END) FROM members_pointslot
         WHERE member_id = a.member_id AND currency_id = a.currency_id AND remaining > 0 AND remaining > held)
    )
$$;

-- Book what time has brought by `p_now`, in the order in which it happened, so that it does not matter when it is
-- booked: lots expire, holds time out, lots become available. Writes the account.
CREATE FUNCTION points_settle(a members_pointsaccount, p_now timestamptz)
RETURNS members_pointsaccount LANGUAGE plpgsql AS $$
DECLARE
    step record;
    h record;
    l record;
    c record;
    owed bigint;
BEGIN
    SELECT grace_days AS grace, CASE WHEN expiry = 'inactivity' THEN expiry_count END AS idle INTO c
    FROM members_pointscurrency WHERE id = a.currency_id;
    LOOP
        SELECT s.at, s.what INTO step FROM (
            SELECT LEAST(expires_at, a.idle_at) AS at, 1 AS what FROM members_pointslot
            WHERE member_id = a.member_id AND currency_id = a.currency_id AND remaining > 0 AND remaining > held
              AND active AND LEAST(expires_at, a.idle_at) <= p_now
            UNION ALL
            SELECT expires_at, 2 FROM members_pointshold
            WHERE member_id = a.member_id AND currency_id = a.currency_id AND state = 'open' AND expires_at <= p_now
            UNION ALL
            SELECT activates_at, 3 FROM members_pointslot
            WHERE member_id = a.member_id AND currency_id = a.currency_id AND remaining > 0 AND NOT active
              AND activates_at <= p_now
        ) s ORDER BY s.at, s.what LIMIT 1;
        EXIT WHEN NOT FOUND;
        IF step.what = 1 THEN
            FOR l IN
                SELECT number, remaining - held AS free, source FROM members_pointslot
                WHERE member_id = a.member_id AND currency_id = a.currency_id AND remaining > 0 AND remaining > held
                  AND active AND LEAST(expires_at, a.idle_at) = step.at
                ORDER BY number
            LOOP
                a := points_append(
                    a, 'expire', 'available', 'expired', l.free, NULL,
                    'lot:' || l.number || '@' || extract(epoch FROM step.at)::bigint || '/' || a.last_number + 1,
                    l.source, '', '{}', step.at, p_now);
                UPDATE members_pointslot SET remaining = remaining - l.free
                WHERE member_id = a.member_id AND currency_id = a.currency_id AND number = l.number;
                INSERT INTO members_pointsallocation (member_id, currency_id, entry, lot, origin, taken)
                VALUES (a.member_id, a.currency_id, a.last_number, l.number, a.last_number, l.free);
            END LOOP;
        ELSIF step.what = 2 THEN
            FOR h IN
                SELECT number, amount, reference FROM members_pointshold
                WHERE member_id = a.member_id AND currency_id = a.currency_id AND state = 'open'
                  AND expires_at = step.at
                ORDER BY number
            LOOP
                owed := GREATEST(-a.available, 0);
                a := points_append(a, 'release', 'held', 'available', h.amount, NULL, h.reference, '', '',
                                   '{"timeout": true}', step.at, p_now);
                PERFORM points_unreserve(a.member_id, a.currency_id, a.last_number, h.number, h.amount, step.at);
                PERFORM points_consume(a.member_id, a.currency_id, a.last_number, LEAST(owed, h.amount), NULL);
                UPDATE members_pointshold SET state = 'timed_out', resolved_at = p_now
                WHERE member_id = a.member_id AND currency_id = a.currency_id AND number = h.number;
            END LOOP;
            IF a.idle_at <= step.at AND c.grace > 0 THEN a.idle_at := step.at + c.grace * interval '1 day'; END IF;
        ELSE
            FOR l IN
                SELECT number, remaining, source FROM members_pointslot
                WHERE member_id = a.member_id AND currency_id = a.currency_id AND remaining > 0 AND NOT active
                  AND activates_at = step.at
                ORDER BY number
            LOOP
                owed := GREATEST(-a.available, 0);
                UPDATE members_pointslot SET active = true
                WHERE member_id = a.member_id AND currency_id = a.currency_id AND number = l.number;
                a := points_append(a, 'activate', 'pending', 'available', l.remaining, NULL, 'lot:' || l.number,
                                   l.source, '', '{}', step.at, p_now);
                PERFORM points_consume(a.member_id, a.currency_id, a.last_number, LEAST(owed, l.remaining), NULL);
            END LOOP;
            -- The days without activity count from when points could first be spent.
            IF c.idle IS NOT NULL THEN a.idle_at := GREATEST(a.idle_at, step.at + c.idle * interval '1 day'); END IF;
        END IF;
    END LOOP;
    a.due_at := points_next_due(a);
    PERFORM points_store(a);
    RETURN a;
END $$;

CREATE FUNCTION points_store(a members_pointsaccount) RETURNS void LANGUAGE sql AS $$
    UPDATE members_pointsaccount
    SET pending = a.pending, available = a.available, held = a.held, last_number = a.last_number, due_at = a.due_at,
        idle_at = a.idle_at
    WHERE member_id = a.member_id AND currency_id = a.currency_id
$$;

-- The account, made when missing, locked until the transaction ends, with everything that is due booked.
-- Locks in the order of everybody who writes: the member's summary, then the account.
CREATE FUNCTION points_account(p_member bigint, p_currency bigint, p_now timestamptz)
RETURNS members_pointsaccount LANGUAGE plpgsql AS $$
DECLARE
    a members_pointsaccount;
BEGIN
    PERFORM 1 FROM members_membersummary WHERE member_id = p_member FOR NO KEY UPDATE;
    SELECT * INTO a FROM members_pointsaccount
    WHERE member_id = p_member AND currency_id = p_currency FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        IF NOT EXISTS (SELECT 1 FROM members_member WHERE id = p_member AND status = 'active') THEN
            RAISE EXCEPTION 'no such member' USING ERRCODE = 'LP011';
        END IF;
        INSERT INTO members_pointsaccount (member_id, currency_id) VALUES (p_member, p_currency)
        ON CONFLICT DO NOTHING;
        SELECT * INTO a FROM members_pointsaccount
        WHERE member_id = p_member AND currency_id = p_currency FOR NO KEY UPDATE;
    END IF;
    IF a.due_at <= p_now THEN a := points_settle(a, p_now); END IF;
    RETURN a;
END $$;

-- Whose ledgers were moved into those of these members and not moved back, over any number of moves.
CREATE FUNCTION points_moved_among(p_members bigint[]) RETURNS TABLE (holder bigint, origin bigint)
LANGUAGE sql STABLE AS $$ SELECT NULL::bigint, NULL::bigint WHERE false $$;

-- The member, and everybody whose ledger was ever moved to or from them: what a source earned may stand there.
CREATE FUNCTION points_related(p_member bigint) RETURNS bigint[]
LANGUAGE sql STABLE AS $$ SELECT ARRAY[p_member] $$;

-- The earlier booking under the reference, here or before a ledger was moved here. Refused when it was of another
-- kind (of those given, the first is the one being booked), amount or direction, or about something else.
CREATE FUNCTION points_known(
    a members_pointsaccount, p_kinds text[], p_reference text, p_amount bigint, p_debit text, p_about text
) RETURNS points_answer LANGUAGE plpgsql STABLE AS $$
DECLARE
    e members_pointsentry;
    r points_answer;
    asked bigint;
BEGIN
    SELECT * INTO e FROM members_pointsentry
    WHERE member_id = a.member_id AND currency_id = a.currency_id AND kind = ANY(p_kinds)
      AND reference = p_reference AND transaction = number
    LIMIT 1;
    IF NOT FOUND THEN
        SELECT x.* INTO e FROM points_moved_among(ARRAY[a.member_id]) g
        JOIN members_pointsentry x ON x.member_id = g.origin AND x.currency_id = a.currency_id AND x.kind = ANY(p_kinds)
             AND x.reference = p_reference AND x.transaction = x.number
        LIMIT 1;
        IF NOT FOUND THEN RETURN r; END IF;
    END IF;
    asked := CASE WHEN e.kind = 'reverse' THEN (e.detail ->> 'asked')::bigint ELSE e.amount END;
    IF e.kind <> p_kinds[1] OR asked <> p_amount OR e.debit <> p_debit
       OR p_about <> (CASE WHEN e.kind = 'refund' THEN e.detail ->> 'spent' ELSE e.source END)
    THEN RAISE EXCEPTION 'the reference was used for something else' USING ERRCODE = 'LP003', DETAIL = asked::text;
    END IF;
    r.number := e.number;
    r.duplicate := true;
    r.booked := e.amount;
    IF e.kind = 'reverse' THEN
        SELECT sum(amount) INTO r.booked FROM members_pointsentry
        WHERE member_id = e.member_id AND currency_id = e.currency_id AND transaction = e.number
          AND number BETWEEN e.number AND e.number + 1;
    END IF;
    r.pending := a.pending;
    r.available := a.available;
    r.held := a.held;
    RETURN r;
END $$;

-- Refuses amounts out of range and accounts that were moved; with `p_living` also members who are not active.
CREATE FUNCTION points_checked(a members_pointsaccount, p_amount bigint, p_living boolean)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_amount IS NULL OR p_amount < 1 OR p_amount > 1000000000000 THEN
        RAISE EXCEPTION 'amount out of range' USING ERRCODE = 'LP010';
    END IF;
    IF a.closed_at IS NOT NULL THEN RAISE EXCEPTION 'the account was moved' USING ERRCODE = 'LP013'; END IF;
    IF p_living AND NOT EXISTS (SELECT 1 FROM members_member WHERE id = a.member_id AND status = 'active') THEN
        RAISE EXCEPTION 'no such member' USING ERRCODE = 'LP011';
    END IF;
END $$;

-- Credit. `p_kind` is earn (from issued) or adjust (from adjusted).
-- Points are pending until `p_activates`. Arrears are repaid first.
CREATE FUNCTION points_earn(
    p_member bigint, p_currency bigint, p_amount bigint, p_kind text, p_reference text, p_source text,
    p_occurred timestamptz, p_activates timestamptz, p_expires timestamptz, p_reason text, p_detail jsonb,
    p_now timestamptz
) RETURNS points_answer LANGUAGE plpgsql AS $$
DECLARE
    a members_pointsaccount;
    r points_answer;
    owed bigint;
    now_available boolean := p_activates <= p_now;
    side text := CASE p_kind WHEN 'adjust' THEN 'adjusted' ELSE 'issued' END;
    due timestamptz := CASE WHEN p_activates <= p_now THEN p_expires ELSE p_activates END;
    idle int;
BEGIN
    PERFORM 1 FROM members_membersummary WHERE member_id = p_member FOR NO KEY UPDATE;
    -- One statement when nothing about the account is special; everything else takes the steps below.
    WITH x AS MATERIALIZED (
        SELECT last_number + 1 AS number, available + CASE WHEN now_available THEN p_amount ELSE 0 END AS available,
               pending + CASE WHEN now_available THEN 0 ELSE p_amount END AS pending
        FROM members_pointsaccount
        WHERE member_id = p_member AND currency_id = p_currency AND available >= 0 AND closed_at IS NULL
          AND idle_at IS NULL AND COALESCE(LEAST(due_at, due), 'infinity') > p_now
          AND p_amount BETWEEN 1 AND 1000000000000 AND pending + available + held + p_amount <= 1000000000000000
          AND EXISTS (SELECT 1 FROM members_member WHERE id = p_member AND status = 'active')
          AND EXISTS (SELECT 1 FROM members_pointscurrency WHERE id = p_currency AND expiry <> 'inactivity')
          AND NOT EXISTS (
              SELECT 1 FROM members_pointsentry
              WHERE reference = p_reference AND member_id = p_member AND currency_id = p_currency AND kind = p_kind
                AND transaction = number)
          AND NOT EXISTS (SELECT 1 FROM members_pointsmove WHERE to_member_id = p_member AND undone_at IS NULL)
    ), e AS (
        INSERT INTO members_pointsentry (
            member_id, currency_id, number, transaction, kind, debit, credit, amount, available_after,
            reference, source, reason, detail, actor, occurred_at, booked_at
        )
        SELECT p_member, p_currency, number, number, p_kind, side,
               CASE WHEN now_available THEN 'available' ELSE 'pending' END, p_amount, available,
               p_reference, COALESCE(p_source, ''), COALESCE(p_reason, ''), COALESCE(p_detail, '{}'),
               COALESCE(NULLIF(current_setting('scrm.actor', true), ''), 'system'), p_occurred, p_now
        FROM x
    ), l AS (
        INSERT INTO members_pointslot (
            member_id, currency_id, number, earned, remaining, active, earned_at, activates_at, expires_at, source
        )
        SELECT p_member, p_currency, number, p_amount, p_amount, now_available, p_occurred, p_activates, p_expires,
               COALESCE(p_source, '')
        FROM x
    )
    UPDATE members_pointsaccount y
    SET pending = x.pending, available = x.available, last_number = x.number, due_at = LEAST(y.due_at, due)
    FROM x WHERE y.member_id = p_member AND y.currency_id = p_currency
    RETURNING y.last_number, false, p_amount, y.pending, y.available, y.held INTO r;
    IF FOUND THEN RETURN r; END IF;

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
CREATE FUNCTION points_spend(
    p_member bigint, p_currency bigint, p_amount bigint, p_kind text, p_reference text, p_source text,
    p_reason text, p_detail jsonb, p_now timestamptz
) RETURNS points_answer LANGUAGE plpgsql AS $$
DECLARE
    a members_pointsaccount;
    c record;
    r points_answer;
    side text := CASE p_kind WHEN 'adjust' THEN 'adjusted' ELSE 'redeemed' END;
    -- Spendings and holds share references, so that a refund says which of them it means.
    kinds text[] := CASE p_kind WHEN 'spend' THEN ARRAY['spend', 'hold'] ELSE ARRAY[p_kind] END;
BEGIN
    PERFORM 1 FROM members_membersummary WHERE member_id = p_member FOR NO KEY UPDATE;
    -- One statement when nothing about the account is special and one lot suffices; everything else takes the steps
    -- below.
    WITH x AS MATERIALIZED (
        SELECT x.last_number + 1 AS number, x.available - p_amount AS available, l.number AS lot
        FROM members_pointsaccount x CROSS JOIN LATERAL (
            SELECT t.number, t.remaining - t.held AS free FROM members_pointslot t
            WHERE t.member_id = p_member AND t.currency_id = p_currency AND t.remaining > 0 AND t.active
              AND t.remaining > t.held
            ORDER BY t.expires_at, t.earned_at, t.number LIMIT 1
        ) l
        WHERE x.member_id = p_member AND x.currency_id = p_currency AND x.available >= p_amount AND l.free >= p_amount
          AND x.closed_at IS NULL AND x.idle_at IS NULL AND COALESCE(x.due_at, 'infinity') > p_now
          AND p_amount BETWEEN 1 AND 1000000000000
          AND EXISTS (SELECT 1 FROM members_member WHERE id = p_member AND status = 'active')
          AND EXISTS (SELECT 1 FROM members_pointscurrency
                      WHERE id = p_currency AND expiry <> 'inactivity' AND (spendable OR p_kind <> 'spend'))
          AND NOT EXISTS (
              SELECT 1 FROM members_pointsentry
              WHERE reference = p_reference AND member_id = p_member AND currency_id = p_currency AND kind = ANY(kinds)
                AND transaction = number)
          AND NOT EXISTS (SELECT 1 FROM members_pointsmove WHERE to_member_id = p_member AND undone_at IS NULL)
    ), e AS (
        INSERT INTO members_pointsentry (
            member_id, currency_id, number, transaction, kind, debit, credit, amount, available_after,
            reference, source, reason, detail, actor, occurred_at, booked_at
        )
        SELECT p_member, p_currency, number, number, p_kind, 'available', side, p_amount, available,
               p_reference, COALESCE(p_source, ''), COALESCE(p_reason, ''), COALESCE(p_detail, '{}'),
               COALESCE(NULLIF(current_setting('scrm.actor', true), ''), 'system'), p_now, p_now
        FROM x
    ), l AS (
        UPDATE members_pointslot t SET remaining = t.remaining - p_amount
        FROM x WHERE t.member_id = p_member AND t.currency_id = p_currency AND t.number = x.lot
    ), n AS (
        INSERT INTO members_pointsallocation (member_id, currency_id, entry, lot, origin, taken)
        SELECT p_member, p_currency, number, lot, number, p_amount FROM x
    )
    UPDATE members_pointsaccount y SET available = x.available, last_number = x.number
    FROM x WHERE y.member_id = p_member AND y.currency_id = p_currency
    RETURNING y.last_number, false, p_amount, y.pending, y.available, y.held INTO r;
    IF FOUND THEN RETURN r; END IF;

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

-- Set points aside until `p_expires`.
CREATE FUNCTION points_hold(
    p_member bigint, p_currency bigint, p_amount bigint, p_reference text, p_source text, p_expires timestamptz,
    p_reason text, p_now timestamptz
) RETURNS points_answer LANGUAGE plpgsql AS $$
DECLARE
    a members_pointsaccount := points_account(p_member, p_currency, p_now);
    r points_answer;
    l record;
    rest bigint := p_amount;
    part bigint;
BEGIN
    r := points_known(a, ARRAY['hold', 'spend'], p_reference, p_amount, 'available', NULL);
    IF r.number IS NOT NULL THEN RETURN r; END IF;
    PERFORM points_checked(a, p_amount, true);
    IF NOT (SELECT spendable FROM members_pointscurrency WHERE id = p_currency) THEN
        RAISE EXCEPTION 'this currency cannot be spent' USING ERRCODE = 'LP009';
    END IF;
    IF a.available < 0 THEN RAISE EXCEPTION 'in arrears' USING ERRCODE = 'LP002', DETAIL = (-a.available)::text; END IF;
    IF a.available < p_amount THEN
        RAISE EXCEPTION 'not enough points' USING ERRCODE = 'LP001', DETAIL = a.available::text;
    END IF;
    a := points_append(a, 'hold', 'available', 'held', p_amount, NULL, p_reference, p_source, p_reason, '{}', p_now, p_now);
    FOR l IN
        SELECT number, remaining - held AS free FROM members_pointslot
        WHERE member_id = p_member AND currency_id = p_currency AND remaining > 0 AND active AND remaining > held
        ORDER BY expires_at, earned_at, number
    LOOP
        part := LEAST(rest, l.free);
        UPDATE members_pointslot SET held = held + part
        WHERE member_id = p_member AND currency_id = p_currency AND number = l.number;
        INSERT INTO members_pointsallocation (member_id, currency_id, entry, lot, origin, reserved)
        VALUES (p_member, p_currency, a.last_number, l.number, a.last_number, part);
        rest := rest - part;
        EXIT WHEN rest = 0;
    END LOOP;
    IF rest <> 0 THEN RAISE EXCEPTION 'lots and balance of member % differ', p_member; END IF;
    INSERT INTO members_pointshold (member_id, currency_id, number, reference, amount, expires_at)
    VALUES (p_member, p_currency, a.last_number, p_reference, p_amount, p_expires);
    a.due_at := LEAST(a.due_at, p_expires);
    PERFORM points_store(a);
    r.number := a.last_number;
    r.duplicate := false;
    r.booked := p_amount;
    r.pending := a.pending;
    r.available := a.available;
    r.held := a.held;
    RETURN r;
END $$;

-- Resolve a hold: spend `p_amount` of it and release the rest; 0 voids it.
CREATE FUNCTION points_resolve(
    p_member bigint, p_currency bigint, p_reference text, p_amount bigint, p_reason text, p_detail jsonb,
    p_now timestamptz
) RETURNS points_answer LANGUAGE plpgsql AS $$
DECLARE
    a members_pointsaccount := points_account(p_member, p_currency, p_now);
    h members_pointshold;
    r points_answer;
    l record;
    rest bigint := p_amount;
    part bigint;
    owed bigint;
    c record;
BEGIN
    SELECT * INTO h FROM members_pointshold
    WHERE member_id = p_member AND currency_id = p_currency AND reference = p_reference;
    IF NOT FOUND THEN
        -- One that was resolved before the ledger was moved here.
        SELECT x.* INTO h FROM points_moved_among(ARRAY[p_member]) g
        JOIN members_pointshold x ON x.member_id = g.origin AND x.currency_id = p_currency
             AND x.reference = p_reference AND x.state NOT IN ('open', 'moved')
        LIMIT 1;
        IF NOT FOUND THEN RAISE EXCEPTION 'no such hold' USING ERRCODE = 'LP004'; END IF;
    END IF;
    IF h.state = 'moved' OR a.closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'the account was moved' USING ERRCODE = 'LP013';
    END IF;
    IF p_amount < 0 OR p_amount > h.amount THEN
        RAISE EXCEPTION 'more than was held' USING ERRCODE = 'LP006', DETAIL = h.amount::text;
    END IF;
    IF h.state <> 'open' THEN
        IF (h.state = 'posted' AND h.posted = p_amount) OR (h.state IN ('voided', 'timed_out') AND p_amount = 0) THEN
            SELECT number INTO r.number FROM members_pointsentry
            WHERE member_id = h.member_id AND currency_id = p_currency AND kind IN ('post', 'release')
              AND reference = p_reference AND transaction = number ORDER BY number LIMIT 1;
            r.duplicate := true;
            r.booked := p_amount;
            r.pending := a.pending;
            r.available := a.available;
            r.held := a.held;
            RETURN r;
        END IF;
        RAISE EXCEPTION 'the hold is resolved' USING ERRCODE = 'LP005', DETAIL = h.state;
    END IF;
    IF p_amount > 0 THEN
        a := points_append(a, 'post', 'held', 'redeemed', p_amount, NULL, p_reference, '', p_reason, p_detail, p_now, p_now);
        r.number := a.last_number;
        FOR l IN
            SELECT x.lot, x.reserved FROM members_pointsallocation x
            JOIN members_pointslot t ON t.member_id = p_member AND t.currency_id = p_currency AND t.number = x.lot
            WHERE x.member_id = p_member AND x.currency_id = p_currency AND x.entry = h.number
            ORDER BY t.expires_at, t.earned_at, t.number
        LOOP
            part := LEAST(rest, l.reserved);
            EXIT WHEN part = 0;
            UPDATE members_pointslot SET remaining = remaining - part, held = held - part
            WHERE member_id = p_member AND currency_id = p_currency AND number = l.lot;
            INSERT INTO members_pointsallocation (member_id, currency_id, entry, lot, origin, taken, reserved)
            VALUES (p_member, p_currency, a.last_number, l.lot, h.number, part, -part);
            rest := rest - part;
        END LOOP;
        IF rest <> 0 THEN RAISE EXCEPTION 'hold % reserves less than it says', h.number; END IF;
    END IF;
    IF p_amount < h.amount THEN
        owed := GREATEST(-a.available, 0);
        a := points_append(a, 'release', 'held', 'available', h.amount - p_amount, r.number, p_reference, '', p_reason,
                           '{}', p_now, p_now);
        PERFORM points_unreserve(p_member, p_currency, a.last_number, h.number, h.amount - p_amount, p_now);
        PERFORM points_consume(p_member, p_currency, a.last_number, LEAST(owed, h.amount - p_amount), NULL);
        r.number := COALESCE(r.number, a.last_number);
    END IF;
    UPDATE members_pointshold
    SET state = CASE WHEN p_amount > 0 THEN 'posted' ELSE 'voided' END, posted = p_amount, resolved_at = p_now
    WHERE member_id = p_member AND currency_id = p_currency AND number = h.number;
    SELECT grace_days AS grace, CASE WHEN expiry = 'inactivity' THEN expiry_count END AS idle INTO c
    FROM members_pointscurrency WHERE id = p_currency;
    IF p_amount > 0 AND c.idle IS NOT NULL THEN
        a.idle_at := GREATEST(a.idle_at, p_now + c.idle * interval '1 day');
    ELSIF a.idle_at <= p_now AND c.grace > 0 THEN
        a.idle_at := p_now + c.grace * interval '1 day';
    END IF;
    a := points_settle(a, p_now);
    r.duplicate := false;
    r.booked := p_amount;
    r.pending := a.pending;
    r.available := a.available;
    r.held := a.held;
    RETURN r;
END $$;

-- Give back `p_amount` of what the entry `e` spent, into the lots it was taken from, last taken first; arrears are
-- repaid first. Lots that have expired meanwhile get the days of grace. Writes the account.
CREATE FUNCTION points_give_back(
    a members_pointsaccount, e members_pointsentry, p_amount bigint, p_reference text, p_reason text, p_detail jsonb,
    p_now timestamptz
) RETURNS members_pointsaccount LANGUAGE plpgsql AS $$
DECLARE
    l record;
    back bigint;
    part bigint;
    rest bigint := p_amount;
    owed bigint := GREATEST(-a.available, 0);
    grace int := (SELECT grace_days FROM members_pointscurrency WHERE id = a.currency_id);
BEGIN
    SELECT COALESCE(-sum(taken), 0) INTO back FROM members_pointsallocation
    WHERE member_id = a.member_id AND currency_id = a.currency_id AND origin = e.number AND origin <> entry AND taken < 0;
    IF p_amount > e.amount - back THEN
        RAISE EXCEPTION 'more than was spent' USING ERRCODE = 'LP007', DETAIL = (e.amount - back)::text;
    END IF;
    a := points_append(a, 'refund', 'redeemed', 'available', p_amount, NULL, p_reference, e.source, p_reason,
                       COALESCE(p_detail, '{}') || jsonb_build_object('spent', e.reference), p_now, p_now);
    FOR l IN
        SELECT g.lot, g.taken FROM (
            SELECT x.lot, sum(x.taken)::bigint AS taken FROM members_pointsallocation x
            WHERE x.member_id = a.member_id AND x.currency_id = a.currency_id
              AND (x.entry = e.number OR x.origin = e.number AND x.origin <> x.entry)
            GROUP BY x.lot
        ) g JOIN members_pointslot t ON t.member_id = a.member_id AND t.currency_id = a.currency_id AND t.number = g.lot
        WHERE g.taken > 0 ORDER BY t.expires_at DESC, t.earned_at DESC, t.number DESC
    LOOP
        part := LEAST(rest, l.taken);
        EXIT WHEN part = 0;
        UPDATE members_pointslot
        SET remaining = remaining + part,
            expires_at = CASE WHEN expires_at <= p_now AND grace > 0 THEN p_now + grace * interval '1 day'
                              ELSE expires_at END
        WHERE member_id = a.member_id AND currency_id = a.currency_id AND number = l.lot;
        INSERT INTO members_pointsallocation (member_id, currency_id, entry, lot, origin, taken)
        VALUES (a.member_id, a.currency_id, a.last_number, l.lot, e.number, -part);
        rest := rest - part;
    END LOOP;
    IF rest <> 0 THEN RAISE EXCEPTION 'spending % took less than it says', e.number; END IF;
    PERFORM points_consume(a.member_id, a.currency_id, a.last_number, LEAST(owed, p_amount), NULL);
    IF a.idle_at <= p_now AND grace > 0 THEN a.idle_at := p_now + grace * interval '1 day'; END IF;
    RETURN points_settle(a, p_now);
END $$;

-- Give back what was spent before the ledger was moved to this member.
CREATE FUNCTION points_refund_moved(
    a members_pointsaccount, p_spent text, p_amount bigint, p_reference text, p_reason text, p_detail jsonb,
    p_now timestamptz
) RETURNS points_answer LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'nothing was spent under this reference' USING ERRCODE = 'LP008';
END $$;

-- Give back spent points. `p_spent` is the reference of the spending (or of the hold that was posted).
CREATE FUNCTION points_refund(
    p_member bigint, p_currency bigint, p_spent text, p_amount bigint, p_reference text, p_reason text,
    p_detail jsonb, p_now timestamptz
) RETURNS points_answer LANGUAGE plpgsql AS $$
DECLARE
    a members_pointsaccount := points_account(p_member, p_currency, p_now);
    r points_answer;
    e members_pointsentry;
    refund bigint;
BEGIN
    r := points_known(a, ARRAY['refund'], p_reference, p_amount, NULL, p_spent);
    IF r.number IS NOT NULL THEN RETURN r; END IF;
    PERFORM points_checked(a, p_amount, false);
    SELECT * INTO e FROM members_pointsentry
    WHERE member_id = p_member AND currency_id = p_currency AND kind IN ('spend', 'post') AND reference = p_spent
      AND transaction = number
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN points_refund_moved(a, p_spent, p_amount, p_reference, p_reason, p_detail, p_now);
    END IF;
    refund := a.last_number + 1;
    a := points_give_back(a, e, p_amount, p_reference, p_reason, p_detail, p_now);
    r.number := refund;
    r.duplicate := false;
    r.booked := p_amount;
    r.pending := a.pending;
    r.available := a.available;
    r.held := a.held;
    RETURN r;
END $$;

-- Take back what a source earned: pending points first, then what is left of its lots, then for what was spent of them
-- by policy other points, then into arrears. What has expired is gone already, and is not taken a second time.
-- Answers in `booked` how much was taken back.
CREATE FUNCTION points_reverse(
    p_member bigint, p_currency bigint, p_source text, p_amount bigint, p_reference text, p_reason text,
    p_detail jsonb, p_occurred timestamptz, p_now timestamptz
) RETURNS points_answer LANGUAGE plpgsql AS $$
DECLARE
    a members_pointsaccount := points_account(p_member, p_currency, p_now);
    r points_answer;
    l record;
    policy text;
    everybody bigint[] := points_related(p_member);
    gained numeric;
    reversed numeric;
    lapsed numeric;
    free bigint;
    spent bigint;
    rest bigint := p_amount;
    part bigint;
    from_pending bigint;
    from_source bigint;
    from_balance bigint;
    more jsonb := COALESCE(p_detail, '{}') || jsonb_build_object('asked', p_amount);
BEGIN
    r := points_known(a, ARRAY['reverse'], p_reference, p_amount, NULL, p_source);
    IF r.number IS NOT NULL THEN RETURN r; END IF;
    PERFORM points_checked(a, p_amount, false);
    -- What was moved was earned where it came from.
    SELECT COALESCE(sum(t.earned), 0) INTO gained FROM members_pointslot t
    JOIN members_pointsentry e ON e.member_id = t.member_id AND e.currency_id = t.currency_id AND e.number = t.number
    WHERE t.member_id = ANY(everybody) AND t.currency_id = p_currency AND t.source = p_source AND p_source <> ''
      AND e.kind <> 'move';
    SELECT COALESCE(sum(e.amount) FILTER (WHERE e.kind = 'reverse'), 0),
           COALESCE(sum(e.amount) FILTER (WHERE e.kind = 'expire'), 0)
    INTO reversed, lapsed FROM members_pointsentry e
    WHERE e.member_id = ANY(everybody) AND e.currency_id = p_currency AND e.source = p_source
      AND e.kind IN ('reverse', 'expire');
    IF p_amount > gained - reversed THEN
        RAISE EXCEPTION 'more than was earned' USING ERRCODE = 'LP007', DETAIL = (gained - reversed)::text;
    END IF;
    SELECT reversal INTO policy FROM members_pointscurrency WHERE id = p_currency;
    SELECT LEAST(rest, COALESCE(sum(t.remaining) FILTER (WHERE t.member_id = p_member AND NOT t.active), 0)),
           COALESCE(sum(t.remaining - t.held) FILTER (WHERE t.member_id = p_member AND t.active), 0),
           GREATEST(gained - reversed - lapsed - COALESCE(sum(t.remaining - t.held), 0), 0)
    INTO from_pending, free, spent FROM members_pointslot t
    WHERE t.member_id = ANY(everybody) AND t.currency_id = p_currency AND t.source = p_source;
    r.booked := 0;
    IF from_pending > 0 THEN
        a := points_append(a, 'reverse', 'pending', 'reversed', from_pending, NULL, p_reference, p_source, p_reason, more,
                           p_occurred, p_now);
        r.number := a.last_number;
        part := from_pending;
        FOR l IN
            SELECT t.number, LEAST(t.remaining, part) AS most FROM members_pointslot t
            WHERE t.member_id = p_member AND t.currency_id = p_currency AND t.source = p_source AND NOT t.active
              AND t.remaining > 0
            ORDER BY t.number
        LOOP
            EXIT WHEN part = 0;
            UPDATE members_pointslot SET remaining = remaining - LEAST(l.most, part)
            WHERE member_id = p_member AND currency_id = p_currency AND number = l.number;
            INSERT INTO members_pointsallocation (member_id, currency_id, entry, lot, origin, taken)
            VALUES (p_member, p_currency, a.last_number, l.number, a.last_number, LEAST(l.most, part));
            part := part - LEAST(l.most, part);
        END LOOP;
        rest := rest - from_pending;
        r.booked := from_pending;
    END IF;
    IF rest > 0 AND policy <> 'pending_only' THEN
        from_source := LEAST(rest, free);
        from_balance := LEAST(rest - from_source, spent);
        IF policy <> 'arrears' THEN
            from_balance := LEAST(from_balance, GREATEST(a.available, 0) - from_source);
        END IF;
        IF from_source + from_balance > 0 THEN
            part := GREATEST(LEAST(from_balance, GREATEST(a.available, 0) - from_source), 0);
            a := points_append(a, 'reverse', 'available', 'reversed', from_source + from_balance, r.number, p_reference,
                               p_source, p_reason, more, p_occurred, p_now);
            r.number := COALESCE(r.number, a.last_number);
            PERFORM points_consume(p_member, p_currency, a.last_number, from_source, p_source);
            PERFORM points_consume_more(p_member, p_currency, a.last_number, part);
            r.booked := r.booked + from_source + from_balance;
        END IF;
    END IF;
    PERFORM points_store(a);
    r.duplicate := false;
    r.pending := a.pending;
    r.available := a.available;
    r.held := a.held;
    RETURN r;
END $$;

-- The second taking of one entry: of a lot that it took from already the allocation is not there twice, because
-- what is left of the source's lots is nothing.
CREATE FUNCTION points_consume_more(p_member bigint, p_currency bigint, p_entry bigint, p_amount bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF points_consume(p_member, p_currency, p_entry, p_amount, NULL) <> p_amount THEN
        RAISE EXCEPTION 'lots and balance of member % differ', p_member;
    END IF;
END $$;

-- Credit many members at once, each at most once per call; arrays run in parallel. Members that are merged, erased or
-- unknown are left out. Answers what was booked; a reference that was booked before is a duplicate.
CREATE FUNCTION points_earn_many(
    p_currency bigint, p_kind text, p_members bigint[], p_amounts bigint[], p_references text[], p_sources text[],
    p_occurred timestamptz[], p_activates timestamptz[], p_expires timestamptz[], p_details text[], p_reason text,
    p_now timestamptz
) RETURNS TABLE (earning_member bigint, entry_number bigint, was_known boolean) LANGUAGE plpgsql
-- Planned for any members: weighing thousands of ids, one by one at each statement, is a fifth of the work.
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    a members_pointsaccount;
    owing bigint[];
    last bigint[];
    idle int := (SELECT expiry_count FROM members_pointscurrency WHERE id = p_currency AND expiry = 'inactivity');
BEGIN
    IF EXISTS (SELECT 1 FROM unnest(p_amounts) AS x (amount) WHERE amount IS NULL OR amount NOT BETWEEN 1 AND 1000000000000)
    THEN RAISE EXCEPTION 'amount out of range' USING ERRCODE = 'LP010';
    END IF;
    PERFORM 1 FROM members_membersummary s WHERE s.member_id = ANY(p_members) ORDER BY s.member_id FOR NO KEY UPDATE;
    INSERT INTO members_pointsaccount (member_id, currency_id)
    SELECT m.id, p_currency FROM members_member m
    WHERE m.id = ANY(p_members) AND m.status = 'active' AND NOT EXISTS (
        SELECT 1 FROM members_pointsaccount x WHERE x.member_id = m.id AND x.currency_id = p_currency)
    ORDER BY m.id ON CONFLICT DO NOTHING;
    PERFORM 1 FROM members_pointsaccount x WHERE x.member_id = ANY(p_members) AND x.currency_id = p_currency
    ORDER BY x.member_id FOR NO KEY UPDATE;
    FOR a IN
        SELECT * FROM members_pointsaccount x
        WHERE x.member_id = ANY(p_members) AND x.currency_id = p_currency AND x.due_at <= p_now
    LOOP
        PERFORM points_settle(a, p_now);
    END LOOP;
    SELECT array_agg(x.member_id), array_agg(x.last_number) INTO owing, last FROM members_pointsaccount x
    WHERE x.member_id = ANY(p_members) AND x.currency_id = p_currency AND x.available < 0;
    RETURN QUERY
    WITH moved AS MATERIALIZED (
        SELECT holder, origin FROM points_moved_among(p_members)
    ), given AS MATERIALIZED (
        SELECT g.*, x.available, x.last_number + 1 AS number, g.activates <= p_now AS at_once,
               EXISTS (
                   SELECT 1 FROM members_pointsentry e
                   WHERE e.member_id = g.member_id AND e.currency_id = p_currency AND e.kind = p_kind
                     AND e.reference = g.reference AND e.transaction = e.number
               ) OR EXISTS (
                   SELECT 1 FROM moved m JOIN members_pointsentry e
                   ON e.member_id = m.origin AND e.currency_id = p_currency AND e.kind = p_kind
                      AND e.reference = g.reference AND e.transaction = e.number
                   WHERE m.holder = g.member_id
               ) AS known
        FROM unnest(p_members, p_amounts, p_references, p_sources, p_occurred, p_activates, p_expires, p_details)
             AS g (member_id, amount, reference, source, occurred, activates, expires, detail)
        JOIN members_pointsaccount x ON x.member_id = g.member_id AND x.currency_id = p_currency
        JOIN members_member m ON m.id = g.member_id AND m.status = 'active'
        WHERE x.closed_at IS NULL
    ), entries AS (
        INSERT INTO members_pointsentry (
            member_id, currency_id, number, transaction, kind, debit, credit, amount, available_after, reference,
            source, reason, detail, actor, occurred_at, booked_at
        )
        SELECT g.member_id, p_currency, g.number, g.number, p_kind,
               CASE p_kind WHEN 'adjust' THEN 'adjusted' ELSE 'issued' END,
               CASE WHEN g.at_once THEN 'available' ELSE 'pending' END, g.amount,
               g.available + CASE WHEN g.at_once THEN g.amount ELSE 0 END, g.reference, COALESCE(g.source, ''),
               COALESCE(p_reason, ''), COALESCE(g.detail, '{}')::jsonb,
               COALESCE(NULLIF(current_setting('scrm.actor', true), ''), 'system'), g.occurred, p_now
        FROM given g WHERE NOT g.known
    ), lots AS (
        INSERT INTO members_pointslot (
            member_id, currency_id, number, earned, remaining, active, earned_at, activates_at, expires_at, source
        )
        SELECT g.member_id, p_currency, g.number, g.amount, g.amount, g.at_once, g.occurred, g.activates, g.expires,
               COALESCE(g.source, '')
        FROM given g WHERE NOT g.known
    ), accounts AS (
        UPDATE members_pointsaccount x
        SET available = x.available + CASE WHEN g.at_once THEN g.amount ELSE 0 END,
            pending = x.pending + CASE WHEN g.at_once THEN 0 ELSE g.amount END,
            last_number = g.number,
            idle_at = CASE WHEN idle IS NOT NULL THEN GREATEST(x.idle_at, p_now + idle * interval '1 day') END,
            due_at = LEAST(x.due_at, CASE WHEN g.at_once THEN g.expires ELSE g.activates END,
                           p_now + idle * interval '1 day')
        FROM given g WHERE NOT g.known AND x.member_id = g.member_id AND x.currency_id = p_currency
    )
    SELECT g.member_id, CASE WHEN NOT g.known THEN g.number END, g.known FROM given g;
    IF EXISTS (
        SELECT 1 FROM members_pointsaccount x WHERE x.member_id = ANY(p_members) AND x.currency_id = p_currency
          AND x.pending + x.available + x.held > 1000000000000000
    ) THEN RAISE EXCEPTION 'a balance would leave its range' USING ERRCODE = 'LP012';
    END IF;
    -- Of those who were in arrears: those who were credited now have their credit as the newest entry.
    PERFORM points_consume(x.member_id, p_currency, e.number, LEAST(e.amount - x.available, e.amount), NULL)
    FROM unnest(owing, last) AS o (member_id, number)
    JOIN members_pointsaccount x ON x.member_id = o.member_id AND x.currency_id = p_currency
    JOIN members_pointsentry e ON e.member_id = x.member_id AND e.currency_id = p_currency AND e.number = x.last_number
    WHERE x.last_number > o.number AND e.credit = 'available';
    FOR a IN
        SELECT * FROM members_pointsaccount x
        WHERE x.member_id = ANY(p_members) AND x.currency_id = p_currency AND x.due_at <= p_now
    LOOP
        PERFORM points_settle(a, p_now);
    END LOOP;
END $$;
"""

_GUARDS = """
-- Entries come one after the other: with the unique number, each account's are numbered without gaps.
CREATE FUNCTION points_entry_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM members_pointsentry
        WHERE member_id = NEW.member_id AND currency_id = NEW.currency_id AND number = NEW.number - 1
    ) THEN RAISE EXCEPTION 'entries are booked in order' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER points_entry_in_order BEFORE INSERT ON members_pointsentry
FOR EACH ROW WHEN (NEW.number <> 1) EXECUTE FUNCTION points_entry_in_order();

-- An allocation belongs to the newest entry, takes no more than it moved, and gives back no more than was taken.
CREATE FUNCTION points_allocation_fits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    newest record;
    given record;
BEGIN
    SELECT e.number, e.amount, g.taken, g.reserved INTO newest FROM members_pointsentry e CROSS JOIN LATERAL (
        SELECT sum(taken) FILTER (WHERE taken > 0) AS taken, sum(reserved) FILTER (WHERE reserved > 0) AS reserved
        FROM members_pointsallocation
        WHERE member_id = NEW.member_id AND currency_id = NEW.currency_id AND entry = NEW.entry
    ) g
    WHERE e.member_id = NEW.member_id AND e.currency_id = NEW.currency_id ORDER BY e.number DESC LIMIT 1;
    IF newest.number IS DISTINCT FROM NEW.entry THEN
        RAISE EXCEPTION 'only the newest entry takes' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.taken > 0 OR NEW.reserved > 0) AND GREATEST(newest.taken, newest.reserved) > newest.amount THEN
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
CREATE TRIGGER points_allocation_fits AFTER INSERT ON members_pointsallocation
FOR EACH ROW EXECUTE FUNCTION points_allocation_fits();

-- A refund gives back to lots exactly what it says, and only what one spending took: with the guard above, refunds of
-- a spending never exceed it.
CREATE FUNCTION points_refund_fits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.amount IS DISTINCT FROM (
        SELECT -sum(x.taken) FROM members_pointsallocation x
        JOIN members_pointsentry e ON e.member_id = x.member_id AND e.currency_id = x.currency_id
             AND e.number = x.origin AND e.kind IN ('spend', 'post') AND e.reference = NEW.detail ->> 'spent'
        WHERE x.member_id = NEW.member_id AND x.currency_id = NEW.currency_id AND x.entry = NEW.number AND x.taken < 0
    ) THEN
        RAISE EXCEPTION 'a refund gives back what was spent' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER points_refund_fits AFTER INSERT ON members_pointsentry DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.kind = 'refund') EXECUTE FUNCTION points_refund_fits();

CREATE FUNCTION points_never_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the ledger is never emptied' USING ERRCODE = 'integrity_constraint_violation'; END $$;
CREATE TRIGGER points_never_emptied BEFORE TRUNCATE ON members_pointsentry
FOR EACH STATEMENT EXECUTE FUNCTION points_never_emptied();
CREATE TRIGGER points_never_emptied BEFORE TRUNCATE ON members_pointsallocation
FOR EACH STATEMENT EXECUTE FUNCTION points_never_emptied();
"""

_UNGUARD = """
DROP TRIGGER points_entry_in_order ON members_pointsentry;
DROP TRIGGER points_refund_fits ON members_pointsentry;
DROP TRIGGER points_never_emptied ON members_pointsentry;
DROP TRIGGER points_allocation_fits ON members_pointsallocation;
DROP TRIGGER points_never_emptied ON members_pointsallocation;
DROP FUNCTION points_entry_in_order, points_allocation_fits, points_refund_fits, points_never_emptied;
"""

_DROP = """
DROP FUNCTION points_earn_many, points_consume_more, points_reverse, points_refund, points_refund_moved,
              points_give_back, points_resolve, points_hold, points_spend, points_earn, points_checked, points_known,
              points_related, points_moved_among, points_account, points_settle, points_store, points_next_due, points_unreserve,
              points_consume, points_append;
DROP TYPE points_answer;
"""


class Migration(migrations.Migration):
    """The ledger: everything that books points, as functions that do it in one call, and what it refuses to plain SQL.

    Refusals carry SQLSTATEs LP001 to LP013, which `members.operations.points` turns into typed failures.
    """

    dependencies = [("members", "0011_points")]

    operations = [
        migrations.RemoveIndex("pointsentry", "points_entry_reversals"),
        migrations.AddIndex(
            "pointsentry",
            models.Index(
                fields=["member", "currency", "source"],
                condition=models.Q(kind__in=["reverse", "expire"]),
                name="points_entry_taken_back",
            ),
        ),
        migrations.RunSQL(_FUNCTIONS, _DROP),
        migrations.RunSQL(_GUARDS, _UNGUARD),
    ]
