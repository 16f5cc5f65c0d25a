-- What a batch does when messages or old entries expire; called by papo_record.

-- Deletes a message that was due, and all that is known about it except which messages answer it. Its
-- place in the conversation stays, for counting.
CREATE FUNCTION papo_expire_message(at bigint, which bigint) RETURNS void LANGUAGE plpgsql AS $papo$
BEGIN
    DELETE FROM expiring WHERE due = at AND entry = which;
    IF NOT EXISTS(SELECT FROM entry WHERE id = which AND kind = 0) THEN
        RETURN;
    END IF;
    PERFORM papo_forget(which, which);
    PERFORM papo_erase(mark) FROM about WHERE message = which AND kind = 3;
    DELETE FROM about WHERE message = which;
    DELETE FROM reply r USING entry e WHERE e.id = which AND r.message = e.re AND r.reply = which;
    PERFORM papo_erase(which);
    UPDATE entry SET kind = -2 WHERE id = which;
END
$papo$;

-- Deletes entries above `lower_end` and up to `upper_end`; see `Expire::Entries`. What still has to be
-- deleted about them is looked for once for each `block` entries of a conversation.
CREATE FUNCTION papo_expire(lower_end bigint, upper_end bigint, block bigint) RETURNS void
LANGUAGE plpgsql AS $papo$
#variable_conflict use_column
DECLARE
    last record;
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
    PERFORM papo_forget(lower_end + 1, upper_end);
    DELETE FROM about WHERE message > lower_end AND message <= upper_end;
    DELETE FROM reply WHERE message > lower_end AND message <= upper_end;
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
    looked_at bigint := 0;
BEGIN
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
