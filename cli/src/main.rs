//! The program `standin`.

fn main() -> std::process::ExitCode {
    standin_cli::main()
}
