-- What happened: runs with their changes, the last result of each aspect, health, the audit trail.
-- Times are nanoseconds since 1970-01-01 UTC.

CREATE TABLE runs (
    id             TEXT NOT NULL PRIMARY KEY,
    repository     TEXT NOT NULL,
    mirror         TEXT NOT NULL,
    set_off_by     TEXT NOT NULL,
    status         TEXT NOT NULL,
    started_ns     INTEGER NOT NULL,
    finished_ns    INTEGER,
    error          TEXT,
    changes        INTEGER NOT NULL,
    api_requests   INTEGER NOT NULL,
    gh_calls       INTEGER NOT NULL,
    git_calls      INTEGER NOT NULL,
    bytes_sent     INTEGER NOT NULL,
    bytes_received INTEGER NOT NULL
) STRICT;

CREATE INDEX runs_by_mirror ON runs (repository, mirror, started_ns);
CREATE INDEX runs_by_start ON runs (started_ns);

CREATE TABLE run_changes (
    run         TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    aspect      TEXT NOT NULL,
    action      TEXT NOT NULL,
    name        TEXT NOT NULL,
    tip_before  TEXT,
    tip_after   TEXT,
    error       TEXT,
    at_ns       INTEGER NOT NULL,
    PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE aspect_results (
    repository   TEXT NOT NULL,
    mirror       TEXT NOT NULL,
    aspect       TEXT NOT NULL,
    run          TEXT NOT NULL,
    status       TEXT NOT NULL,
    last_sync_ns INTEGER,
    detail       TEXT,
    error        TEXT,
    hint         TEXT,
    last_commit  TEXT,
    behind       INTEGER,
    synced_count INTEGER,
    total        INTEGER,
    PRIMARY KEY (repository, mirror, aspect)
) STRICT, WITHOUT ROWID;

CREATE TABLE mirror_health (
    repository TEXT NOT NULL,
    mirror     TEXT NOT NULL,
    health     TEXT NOT NULL,
    detail     TEXT,
    checked_ns INTEGER NOT NULL,
    PRIMARY KEY (repository, mirror)
) STRICT, WITHOUT ROWID;

CREATE TABLE full_syncs (
    repository TEXT NOT NULL PRIMARY KEY,
    at_ns      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ns      INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    repository TEXT,
    mirror     TEXT,
    detail     TEXT NOT NULL,
    outcome    TEXT NOT NULL
) STRICT;

CREATE INDEX audit_by_mirror ON audit (repository, mirror);

CREATE TRIGGER audit_refuses_updates BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;

CREATE TRIGGER audit_refuses_deletes BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;

-- INSERT OR REPLACE removes the old row without a DELETE trigger.
CREATE TRIGGER audit_refuses_replacement BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
