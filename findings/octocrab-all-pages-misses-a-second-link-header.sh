#!/usr/bin/env bash
# octocrab's `all_pages` ends after the first page where the next one is told in a second `Link` header.
#
# Seen with: octocrab 0.54.9 (crates.io).
# A host says of an endpoint that it is deprecated, and where the next page is, each in a `Link` header of its own, as HTTP allows.
# octocrab reads the first alone, so the list is short, and nothing says so to the caller. What it does say, it writes to the
# program's standard error: that it does not know the relation `deprecation`:
#
#   standard error: INFO: Received unexpected 'rel' attribute in 'Link' header: "deprecation"
#   all_pages: 1 of 2 items
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

use octocrab::{Octocrab, Page};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let next = format!("link: <https://example.com/why>; rel=\"deprecation\"\r\nlink: <{address}/list?page=2>; rel=\"next\"\r\n");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).unwrap();
            let is_last = String::from_utf8_lossy(&buffer[..read]).starts_with("GET /list?page=2 ");
            let links = if is_last { "" } else { &next };
            write!(stream, "HTTP/1.1 200 OK\r\n{links}content-length: 3\r\nconnection: close\r\n\r\n[1]").unwrap();
        }
    });
    let octocrab = Octocrab::builder().base_uri(address).unwrap().build_with_reqwest(reqwest::Client::new()).unwrap();
    let first: Page<Value> = octocrab.get("/list", None::<&()>).await.unwrap();
    println!("all_pages: {} of 2 items", octocrab.all_pages(first).await.unwrap().len());
}
RUST
told=$(cd "$folder" && cargo run --quiet 2>"$folder/errors") || { cat "$folder/errors" >&2; exit 1; }
errors=$(cat "$folder/errors")
printf 'standard error: %s\n%s\n' "$errors" "$told"
[[ $told == "all_pages: 1 of 2 items" && $errors == *"unexpected 'rel' attribute"*deprecation* ]]
