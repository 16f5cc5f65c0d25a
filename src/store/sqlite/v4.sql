-- Entries up to a floor are forgotten. What counting has to know of them stands in the conversation:
-- how many they were, and of the last one who wrote it and that author's how many-th it was.
ALTER TABLE newest ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN gone_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN gone_author INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN gone_nth INTEGER NOT NULL DEFAULT 0;

CREATE TABLE stale(
    conversation INTEGER PRIMARY KEY,
    account INTEGER NOT NULL
) STRICT;

-- As before, without what is forgotten.
DROP VIEW messages;

CREATE VIEW messages AS
SELECT e.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', e.time / 1000.0, 'unixepoch') AS time,
       a.handle AS sender,
       coalesce('#' || r.name, o.handle) AS recipient,
       CASE e.kind WHEN 0 THEN 'message' ELSE 'group' END AS kind,
       e.body,
       e.conversation
FROM entry e
JOIN conversation c ON c.id = e.conversation
JOIN account a ON a.id = e.author
LEFT JOIN room r ON r.conversation = c.id
LEFT JOIN account o ON o.id = CASE WHEN c.low = e.author THEN c.high ELSE c.low END
WHERE e.id > (SELECT floor FROM newest);
