-- What is written about files, beside what record.sql has a batch write. Their contents are written
-- by any number of threads; see contents.rs.

-- The entries from `lowest` to `highest` have no files any more.
CREATE FUNCTION papo_drop_files(lowest bigint, highest bigint) RETURNS void LANGUAGE sql AS $papo$
    WITH gone AS (DELETE FROM file WHERE entry BETWEEN lowest AND highest RETURNING entry, content)
    INSERT INTO dropped_file(content) SELECT content FROM gone ORDER BY entry
$papo$;

-- Writes a piece of a content. No commit has to be waited for: the one that gives the content its
-- place comes after it in the write-ahead log.
CREATE FUNCTION papo_put_piece(of_upload bigint, which bigint, bytes bytea) RETURNS void
LANGUAGE plpgsql AS $papo$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO piece(upload, n, data) VALUES (of_upload, which, bytes) ON CONFLICT DO NOTHING;
END
$papo$;

-- Gives an upload of `many` pieces its place. False if there is another content with its hash.
CREATE FUNCTION papo_place_content(of_hash bytea, of_upload bigint, of_bytes bigint, many bigint,
    its_key bytea) RETURNS boolean LANGUAGE plpgsql AS $papo$
BEGIN
    IF (SELECT count(*) FROM piece WHERE upload = of_upload) <> many THEN
        RAISE EXCEPTION 'pieces of a file were lost' USING ERRCODE = '58000';
    END IF;
    INSERT INTO content VALUES (of_hash, of_bytes, of_upload, its_key) ON CONFLICT DO NOTHING;
    RETURN EXISTS(SELECT FROM content WHERE hash = of_hash AND upload = of_upload);
END
$papo$;

-- Deletes a content, unless an entry has it. Returns how many bytes it had.
CREATE FUNCTION papo_drop_content(of_hash bytea) RETURNS bigint LANGUAGE plpgsql AS $papo$
DECLARE
    gone record;
BEGIN
    DELETE FROM content
    WHERE hash = of_hash AND NOT EXISTS(SELECT FROM file WHERE content = of_hash)
    RETURNING upload, bytes INTO gone;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    DELETE FROM piece WHERE upload = gone.upload;
    PERFORM papo_note(-2);
    RETURN gone.bytes;
END
$papo$;
