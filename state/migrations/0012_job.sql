-- Which job a run was part of: the runs of one sync of a repository belong together.
ALTER TABLE runs ADD COLUMN job TEXT;
