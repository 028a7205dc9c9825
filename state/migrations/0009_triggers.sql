-- What asks for a sync and was not looked after yet. `mirrors` is a list in JSON, empty for all of them. `claim` names who
-- has taken it, by the sign of life in the state folder; what a taker that died had taken is free again.
CREATE TABLE triggers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    repository TEXT NOT NULL,
    mirrors TEXT NOT NULL,
    kind TEXT NOT NULL,
    set_off_by TEXT NOT NULL,
    first_ns INTEGER NOT NULL,
    at_ns INTEGER NOT NULL,
    times INTEGER NOT NULL,
    claim TEXT
) STRICT;

-- What is alike and waits is kept once.
CREATE UNIQUE INDEX triggers_alike ON triggers (repository, mirrors, kind) WHERE claim IS NULL;
