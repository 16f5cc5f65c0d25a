-- Records a batch: one call, so that no half of one is ever open while papod is stopped. Fails with
-- PA001 if `of_term` is not the leader's term, or `of_batch` not the next batch.
--
-- What is frequent comes as columns: new entries, heads of conversations, members, exempt marks, and
-- the four ranks of members. What is rare comes as a list of steps, in their order, each with up to
-- six numbers, three texts and some bytes (see store/postgres/steps.rs).
CREATE FUNCTION papo_record(
    of_term bigint, of_batch bigint, numbers bigint[],
    kinds bigint[], n1 bigint[], n2 bigint[], n3 bigint[], n4 bigint[], n5 bigint[], n6 bigint[],
    t1 text[], t2 text[], t3 text[], b bytea[],
    e_id bigint[], e_conversation bigint[], e_seq bigint[], e_author bigint[], e_author_seq bigint[],
    e_time bigint[], e_kind bigint[], e_re bigint[], e_body text[],
    e_tags text[],
    h_id bigint[], h_head bigint[], h_seq bigint[], h_moved bigint[],
    m_conversation bigint[], m_account bigint[], m_exempt bigint[], m_last_own bigint[],
    d bigint[], d_seq bigint[], d_exempt bigint[], d_told bigint[], d_time bigint[], d_number bigint[],
    r bigint[], r_seq bigint[], r_exempt bigint[], r_told bigint[], r_time bigint[], r_number bigint[],
    m_admin bigint[], m_until bigint[], m_waits bigint[], m_recent bigint[], m_moved bigint[],
    m_marked bigint[], s_read bigint[], s_time bigint[], s_number bigint[], d_history bytea[], r_history bytea[],
    m_flags text[], x_conversation bigint[], x_account bigint[], x_seq bigint[], x_count bigint[],
    w_conversation bigint[], w_account bigint[], w_to bigint[],
    c_conversation bigint[], c_account bigint[], c_to bigint[],
    v_conversation bigint[], v_account bigint[], v_to bigint[],
    k_conversation bigint[], k_account bigint[], k_to bigint[]
) RETURNS void LANGUAGE plpgsql AS $papo$
#variable_conflict use_column
DECLARE
    i integer;
    -- The message that is reacted to, and its reactions. A vote has many at once; to write their count
    -- each time would leave as many old rows, which the next one has to pass over.
    y_message bigint := 0;
    y_words text[];
    y_keepers bigint[];
    y_counts bigint[];
BEGIN
    UPDATE leader SET batch = of_batch, beat = beat + 1,
        entry = coalesce(numbers[1], entry), moved = coalesce(numbers[2], moved),
        account = coalesce(numbers[3], account), conversation = coalesce(numbers[4], conversation),
        token = coalesce(numbers[5], token), floor = coalesce(numbers[6], floor)
    WHERE one AND term = of_term AND batch = of_batch - 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another papod is the leader' USING ERRCODE = 'PA001';
    END IF;
    -- Before the steps, some of which are about them.
    IF cardinality(e_id) > 0 THEN
        INSERT INTO entry
        SELECT n.id, n.c, n.seq, n.author, n.author_seq, n.time, n.kind, n.body, nullif(n.re, 0),
               nullif(n.tags, ''), false
        FROM unnest(e_id, e_conversation, e_seq, e_author, e_author_seq, e_time, e_kind, e_re,
                    e_body, e_tags)
             AS n(id, c, seq, author, author_seq, time, kind, re, body, tags);
    END IF;
    FOR i IN 1 .. cardinality(kinds) LOOP
        IF y_message > 0 AND (kinds[i] <> 24 OR n1[i] <> y_message) THEN
            PERFORM papo_count(y_message, y_keepers, y_counts);
            y_message := 0;
        END IF;
        CASE kinds[i]
        WHEN 1 THEN
            INSERT INTO account(id, handle, name, secret, created, shown)
            VALUES (n1[i], t1[i], t2[i], t3[i], n2[i], 0);
        WHEN 2 THEN
            UPDATE account SET name = t1[i] WHERE id = n1[i];
            DELETE FROM word WHERE account = n1[i];
        WHEN 3 THEN INSERT INTO word VALUES (t1[i], n1[i]);
        WHEN 4 THEN UPDATE account SET secret = t1[i] WHERE id = n1[i];
        WHEN 5 THEN
            UPDATE account SET shown = greatest(shown, n2[i]), seen = coalesce(nullif(n3[i], -1), seen)
            WHERE id = n1[i];
        WHEN 6 THEN
            INSERT INTO conversation(id, low, high, head, seq, moved, begun)
            VALUES (n1[i], n2[i], n3[i], 0, 0, 0, n4[i]);
        WHEN 7 THEN
            INSERT INTO conversation(id, head, seq, moved) VALUES (n1[i], 0, 0, 0);
            INSERT INTO group_info VALUES (n1[i], t1[i], '');
        WHEN 8 THEN UPDATE group_info SET topic = t1[i] WHERE conversation = n1[i];
        WHEN 9 THEN
            INSERT INTO stay VALUES (n1[i], n2[i], n3[i], n4[i], nullif(n5[i], -1), nullif(n6[i], -1),
                t1[i] = 'removed')
            ON CONFLICT (conversation, account, since)
            DO UPDATE SET until = excluded.until, until_seq = excluded.until_seq,
                removed = excluded.removed;
        WHEN 10 THEN
            INSERT INTO once(account, key, digest, entry, time)
            VALUES (n1[i], t1[i], b[i], n2[i], n3[i]);
        WHEN 11 THEN INSERT INTO block VALUES (n1[i], n2[i]) ON CONFLICT DO NOTHING;
        WHEN 12 THEN DELETE FROM block WHERE account = n1[i] AND blocked = n2[i];
        WHEN 13 THEN
            INSERT INTO token
            VALUES (n1[i], n2[i], t1[i], b[i], n3[i], NULL,
                    CASE n4[i] WHEN 1 THEN t2[i] WHEN 2 THEN '#' || t2[i] END);
        WHEN 14 THEN DELETE FROM token WHERE id = n1[i];
        WHEN 15 THEN INSERT INTO link VALUES (n1[i], n2[i]) ON CONFLICT DO NOTHING;
        WHEN 16 THEN DELETE FROM link WHERE account = n1[i] AND "user" = n2[i];
        WHEN 17 THEN
            DELETE FROM later WHERE account = n1[i];
            PERFORM papo_note(-1);
            DELETE FROM token WHERE account = n1[i];
            DELETE FROM link WHERE account = n1[i]; DELETE FROM device WHERE account = n1[i];
            DELETE FROM word WHERE account = n1[i];
            UPDATE account SET gone = n2[i], secret = '' WHERE id = n1[i];
        WHEN 18 THEN
            UPDATE token SET used = n2[i] WHERE id = n1[i];
        WHEN 19 THEN
            INSERT INTO cursor_history VALUES (n1[i], n2[i], n3[i], n4[i], b[i]);
        WHEN 20 THEN
            PERFORM papo_expire(n1[i], n2[i], n3[i], n4[i]);
        WHEN 21 THEN
            PERFORM papo_tidy(n1[i]);
        WHEN 22 THEN
            PERFORM papo_change(n1[i]);
            INSERT INTO about VALUES (n1[i], 2, 0, n2[i]);
        WHEN 23 THEN
            PERFORM papo_forget(n1[i], n3[i]);
            PERFORM papo_drop_files(n1[i], n1[i]);
            PERFORM papo_erase(n1[i]);
            INSERT INTO about VALUES (n1[i], 3, 0, n2[i]);
        WHEN 24 THEN
            IF y_message = 0 THEN
                y_message := n1[i];
                SELECT * INTO y_words, y_keepers, y_counts FROM papo_tally(y_message);
            END IF;
            SELECT * INTO y_words, y_keepers, y_counts
            FROM papo_react(y_message, n2[i], n3[i], t1[i], y_words, y_keepers, y_counts);
        WHEN 25 THEN
            INSERT INTO reply SELECT n1[i], id, author FROM entry WHERE id = n2[i];
        WHEN 26 THEN
            INSERT INTO marking VALUES (n1[i], n3[i], n4[i], n5[i])
            ON CONFLICT (conversation) DO UPDATE SET author = excluded.author,
                other = excluded.other, count = marking.count + excluded.count;
            UPDATE conversation SET marked = n2[i] WHERE id = n1[i];
        WHEN 27 THEN
            INSERT INTO later VALUES (n1[i], n2[i], n3[i], nullif(n4[i], 0),
                CASE WHEN n4[i] <> 0 THEN n5[i] END, t1[i]);
            UPDATE account SET later = greatest(later, n2[i]) WHERE id = n1[i];
        WHEN 50 THEN INSERT INTO device VALUES (n1[i], n2[i], t1[i], n3[i], n4[i], nullif(n5[i], -1));
            UPDATE account SET device = greatest(device, n2[i]) WHERE id = n1[i];
        WHEN 51 THEN UPDATE device SET place = n3[i] WHERE account = n1[i] AND number = n2[i] AND place < n3[i];
        WHEN 52 THEN UPDATE device SET shown = greatest(shown, n3[i]), seen = coalesce(nullif(n4[i], -1), seen)
            WHERE account = n1[i] AND number = n2[i];
        WHEN 53 THEN DELETE FROM device WHERE account = n1[i] AND number = n2[i];
        WHEN 28 THEN
            DELETE FROM later WHERE account = n1[i] AND number = n2[i];
            PERFORM papo_note(-1);
        WHEN 29 THEN
            UPDATE group_info SET admins_write = n2[i] <> 0, all_add = n3[i] <> 0, open = n4[i] <> 0
            WHERE conversation = n1[i];
        WHEN 30 THEN
            DELETE FROM invitation WHERE hash = b[i];
            INSERT INTO invitation SELECT b[i], n1[i], n2[i], n3[i] WHERE n2[i] > 0;
        WHEN 40 THEN
            UPDATE account SET disabled = n2[i] <> 0 WHERE id = n1[i];
        WHEN 41 THEN
            DELETE FROM account_invitation WHERE until <= n1[i];
            INSERT INTO account_invitation VALUES (b[i], n1[i], n2[i], n3[i]);
        WHEN 42 THEN
            UPDATE account_invitation SET uses = uses - 1 WHERE hash = b[i];
            DELETE FROM account_invitation WHERE hash = b[i] AND uses = 0;
        WHEN 43 THEN
            DELETE FROM account_invitation;
        WHEN 60 THEN
            UPDATE once SET content = b[i], bytes = n2[i] WHERE account = n1[i] AND key = t1[i];
        WHEN 61 THEN
            PERFORM papo_file(n1[i], b[i], n2[i]);
        WHEN 62 THEN
            PERFORM papo_drop_files(0, n1[i]);
        WHEN 32 THEN PERFORM papo_change(n1[i]);
        WHEN 63 THEN
            DELETE FROM dropped_file WHERE id <= n1[i];
        WHEN 70 THEN INSERT INTO expiring VALUES (n1[i], n2[i]);
        WHEN 71 THEN UPDATE conversation SET ttl = n2[i] WHERE id = n1[i];
        WHEN 72 THEN PERFORM papo_expire_message(n1[i], n2[i], n3[i]);
        WHEN 73 THEN PERFORM papo_erase_some(min(message), n1[i]) FROM erasing;
        WHEN 31 THEN
            UPDATE account SET read_off = n2[i] <> 0, seen_by = n3[i], added_by = n4[i]
            WHERE id = n1[i];
        END CASE;
    END LOOP;
    IF y_message > 0 THEN
        PERFORM papo_count(y_message, y_keepers, y_counts);
    END IF;
    IF cardinality(h_id) > 0 THEN
        UPDATE conversation c SET head = h.head, seq = h.seq, moved = h.moved
        FROM unnest(h_id, h_head, h_seq, h_moved) AS h(id, head, seq, moved) WHERE c.id = h.id;
    END IF;
    IF cardinality(m_account) > 0 THEN
        INSERT INTO member AS m
        SELECT n.c, n.a, n.e, n.l, n.d1, n.d2, n.d3, n.d4, n.d5, n.d6, n.r1, n.r2, n.r3, n.r4, n.r5,
               n.r6, n.admin <> 0, nullif(n.until, -1), nullif(n.waits, 0), n.recent,
               nullif(n.moved, 0), nullif(n.marked, 0), n.dh, n.rh, (SELECT low IS NOT NULL FROM conversation WHERE id = n.c),
               nullif(n.s1, -1), CASE WHEN n.s1 >= 0 THEN n.s2 END, CASE WHEN n.s1 >= 0 THEN n.s3 END,
               nullif(n.flags, '')
        FROM unnest(m_conversation, m_account, m_exempt, m_last_own,
                    d, d_seq, d_exempt, d_told, d_time, d_number,
                    r, r_seq, r_exempt, r_told, r_time, r_number,
                    m_admin, m_until, m_waits, m_recent, m_moved, m_marked, s_read, s_time,
                    s_number, d_history, r_history, m_flags)
             AS n(c, a, e, l, d1, d2, d3, d4, d5, d6, r1, r2, r3, r4, r5, r6,
                  admin, until, waits, recent, moved, marked, s1, s2, s3, dh, rh, flags)
        ON CONFLICT (conversation, account) DO UPDATE SET
            exempt = excluded.exempt, last_own = excluded.last_own,
            delivered = excluded.delivered, delivered_seq = excluded.delivered_seq,
            delivered_exempt = excluded.delivered_exempt, delivered_told = excluded.delivered_told,
            delivered_time = excluded.delivered_time, delivered_number = excluded.delivered_number,
            read = excluded.read, read_seq = excluded.read_seq, read_exempt = excluded.read_exempt,
            read_told = excluded.read_told, read_time = excluded.read_time,
            read_number = excluded.read_number, admin = excluded.admin,
            until_seq = excluded.until_seq, delivered_history = excluded.delivered_history,
            read_history = excluded.read_history, shown_read = excluded.shown_read,
            shown_read_time = excluded.shown_read_time,
            shown_read_number = excluded.shown_read_number, flags = excluded.flags;
    END IF;
    IF cardinality(x_account) > 0 THEN
        INSERT INTO exempt_mark SELECT * FROM unnest(x_conversation, x_account, x_seq, x_count)
        ON CONFLICT (conversation, account, seq) DO UPDATE SET count = excluded.count;
    END IF;
    IF cardinality(w_account) > 0 THEN
        UPDATE member m SET waits = nullif(n.number, 0)
        FROM unnest(w_conversation, w_account, w_to) AS n(c, a, number)
        WHERE m.conversation = n.c AND m.account = n.a;
    END IF;
    IF cardinality(c_account) > 0 THEN
        UPDATE member m SET recent = n.number
        FROM unnest(c_conversation, c_account, c_to) AS n(c, a, number)
        WHERE m.conversation = n.c AND m.account = n.a;
    END IF;
    IF cardinality(v_account) > 0 THEN
        UPDATE member m SET moved = n.number
        FROM unnest(v_conversation, v_account, v_to) AS n(c, a, number)
        WHERE m.conversation = n.c AND m.account = n.a;
    END IF;
    IF cardinality(k_account) > 0 THEN
        UPDATE member m SET marked = n.number
        FROM unnest(k_conversation, k_account, k_to) AS n(c, a, number)
        WHERE m.conversation = n.c AND m.account = n.a;
    END IF;
END
$papo$;

-- The page of `entry` where a row is.
CREATE FUNCTION papo_page(place tid) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$papo$ SELECT split_part(ltrim(place::text, '('), ',', 1)::bigint $papo$;

-- A page has the text of a row that is no longer there.
CREATE FUNCTION papo_note(page bigint) RETURNS void LANGUAGE sql AS $papo$
    INSERT INTO overwritten AS o SELECT page, batch FROM leader
    ON CONFLICT (page) DO UPDATE SET batch = excluded.batch WHERE o.batch < excluded.batch
$papo$;

-- `about` knows more of an entry, or it may not hold any more.
CREATE FUNCTION papo_change(which bigint) RETURNS void LANGUAGE plpgsql AS $papo$
DECLARE
    was tid := (SELECT ctid FROM entry WHERE id = which AND NOT changed);
    is_now tid;
BEGIN
    IF was IS NOT NULL THEN
        UPDATE entry SET changed = true WHERE id = which RETURNING ctid INTO is_now;
        IF papo_page(is_now) <> papo_page(was) THEN
            PERFORM papo_note(papo_page(was));
        END IF;
    END IF;
END
$papo$;

-- Overwrites the texts of an entry. That a note came late stays: it waits for its author, deleted or
-- not. So does the device that made it, which is not sent it.
CREATE FUNCTION papo_erase(which bigint) RETURNS void LANGUAGE plpgsql AS $papo$
BEGIN
    PERFORM papo_note(papo_page(ctid)) FROM entry WHERE id = which;
    UPDATE entry SET changed = true, body = '',
        tags = CASE WHEN tags LIKE 'late=%' OR tags LIKE 'fwd=% late=%' THEN tags
                    WHEN tags LIKE 'dev=%' THEN split_part(tags, ' ', 1)
                    ELSE left(tags, 0) END
    WHERE id = which;
END
$papo$;

-- Fills the unused part of a page of `entry` with dashes, after VACUUM: with a new version of one of
-- its rows, which is rolled back; or, if it has none, empty pages with new rows, in the order of the
-- free space map, up to this one. `filled` are the pages where that is done. If this one is not among
-- them there was no room for a row, and one was moved to another page; or the map does not have it yet,
-- and the table got longer. Others are `spoiled`: VACUUM has to go first.
-- `lost` is how many bytes may be missing of a page, for slots that belong to no row or are the
-- beginning of one elsewhere. A row that VACUUM could not remove takes more than 80.
CREATE FUNCTION papo_overwrite(page bigint, lost bigint, OUT filled bigint[], OUT spoiled bigint[])
LANGUAGE plpgsql AS $papo$
DECLARE
    -- Bytes of a page, of its header, and of the smallest row: postgresql.org, "Database Page Layout".
    bytes constant bigint := current_setting('block_size');
    pages constant bigint := pg_relation_size('entry') / bytes;
    header constant bigint := 24;
    least constant bigint := 96;
    used bigint;
    slots bigint;
    some_id bigint;
    room bigint;
    place tid;
BEGIN
    filled := '{}';
    spoiled := '{}';
    IF page >= pages THEN
        filled := ARRAY[page];
        RETURN;
    END IF;
    SELECT sum((CASE WHEN e.re IS NULL THEN e.size ELSE (e.size + 7) / 8 * 8 + 8 END
                + coalesce(pg_column_size(e.tags), 0) + 8) / 8 * 8),
           max(e.slot), min(e.id)
    INTO used, slots, some_id
    FROM (SELECT id, re, tags, rtrim(split_part(ctid::text, ',', 2), ')')::bigint AS slot,
                 CASE WHEN re IS NULL OR tags IS NULL THEN 88 ELSE 80 END + pg_column_size(body)
                     AS size
          FROM entry
          WHERE ctid >= format('(%s,0)', page)::tid AND ctid < format('(%s,0)', page + 1)::tid) AS e;
    -- Each row has a slot of four bytes.
    room := (bytes - header - 4 * (coalesce(slots, 0) + 1) - coalesce(used, 0)) / 8 * 8;
    IF room <= 0 THEN
        filled := ARRAY[page];
        RETURN;
    END IF;
    FOR attempt IN 1 .. CASE WHEN some_id IS NULL THEN pages ELSE 1 + lost / 8 END LOOP
        EXIT WHEN room < least;
        BEGIN
            IF some_id IS NULL THEN
                -- It is put into any page with so much room.
                INSERT INTO entry VALUES (-1, 0, 0, 0, 0, 0, 99, papo_dashes(room))
                RETURNING ctid INTO place;
            ELSE
                UPDATE entry SET re = NULL, tags = NULL, body = papo_dashes(room) WHERE id = some_id
                RETURNING ctid INTO place;
            END IF;
            RAISE EXCEPTION USING ERRCODE = 'PA002';
        EXCEPTION WHEN SQLSTATE 'PA002' THEN
            NULL;
        END;
        IF some_id IS NULL OR papo_page(place) = page THEN
            filled := filled || papo_page(place);
        ELSE
            spoiled := spoiled || papo_page(place);
            room := room - 8;
        END IF;
        IF papo_page(place) = page OR some_id IS NULL AND papo_page(place) >= pages THEN
            RETURN;
        END IF;
    END LOOP;
    IF room < least THEN
        UPDATE entry SET changed = changed WHERE id = some_id RETURNING ctid INTO place;
        spoiled := spoiled || papo_page(place);
    END IF;
END
$papo$;

-- A text with which a row without `re` and `tags` takes this room, a multiple of 8. Before the text
-- are 88 bytes and its length, in one byte or in four, and after it one.
CREATE FUNCTION papo_dashes(room bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
$papo$ SELECT repeat('-', (CASE WHEN room <= 216 THEN room - 90 ELSE room - 93 END)::integer) $papo$;

-- The words of the reactions to a message that hold, the reactions that keep them for `tally`, and how
-- many react with each.
CREATE FUNCTION papo_tally(of_message bigint,
    OUT words text[], OUT keepers bigint[], OUT counts bigint[]
) LANGUAGE plpgsql AS $papo$
BEGIN
    SELECT coalesce(array_agg(e.body), '{}'), coalesce(array_agg(t.word), '{}'),
           coalesce(array_agg(t.count), '{}')
    INTO words, keepers, counts
    FROM tally t JOIN entry e ON e.id = t.word WHERE t.message = of_message;
END
$papo$;

-- Writes them.
CREATE FUNCTION papo_count(of_message bigint, keepers bigint[], counts bigint[]) RETURNS void
LANGUAGE plpgsql AS $papo$
BEGIN
    DELETE FROM tally WHERE message = of_message AND word <> ALL (keepers);
    INSERT INTO tally AS t SELECT of_message, n.keeper, n.count
    FROM unnest(keepers, counts) AS n(keeper, count)
    ON CONFLICT (message, word) DO UPDATE SET count = excluded.count
        WHERE t.count <> excluded.count;
END
$papo$;

-- The reaction of `who` to a message is that of `which` from now on: a word, or none if that is empty.
-- Changes what `papo_tally` has returned of the message.
CREATE FUNCTION papo_react(to_message bigint, who bigint, which bigint, said text,
    INOUT words text[], INOUT keepers bigint[], INOUT counts bigint[]
) LANGUAGE plpgsql AS $papo$
#variable_conflict use_column
DECLARE
    before record;
    at integer;
BEGIN
    SELECT a.kind, a.mark, e.body INTO before FROM about a JOIN entry e ON e.id = a.mark
    WHERE a.message = to_message AND a.kind IN (4, 5) AND a.account = who;
    IF FOUND THEN
        IF before.kind = 5 THEN
            PERFORM papo_erase(before.mark);
        ELSE
            PERFORM papo_change(before.mark);
            at := array_position(words, before.body);
            IF at IS NULL THEN
                RAISE EXCEPTION 'the reactions to entry % are not counted', to_message;
            END IF;
            IF before.mark <> keepers[at] THEN
                PERFORM papo_erase(before.mark);
            END IF;
            counts[at] := counts[at] - 1;
            IF counts[at] = 0 THEN
                PERFORM papo_erase(keepers[at]);
                words := words[:at - 1] || words[at + 1:];
                keepers := keepers[:at - 1] || keepers[at + 1:];
                counts := counts[:at - 1] || counts[at + 1:];
            END IF;
        END IF;
        DELETE FROM about WHERE message = to_message AND kind = before.kind AND account = who;
    END IF;
    IF said = '' THEN
        INSERT INTO about VALUES (to_message, 5, who, which);
        RETURN;
    END IF;
    at := array_position(words, said);
    IF at IS NULL THEN
        words := array_append(words, said);
        keepers := array_append(keepers, which);
        counts := array_append(counts, 1::bigint);
    ELSE
        counts[at] := counts[at] + 1;
    END IF;
    PERFORM papo_change(to_message);
    INSERT INTO about VALUES (to_message, 4, who, which);
END
$papo$;
