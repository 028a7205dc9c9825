#!/usr/bin/env bash
# octocrab asked to delete the branch `fix#12` deletes the branch `fix`.
#
# Seen with: octocrab 0.54.9 (crates.io).
# `#` may stand in the name of a branch. octocrab puts the name into its route as it is, and what it parses routes with drops a
# fragment without a word, so the host is asked about the part before the `#`, and octocrab says that all went well:
#
#   delete_ref(Branch("fix#12")): Ok(())
#   the host was asked: DELETE /repos/o/r/git/refs/heads/fix HTTP/1.1
#
# `get_ref` and `update_ref` do the same, and so does a file's path. Exit status 0: it is still so; 1: it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export CARGO_TARGET_DIR="$folder/target"
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "finding"
edition = "2024"

[dependencies]
octocrab = { version = "=0.54.9", default-features = false, features = ["reqwest"] }
reqwest = { version = "0.13", default-features = false }
tokio = { version = "1", features = ["macros", "rt"] }
TOML
cat >"$folder/src/main.rs" <<'RUST'
use std::io::{Read as _, Write as _};

use octocrab::{Octocrab, params::repos::Reference};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let host = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").unwrap();
        String::from_utf8_lossy(&buffer[..read]).lines().next().unwrap().to_owned()
    });
    let octocrab = Octocrab::builder().base_uri(address).unwrap().build_with_reqwest(reqwest::Client::new()).unwrap();
    let result = octocrab.repos("o", "r").delete_ref(&Reference::Branch("fix#12".to_owned())).await;
    println!("delete_ref(Branch(\"fix#12\")): {result:?}");
    println!("the host was asked: {}", host.join().unwrap());
}
RUST
told=$(cd "$folder" && cargo run --quiet)
printf '%s\n' "$told"
[[ $told == *"Ok(())"*"DELETE /repos/o/r/git/refs/heads/fix HTTP/1.1" ]]
