-- Who keeps the schedule since when, and that nothing is synced by itself for a while; one row, or none.
CREATE TABLE schedule (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    kept_since_ns INTEGER,
    paused_ns INTEGER,
    -- NULL in a pause that lasts until somebody ends it.
    paused_until_ns INTEGER,
    paused_by TEXT
) STRICT;
INSERT INTO schedule (one) VALUES (1);
