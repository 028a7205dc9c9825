-- What runs there were and what they cost, counted when each ends: these only rise, whatever becomes of the history.

CREATE TABLE run_totals (
    repository     TEXT NOT NULL,
    mirror         TEXT NOT NULL,
    set_off_by     TEXT NOT NULL,
    status         TEXT NOT NULL,
    runs           INTEGER NOT NULL,
    api_requests   INTEGER NOT NULL,
    bytes_sent     INTEGER NOT NULL,
    bytes_received INTEGER NOT NULL,
    PRIMARY KEY (repository, mirror, set_off_by, status)
) STRICT, WITHOUT ROWID;

-- A sum that no INTEGER holds is REAL in SQLite; its CAST is the largest INTEGER.
INSERT INTO run_totals
SELECT repository, mirror, set_off_by, status, count(*), CAST(total(api_requests) AS INTEGER),
       CAST(total(bytes_sent) AS INTEGER), CAST(total(bytes_received) AS INTEGER)
FROM runs WHERE status <> 'running'
GROUP BY repository, mirror, set_off_by, status;

-- How many runs of a mirror in a row failed by its own fault. What was stopped, or failed at the source, says nothing of it.
CREATE TABLE run_failures (
    repository TEXT NOT NULL,
    mirror     TEXT NOT NULL,
    in_a_row   INTEGER NOT NULL,
    PRIMARY KEY (repository, mirror)
) STRICT, WITHOUT ROWID;

INSERT INTO run_failures
SELECT runs.repository, runs.mirror, count(*)
FROM runs LEFT JOIN (
    SELECT repository, mirror, max(rowid) AS last FROM runs WHERE status IN ('success', 'blocked')
    GROUP BY repository, mirror
) AS well ON well.repository = runs.repository AND well.mirror = runs.mirror
WHERE status = 'failed' AND runs.rowid > coalesce(last, 0)
    AND NOT iif(json_valid(error), coalesce(json_extract(error, '$.at_source'), 0), 0)
GROUP BY runs.repository, runs.mirror;

-- Whoever ends a run counts it, in the same transaction and once.
CREATE TRIGGER runs_are_counted AFTER UPDATE OF status ON runs
WHEN OLD.status = 'running' AND NEW.status <> 'running'
BEGIN
    INSERT INTO run_totals (repository, mirror, set_off_by, status, runs, api_requests, bytes_sent, bytes_received)
    VALUES (NEW.repository, NEW.mirror, NEW.set_off_by, NEW.status, 1, NEW.api_requests, NEW.bytes_sent,
            NEW.bytes_received)
    ON CONFLICT (repository, mirror, set_off_by, status) DO UPDATE SET
        runs = runs + 1,
        api_requests = CAST(api_requests + excluded.api_requests AS INTEGER),
        bytes_sent = CAST(bytes_sent + excluded.bytes_sent AS INTEGER),
        bytes_received = CAST(bytes_received + excluded.bytes_received AS INTEGER);

    INSERT INTO run_failures (repository, mirror, in_a_row)
    SELECT NEW.repository, NEW.mirror, NEW.status = 'failed'
    WHERE NEW.status IN ('success', 'blocked')
        OR NEW.status = 'failed'
            AND NOT iif(json_valid(NEW.error), coalesce(json_extract(NEW.error, '$.at_source'), 0), 0)
    ON CONFLICT (repository, mirror) DO UPDATE SET in_a_row = iif(excluded.in_a_row, in_a_row + 1, 0);
END;

-- The newest run of a mirror is found without reading the others: the rowid, which is the order, stands in each index.
CREATE INDEX runs_of_mirror ON runs (repository, mirror);
