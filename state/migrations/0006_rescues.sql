-- The place that the mirror's id named when the tip was saved; NULL for rescues from before this.
ALTER TABLE rescues ADD COLUMN target TEXT;
