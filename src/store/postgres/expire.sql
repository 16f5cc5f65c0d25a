-- What a batch does when messages are deleted, or they or old entries expire; called by papo_record.

-- Overwrites so many marks of a message, except its deletion, and notes whether there are more, and
-- where: the rows before that are passed over for as long as VACUUM leaves them in the index.
CREATE FUNCTION papo_erase_some(of_message bigint, most bigint) RETURNS void LANGUAGE plpgsql AS $papo$
#variable_conflict use_column
DECLARE
    last record;
    one record;
    count bigint := 0;
BEGIN
    SELECT kind, account, mark INTO last FROM erasing WHERE message = of_message;
    IF NOT FOUND THEN
        SELECT 0::bigint AS kind, 0::bigint AS account, 0::bigint AS mark INTO last;
    END IF;
    FOR one IN SELECT kind, account, mark FROM about
               WHERE message = of_message AND kind <> 3
                 AND (kind, account, mark) > (last.kind, last.account, last.mark)
               ORDER BY kind, account, mark LIMIT most + 1 LOOP
        IF count = most THEN
            INSERT INTO erasing VALUES (of_message, last.kind, last.account, last.mark)
            ON CONFLICT (message) DO UPDATE
            SET kind = excluded.kind, account = excluded.account, mark = excluded.mark;
            RETURN;
        END IF;
        PERFORM papo_erase(one.mark);
        DELETE FROM about a WHERE a.message = of_message AND a.kind = one.kind
            AND a.account = one.account AND a.mark = one.mark;
        last := one;
        count := count + 1;
    END LOOP;
    DELETE FROM erasing WHERE message = of_message;
END
$papo$;

-- Overwrites the marks of a message and drops all that is known about it, except its files, its
-- replies, and that it was deleted: more than `most` marks in later steps.
CREATE FUNCTION papo_forget(of_message bigint, most bigint) RETURNS void LANGUAGE plpgsql AS $papo$
BEGIN
    PERFORM papo_erase(word) FROM tally WHERE message = of_message;
    DELETE FROM tally WHERE message = of_message;
    PERFORM papo_erase_some(of_message, most);
END
$papo$;

-- Deletes a message that was due, and all that is known about it except which messages answer it. Its
-- place in the conversation stays, for counting.
CREATE FUNCTION papo_expire_message(at bigint, which bigint, most bigint) RETURNS void
LANGUAGE plpgsql AS $papo$
BEGIN
    DELETE FROM expiring WHERE due = at AND entry = which;
    IF NOT EXISTS(SELECT FROM entry WHERE id = which AND kind = 0) THEN
        RETURN;
    END IF;
    PERFORM papo_forget(which, most);
    PERFORM papo_drop_files(which, which);
    PERFORM papo_erase(mark) FROM about WHERE message = which AND kind = 3;
    DELETE FROM about WHERE message = which AND kind = 3;
    DELETE FROM reply r USING entry e WHERE e.id = which AND r.message = e.re AND r.reply = which;
    PERFORM papo_erase(which);
    UPDATE entry SET kind = -2 WHERE id = which;
END
$papo$;

-- Deletes entries above `lower_end` and up to `upper_end`; see `Expire::Entries`. What still has to be
-- deleted about them is looked for once for each `block` entries of a conversation. Of each message up
-- to `most` marks are erased at once.
CREATE FUNCTION papo_expire(lower_end bigint, upper_end bigint, block bigint, most bigint) RETURNS void
LANGUAGE plpgsql AS $papo$
#variable_conflict use_column
DECLARE
    last record;
    of_message bigint := lower_end;
BEGIN
    FOR last IN SELECT DISTINCT ON (e.conversation) e.conversation, e.seq, e.author, e.author_seq
                FROM entry e WHERE e.id > lower_end AND e.id <= upper_end
                ORDER BY e.conversation, e.id DESC LOOP
        INSERT INTO stale SELECT c.id, 0 FROM conversation c
        WHERE c.id = last.conversation AND last.seq / block > c.gone_seq / block
        ON CONFLICT (conversation) DO UPDATE SET account = 0;
        UPDATE conversation SET gone_seq = last.seq, gone_author = last.author,
            gone_author_seq = last.author_seq
        WHERE id = last.conversation;
        -- Nothing waits in a conversation that has no entries left.
        UPDATE member SET waits = NULL WHERE conversation = last.conversation AND waits IS NOT NULL
            AND (SELECT greatest(head, marked) FROM conversation WHERE id = last.conversation)
                <= upper_end;
    END LOOP;
    -- Of one message there may be very many rows, so the others are looked up past them.
    LOOP
        of_message := (SELECT min(a.message) FROM about a
                       WHERE a.message > of_message AND a.message <= upper_end);
        EXIT WHEN of_message IS NULL;
        PERFORM papo_forget(of_message, most);
        DELETE FROM about WHERE message = of_message AND kind = 3;
    END LOOP;
    PERFORM papo_drop_files(lower_end + 1, upper_end);
    DELETE FROM entry WHERE id <= upper_end;
END
$papo$;

-- Deletes rows about expired entries that are no longer needed, of about `most` members; see
-- `Expire::Rows`.
CREATE FUNCTION papo_tidy(most bigint) RETURNS void LANGUAGE plpgsql AS $papo$
#variable_conflict use_column
DECLARE
    gone bigint := (SELECT floor FROM leader);
    due record;
    member_account bigint;
    deleted bigint;
    looked_at bigint;
BEGIN
    -- Which messages answer one that has expired: there may be very many.
    DELETE FROM reply r USING (SELECT message, reply FROM reply WHERE message <= gone
                               ORDER BY message, reply LIMIT most) x
    WHERE r.message = x.message AND r.reply = x.reply;
    GET DIAGNOSTICS looked_at = ROW_COUNT;
    FOR due IN SELECT s.conversation, s.account, c.gone_seq FROM stale s
               JOIN conversation c ON c.id = s.conversation ORDER BY s.conversation LOOP
        FOR member_account IN SELECT m.account FROM member m
                WHERE m.conversation = due.conversation AND m.account >= due.account
                ORDER BY m.account LOOP
            IF looked_at >= most THEN
                UPDATE stale SET account = member_account WHERE conversation = due.conversation;
                RETURN;
            END IF;
            DELETE FROM cursor_history p WHERE p.conversation = due.conversation
                AND p.account = member_account AND p.cursor IN (0, 1) AND p.upto <= gone;
            GET DIAGNOSTICS deleted = ROW_COUNT;
            looked_at := looked_at + 1 + deleted;
            DELETE FROM exempt_mark x WHERE x.conversation = due.conversation
                AND x.account = member_account AND x.seq <
                    (SELECT max(y.seq) FROM exempt_mark y WHERE y.conversation = due.conversation
                     AND y.account = member_account AND y.seq <= due.gone_seq);
            GET DIAGNOSTICS deleted = ROW_COUNT;
            looked_at := looked_at + deleted;
        END LOOP;
        DELETE FROM stale WHERE conversation = due.conversation;
    END LOOP;
END
$papo$;
