//! GitHub on localhost.
