//! The check against GitHub's own description.
