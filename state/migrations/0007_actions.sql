-- What to do about what went wrong, as something to click or to type; NULL where it is not one thing.
ALTER TABLE aspect_results ADD COLUMN action TEXT;
