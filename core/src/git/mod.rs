//! git.
/// The git program.
#[derive(Clone)]
pub struct GitProgram;
