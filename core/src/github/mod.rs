//! REST access to GitHub.
/// REST access to one GitHub host with one token.
#[derive(Clone)]
pub struct Client;
