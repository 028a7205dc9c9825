-- What protects the mirrors: fences, fingerprints of secrets, held workflows, rescues, decisions, the journal.
-- Times are nanoseconds since 1970-01-01 UTC. The value of a secret or token is in none of these tables.

CREATE TABLE fences (
    repository TEXT NOT NULL,
    mirror     TEXT NOT NULL,
    oid        TEXT NOT NULL,
    epoch      INTEGER NOT NULL,
    sequence   INTEGER NOT NULL,
    document   TEXT NOT NULL,
    PRIMARY KEY (repository, mirror)
) STRICT, WITHOUT ROWID;

CREATE TABLE sent_secrets (
    repository        TEXT NOT NULL,
    mirror            TEXT NOT NULL,
    name              TEXT NOT NULL,
    fingerprint       TEXT NOT NULL,
    remote_updated_ns INTEGER,
    PRIMARY KEY (repository, mirror, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE approved_secrets (
    repository TEXT NOT NULL,
    mirror     TEXT NOT NULL,
    name       TEXT NOT NULL,
    PRIMARY KEY (repository, mirror, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE held_workflows (
    repository   TEXT NOT NULL,
    mirror       TEXT NOT NULL,
    path         TEXT NOT NULL,
    state_before TEXT NOT NULL,
    PRIMARY KEY (repository, mirror, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE source_workflows (
    repository TEXT NOT NULL,
    path       TEXT NOT NULL,
    state      TEXT NOT NULL,
    PRIMARY KEY (repository, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE rescues (
    id         TEXT NOT NULL PRIMARY KEY,
    repository TEXT NOT NULL,
    mirror     TEXT NOT NULL,
    ref_name   TEXT NOT NULL,
    oid        TEXT NOT NULL,
    reason     TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    run        TEXT
) STRICT;

CREATE INDEX rescues_by_mirror ON rescues (repository, mirror);

CREATE TABLE decisions (
    repository TEXT NOT NULL,
    mirror     TEXT NOT NULL,
    ref_name   TEXT NOT NULL,
    tip        TEXT NOT NULL,
    choice     TEXT NOT NULL,
    decided_ns INTEGER NOT NULL,
    PRIMARY KEY (repository, mirror, ref_name)
) STRICT, WITHOUT ROWID;

CREATE TABLE journal (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    repository TEXT NOT NULL,
    mirror     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    payload    TEXT NOT NULL,
    opened_ns  INTEGER NOT NULL
) STRICT;

-- Small things known about a repository (mirror '') or a mirror.
CREATE TABLE facts (
    repository TEXT NOT NULL,
    mirror     TEXT NOT NULL,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (repository, mirror, key)
) STRICT, WITHOUT ROWID;
