-- A choice is about what was asked, which is a ref for some kinds of mirror and a file for others, as it stood when it was
-- looked at.

ALTER TABLE decisions RENAME COLUMN ref_name TO ask;
ALTER TABLE decisions RENAME COLUMN tip TO seen;
