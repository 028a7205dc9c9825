-- The place that the mirror's id named when the run began; NULL for runs from before this.
ALTER TABLE runs ADD COLUMN target TEXT;

-- Of an aspect: when it was last tried without success, whether that was the source's fault, and how many refs a person
-- left apart.
ALTER TABLE aspect_results ADD COLUMN last_try_ns INTEGER;
ALTER TABLE aspect_results ADD COLUMN at_source INTEGER NOT NULL DEFAULT 0;
ALTER TABLE aspect_results ADD COLUMN apart INTEGER;
