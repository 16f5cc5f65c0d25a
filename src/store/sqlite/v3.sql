-- Which entries a conversation has: lists of 64 ids instead of a pointer from each to the one before.
CREATE TABLE stretch(
    conversation INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    ids BLOB NOT NULL,
    PRIMARY KEY(conversation, upto)
) STRICT, WITHOUT ROWID;

ALTER TABLE conversation ADD COLUMN tail BLOB NOT NULL DEFAULT x'';

DROP TABLE mark;

ALTER TABLE entry DROP COLUMN prev;
