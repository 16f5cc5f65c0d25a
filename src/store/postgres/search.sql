-- The index for searching: a list of segments, each with its words in a table of its own. The leader
-- fills it, behind the log.
--
-- Its tables are unlogged. So no word of it is in the write-ahead log, and it leaves the disk when its
-- table is dropped. After a crash or on another primary they are empty, and it is made anew.

-- A segment's number is never given again.
CREATE SEQUENCE search_number;

-- Makes what is missing of its tables.
CREATE FUNCTION papo_search_open() RETURNS void LANGUAGE plpgsql AS $papo$
BEGIN
    -- A segment. Its words are in the table search_words_<id>.
    CREATE UNLOGGED TABLE IF NOT EXISTS search_segment(
        id bigint PRIMARY KEY,
        after bigint NOT NULL,          -- it is of the entries above this one
        upto bigint NOT NULL,           -- up to this one
        size bigint NOT NULL,           -- how many these were, a long text counting as several
        floor bigint NOT NULL,          -- what had expired when it was made
        stale boolean NOT NULL,         -- it has words of a deleted text, or its words are gone
        due bigint,                     -- when the first of its messages expires by `EXPIRE`
        conversations bytea NOT NULL    -- which it has, as in store/ids.rs
    );
    -- Messages whose text was changed after their segment was made.
    CREATE UNLOGGED TABLE IF NOT EXISTS search_edited(
        message bigint PRIMARY KEY,
        conversation bigint NOT NULL
    );
    CREATE INDEX IF NOT EXISTS search_edited_in ON search_edited(conversation, message);
    -- One row: up to which entry of the log changes are known here.
    CREATE UNLOGGED TABLE IF NOT EXISTS search_progress(
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        seen bigint NOT NULL
    );
    INSERT INTO search_progress(seen) VALUES (0) ON CONFLICT DO NOTHING;
END
$papo$;

-- The segments, in the order of the log, each with `seen`. None if there is no index.
CREATE FUNCTION papo_search_segments() RETURNS TABLE(id bigint, after bigint, upto bigint, size bigint,
    seen bigint) LANGUAGE plpgsql STABLE AS $papo$
BEGIN
    -- From here on none of these tables can be dropped before the transaction ends.
    PERFORM FROM search_edited LIMIT 1;
    RETURN QUERY SELECT s.id, s.after, s.upto, s.size, p.seen
        FROM search_progress p CROSS JOIN search_segment s ORDER BY s.upto;
EXCEPTION WHEN undefined_table THEN
    RETURN;
END
$papo$;

-- The lists of messages of a segment's words whose keys begin with `lows`, at most `most` lists, each
-- with the place of what its key begins with. One row without a list if its words are gone.
CREATE FUNCTION papo_search_words(segment bigint, lows bytea[], most bigint)
RETURNS TABLE(place bigint, ids bytea) LANGUAGE plpgsql STABLE AS $papo$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT l.place, w.ids FROM unnest($1) WITH ORDINALITY AS l(low, place)
         CROSS JOIN LATERAL (SELECT w.ids FROM search_words_%s w
                             WHERE w.key >= l.low AND w.key < l.low || ''\xff''::bytea) AS w
         LIMIT $2', segment) USING lows, most;
EXCEPTION WHEN undefined_table THEN
    RETURN QUERY SELECT 0::bigint, NULL::bytea;
END
$papo$;

-- Drops what has expired. True if that was something. Messages that were due before the first one that
-- is still to expire have.
CREATE FUNCTION papo_search_forget(upto_this bigint) RETURNS boolean LANGUAGE plpgsql AS $papo$
DECLARE
    dropped bigint;
    spoiled bigint;
BEGIN
    DELETE FROM search_segment WHERE upto <= upto_this;
    GET DIAGNOSTICS dropped = ROW_COUNT;
    UPDATE search_segment SET stale = true
    WHERE NOT stale AND (floor < upto_this AND after < upto_this
                         OR due < coalesce((SELECT min(x.due) FROM expiring x), 9223372036854775807)
                         OR to_regclass('search_words_' || id) IS NULL);
    GET DIAGNOSTICS spoiled = ROW_COUNT;
    IF dropped + spoiled > 0 THEN
        DELETE FROM search_edited WHERE message <= upto_this;
    END IF;
    RETURN dropped + spoiled > 0;
END
$papo$;

-- Notes which messages up to `indexed` the next entries, at most `most`, have changed. Returns the last
-- of these entries, and their number.
CREATE FUNCTION papo_search_note(after_this bigint, indexed bigint, most bigint)
RETURNS TABLE(last bigint, number bigint) LANGUAGE plpgsql AS $papo$
DECLARE
    edited bigint[];
    whose bigint[];
    deleted bigint[];
BEGIN
    SELECT coalesce(max(n.id), after_this), count(*),
           array_agg(n.re) FILTER (WHERE n.kind = 2 AND n.re <= indexed),
           array_agg(n.conversation) FILTER (WHERE n.kind = 2 AND n.re <= indexed),
           array_agg(n.re) FILTER (WHERE n.kind = 3 AND n.re <= indexed)
    INTO last, number, edited, whose, deleted
    FROM (SELECT e.id, e.kind, e.conversation, e.re FROM entry e WHERE e.id > after_this
          ORDER BY e.id LIMIT most) AS n;
    IF edited IS NOT NULL OR deleted IS NOT NULL THEN
        INSERT INTO search_edited SELECT * FROM unnest(edited, whose) ON CONFLICT DO NOTHING;
        UPDATE search_segment s SET stale = true
        WHERE NOT s.stale
          AND EXISTS(SELECT FROM unnest(deleted) AS d(id) WHERE s.after < d.id AND d.id <= s.upto);
        UPDATE search_progress SET seen = last;
    END IF;
    RETURN NEXT;
END
$papo$;

-- The table of the words of a new segment, whose number is returned.
CREATE FUNCTION papo_search_make() RETURNS bigint LANGUAGE plpgsql AS $papo$
DECLARE
    number bigint := nextval('search_number');
BEGIN
    -- Nothing in it ever changes. And no copies of words in the planner's statistics.
    EXECUTE format('CREATE UNLOGGED TABLE search_words_%s(key bytea PRIMARY KEY, ids bytea NOT NULL)
                    WITH (autovacuum_enabled = false)', number);
    EXECUTE format('ALTER TABLE search_words_%s ALTER key SET STATISTICS 0,
                    ALTER ids SET STATISTICS 0', number);
    RETURN number;
END
$papo$;

CREATE FUNCTION papo_search_add(segment bigint, keys bytea[], lists bytea[]) RETURNS void
LANGUAGE plpgsql AS $papo$
BEGIN
    EXECUTE format('INSERT INTO search_words_%s SELECT * FROM unnest($1, $2)', segment)
        USING keys, lists;
END
$papo$;

-- A segment takes the place of those of the same entries.
CREATE FUNCTION papo_search_put(number bigint, after_this bigint, upto_this bigint, its_size bigint,
    its_floor bigint, is_seen bigint, its_due bigint, its_conversations bytea) RETURNS void LANGUAGE plpgsql AS $papo$
BEGIN
    DELETE FROM search_segment WHERE after >= after_this AND upto <= upto_this;
    DELETE FROM search_edited WHERE message > after_this AND message <= upto_this;
    INSERT INTO search_segment VALUES (number, after_this, upto_this, its_size, its_floor, false,
                                       its_due, its_conversations);
    UPDATE search_progress SET seen = is_seen;
END
$papo$;

-- Drops the words of former segments. Whoever began to read before they were replaced may still do so:
-- such ones are left for the next time. Returns how many are left.
CREATE FUNCTION papo_search_sweep() RETURNS bigint LANGUAGE plpgsql AS $papo$
DECLARE
    it text;
    number bigint := 0;
BEGIN
    FOR it IN
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
          AND c.relname LIKE 'search\_words\_%'
          AND NOT EXISTS(SELECT FROM search_segment s WHERE 'search_words_' || s.id = c.relname)
    LOOP
        BEGIN
            EXECUTE format('DROP TABLE %I', it);
        EXCEPTION WHEN lock_not_available THEN
            number := number + 1;
        END;
    END LOOP;
    RETURN number;
END
$papo$;
