-- Word that is to be sent, and why the last that did not arrive did not. Neither has a token or an address in it.

CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    target     TEXT NOT NULL,
    repository TEXT NOT NULL,
    message    TEXT NOT NULL,
    tries      INTEGER NOT NULL,
    next_ns    INTEGER NOT NULL
) STRICT;

CREATE INDEX outbox_by_target ON outbox (target, id);

CREATE TABLE notify_troubles (
    target TEXT NOT NULL PRIMARY KEY,
    at_ns  INTEGER NOT NULL,
    error  TEXT NOT NULL,
    hint   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
