//! stub
fn main() { standin_cli::main() }
