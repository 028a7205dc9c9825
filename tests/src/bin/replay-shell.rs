//! What sshd starts instead of a shell where a replayed host stands behind it: `replay-shell SOCKET`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let socket = std::env::args().nth(1).unwrap_or_default();
    let command = std::env::var("SSH_ORIGINAL_COMMAND").unwrap_or_default();
    match standin_tests::replay::act_as_shell(Path::new(&socket), &command) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("replay-shell: {error}");
            ExitCode::FAILURE
        }
    }
}
