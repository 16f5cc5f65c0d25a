-- What is written about files, beside what record.sql has a batch write. Their contents are written
-- by any number of threads of any number of papods; see contents.rs.

-- The entries from `lowest` to `highest` have no files any more.
CREATE FUNCTION papo_drop_files(lowest bigint, highest bigint) RETURNS void LANGUAGE sql AS $papo$
    WITH gone AS (DELETE FROM file WHERE entry BETWEEN lowest AND highest RETURNING entry, content)
    INSERT INTO dropped_file(content) SELECT content FROM gone ORDER BY entry
$papo$;

-- An entry has a file. Waits for whoever is just deleting its content; it is not recorded without.
CREATE FUNCTION papo_file(of_entry bigint, of_hash bytea, of_bytes bigint) RETURNS void
LANGUAGE plpgsql AS $papo$
BEGIN
    PERFORM FROM content WHERE hash = of_hash FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the content of a file is gone' USING ERRCODE = '58000';
    END IF;
    INSERT INTO file VALUES (of_entry, of_hash, of_bytes);
END
$papo$;

-- The bytes of all contents and uploads.
CREATE FUNCTION papo_content_bytes() RETURNS bigint LANGUAGE sql AS $papo$
    SELECT t.bytes + coalesce((SELECT sum(bytes) FROM upload), 0)::bigint FROM content_total t
$papo$;

-- Takes so many bytes in all for an upload. Returns what all have then; NULL, and nothing is taken,
-- if that were more than `most`. No commit has to be waited for: what is placed is counted again.
CREATE FUNCTION papo_reserve(of_upload bigint, of_bytes bigint, most bigint) RETURNS bigint
LANGUAGE plpgsql AS $papo$
DECLARE
    total bigint;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    -- One at a time.
    PERFORM FROM content_total FOR UPDATE;
    total := papo_content_bytes() + of_bytes
             - coalesce((SELECT bytes FROM upload WHERE id = of_upload), 0);
    IF total > most THEN
        RETURN NULL;
    END IF;
    INSERT INTO upload VALUES (of_upload, of_bytes)
        ON CONFLICT (id) DO UPDATE SET bytes = of_bytes, renewed = now();
    RETURN total;
END
$papo$;

-- Writes a piece of a content. No commit has to be waited for: the one that gives the content its
-- place comes after it in the write-ahead log.
CREATE FUNCTION papo_put_piece(of_upload bigint, which bigint, bytes bytea) RETURNS void
LANGUAGE plpgsql AS $papo$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO upload VALUES (of_upload, 0) ON CONFLICT DO NOTHING;
    INSERT INTO piece(upload, n, data) VALUES (of_upload, which, bytes) ON CONFLICT DO NOTHING;
END
$papo$;

-- Gives an upload of `many` pieces its place, and holds it there. False if there is another content
-- with its hash, which is held instead. May be asked twice.
CREATE FUNCTION papo_place_content(of_hash bytea, of_upload bigint, of_bytes bigint, many bigint,
    its_key bytea) RETURNS boolean LANGUAGE plpgsql AS $papo$
BEGIN
    IF NOT EXISTS(SELECT FROM upload WHERE id = of_upload AND content = of_hash) THEN
        IF (SELECT count(*) FROM piece WHERE upload = of_upload) <> many THEN
            RAISE EXCEPTION 'pieces of a file were lost' USING ERRCODE = '58000';
        END IF;
        LOOP
            INSERT INTO content VALUES (of_hash, of_bytes, of_upload, its_key)
                ON CONFLICT DO NOTHING;
            IF FOUND THEN
                UPDATE content_total SET bytes = bytes + of_bytes;
                EXIT;
            END IF;
            -- Unless it is just being deleted.
            PERFORM FROM content WHERE hash = of_hash FOR KEY SHARE;
            IF FOUND THEN
                DELETE FROM piece WHERE upload = of_upload;
                EXIT;
            END IF;
        END LOOP;
        INSERT INTO upload VALUES (of_upload, 0, of_hash)
            ON CONFLICT (id) DO UPDATE SET bytes = 0, content = of_hash, renewed = now();
    END IF;
    RETURN EXISTS(SELECT FROM content WHERE hash = of_hash AND upload = of_upload);
END
$papo$;

-- Has an upload hold a content. False if it is not there any more.
CREATE FUNCTION papo_hold_content(of_upload bigint, of_hash bytea) RETURNS boolean
LANGUAGE plpgsql AS $papo$
BEGIN
    PERFORM FROM content WHERE hash = of_hash FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO upload VALUES (of_upload, 0, of_hash)
        ON CONFLICT (id) DO UPDATE SET renewed = now();
    RETURN true;
END
$papo$;

-- Deletes a content, unless an entry has it or an upload holds it. Returns how many bytes it had,
-- NULL if it stays or was not there.
CREATE FUNCTION papo_drop_content(of_hash bytea) RETURNS bigint LANGUAGE plpgsql AS $papo$
DECLARE
    gone record;
BEGIN
    -- What is read next is as of when nobody else has it locked: an entry or an upload that came
    -- meanwhile is seen.
    PERFORM FROM content WHERE hash = of_hash FOR UPDATE;
    DELETE FROM content
    WHERE hash = of_hash AND NOT EXISTS(SELECT FROM file WHERE content = of_hash)
        AND NOT EXISTS(SELECT FROM upload u WHERE u.content = of_hash)
    RETURNING upload, bytes INTO gone;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE content_total SET bytes = bytes - gone.bytes;
    DELETE FROM piece WHERE upload = gone.upload;
    PERFORM papo_note(-2);
    RETURN gone.bytes;
END
$papo$;

-- Ends uploads. Returns the contents that they held and that nothing else has.
CREATE FUNCTION papo_end_uploads(those bigint[]) RETURNS SETOF bytea LANGUAGE plpgsql AS $papo$
DECLARE
    held bytea[];
BEGIN
    WITH gone AS (DELETE FROM upload WHERE id = ANY(those) RETURNING content)
    SELECT array_agg(DISTINCT content) INTO held FROM gone WHERE content IS NOT NULL;
    DELETE FROM piece p WHERE p.upload = ANY(those)
        AND NOT EXISTS(SELECT FROM content c WHERE c.upload = p.upload);
    RETURN QUERY SELECT h FROM unnest(held) h
    WHERE NOT EXISTS(SELECT FROM file WHERE file.content = h)
        AND NOT EXISTS(SELECT FROM upload u WHERE u.content = h);
END
$papo$;

-- These uploads go on. What nobody has said so of for an hour has ended: with `others` it is removed.
CREATE FUNCTION papo_renew_uploads(those bigint[], others boolean) RETURNS SETOF bytea
LANGUAGE plpgsql AS $papo$
BEGIN
    UPDATE upload SET renewed = now() WHERE id = ANY(those);
    IF others THEN
        RETURN QUERY SELECT papo_end_uploads(array_agg(id)) FROM upload
        WHERE renewed < now() - interval '1 hour';
    END IF;
END
$papo$;
