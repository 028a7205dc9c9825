//! The program `standin`, with named points at which the tests end it.

fn main() -> std::process::ExitCode {
    standin_cli::main()
}
