-- Word that was decided to be told lately, for faces that show notifications of their own: whoever decides it and whoever shows it
-- may be two processes. The last hundred are kept.
CREATE TABLE words (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ns INTEGER NOT NULL,
    word  TEXT NOT NULL
) STRICT;
