-- What the owner of a clone said about its `.env`, and what tokens and values that are kept elsewhere were given for.

CREATE TABLE consents (
    file       TEXT NOT NULL PRIMARY KEY,
    wish       TEXT,
    denied     TEXT,
    decided_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `account` is the keychain's name of a token, or `<repository>/vault/<NAME>` for a value in the vault.
CREATE TABLE bound (
    account TEXT NOT NULL,
    target  TEXT NOT NULL,
    PRIMARY KEY (account, target)
) STRICT, WITHOUT ROWID;
