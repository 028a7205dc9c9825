#!/usr/bin/env bash
# octocrab leaves the path of its base address out where a route begins with the same letters.
#
# Seen with: octocrab 0.54.9 (crates.io).
# A gateway has GitHub's API under a path of its own, here `/g`. octocrab puts that path before each route, but for those that
# begin with it as text: it takes `/gists` for a path that is complete. So one client works for most endpoints, and asks for the rest
# outside of the gateway's path, with the token:
#
#   /user: GET /g/user HTTP/1.1
#   /gists: GET /gists HTTP/1.1
#
# Exit status 0: it is still so; 1: it has changed.
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
serde_json = "1"
tokio = { version = "1", features = ["macros", "rt"] }
TOML
cat >"$folder/src/main.rs" <<'RUST'
use std::io::{Read as _, Write as _};

use octocrab::Octocrab;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/g", listener.local_addr().unwrap());
    let (sender, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).unwrap();
            sender.send(String::from_utf8_lossy(&buffer[..read]).lines().next().unwrap().to_owned()).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").unwrap();
        }
    });
    let octocrab = Octocrab::builder().base_uri(base).unwrap().build_with_reqwest(reqwest::Client::new()).unwrap();
    for route in ["/user", "/gists"] {
        octocrab.get::<Value, _, ()>(route, None).await.unwrap();
        println!("{route}: {}", asked.recv().unwrap());
    }
}
RUST
told=$(cd "$folder" && cargo run --quiet)
printf '%s\n' "$told"
[[ $told == $'/user: GET /g/user HTTP/1.1\n/gists: GET /gists HTTP/1.1' ]]
