//! Tokens.
/// A token and where it came from.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub value: secrecy::SecretString,
    /// Where it came from.
    pub origin: TokenOrigin,
}
/// Where a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenOrigin {
    /// `MIRROR_SOURCE_TOKEN` or `MIRROR_<n>_TOKEN`, in the environment or `.env`.
    Environment,
    /// The keychain.
    Keychain,
    /// Typed in the window, kept in memory until it quits.
    Session,
    /// `gh auth token`, after its identity and push right were checked.
    Gh,
}
