-- System users who need no secret, and accounts that were ended: their handles are never given again.
CREATE TABLE link(
    account INTEGER NOT NULL,
    user INTEGER NOT NULL,
    PRIMARY KEY(account, user)
) STRICT, WITHOUT ROWID;

ALTER TABLE account ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;
