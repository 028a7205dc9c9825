//! stub
fn main() { standin_desktop::run() }
