-- The place that the mirror's id named when the run began; NULL for runs from before this.
ALTER TABLE runs ADD COLUMN target TEXT;
