//! Which rooms a crate has, in which order they stand, and which of them name which: read from the sources themselves.

use std::iter::Peekable;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The rooms of a crate from the ground up, floor by floor: the modules that its `lib.rs` declares, where a blank line ends a
/// floor.
pub fn floors(lib: &str) -> Vec<Vec<String>> {
    let mut floors = vec![Vec::new()];
    for line in lib.lines() {
        let declared = line.trim_start_matches("pub ").strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'));
        match (declared, floors.last_mut()) {
            (Some(room), Some(floor)) => floor.push(room.to_owned()),
            (None, Some(floor)) if line.is_empty() && !floor.is_empty() => floors.push(Vec::new()),
            _ => {}
        }
    }
    floors.retain(|floor| !floor.is_empty());
    floors
}

/// The rooms in the order in which the table in the header of a `lib.rs` names them.
pub fn told(lib: &str) -> Vec<String> {
    let rows = lib.lines().filter_map(|line| line.strip_prefix("//! | ")?.split_once(" | ")).map(|(rooms, _)| rooms);
    let names = rows.flat_map(|rooms| rooms.split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

/// The module that a file below `src` is, such as `code::plan` for `code/plan/mod.rs`.
pub fn module_of(file: &Path) -> Vec<String> {
    let mut module: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    module.pop_if(|last| ["mod", "lib"].contains(&last.as_str()));
    module
}

/// What the text of a module names at the root of its crate: `run` for `crate::run::execute`, `use crate::{run as it}` and a
/// `super::super::run` that leads there. Comments and strings name nothing; what stands in a macro's brackets counts.
///
/// # Panics
/// Where the text is no Rust.
pub fn named_at_root(text: &str, module: &[String]) -> Vec<String> {
    let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{}: {error}", module.join("::")));
    let mut found = Vec::new();
    walk(tokens, module.len(), &mut found);
    found
}

/// What the text of a module names and may not: rooms of its own floor and of those above, and what is no room.
pub fn named_wrongly(floors: &[Vec<String>], text: &str, module: &[String]) -> Vec<String> {
    let floor_of = |room: &str| floors.iter().position(|floor| floor.iter().any(|known| known == room));
    let own = &module[0];
    let height = floor_of(own).unwrap_or_else(|| panic!("{own} is not declared"));
    let mut named = named_at_root(text, module);
    named.retain(|name| name != own && floor_of(name).is_none_or(|floor| floor >= height));
    named
}

type Tokens = Peekable<proc_macro2::token_stream::IntoIter>;

/// `depth` is how many `super` lead to the root.
fn walk(tokens: TokenStream, depth: usize, found: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => walk(group.stream(), depth, found),
            TokenTree::Ident(word) if word == "mod" => {
                tokens.next();
                if let Some(TokenTree::Group(body)) = tokens.next() {
                    walk(body.stream(), depth + 1, found);
                }
            }
            TokenTree::Ident(word) if word == "crate" => from_root(&mut tokens, found),
            TokenTree::Ident(word) if word == "super" => {
                let mut left = depth - 1;
                while left > 0 && follows(&mut tokens, "super") {
                    left -= 1;
                }
                if left == 0 {
                    from_root(&mut tokens, found);
                }
            }
            _ => {}
        }
    }
}

/// Whether `::` and this word come next; where they do, they are taken.
fn follows(tokens: &mut Tokens, word: &str) -> bool {
    let mut ahead = tokens.clone();
    let is_next = take_colons(&mut ahead) && matches!(ahead.next(), Some(TokenTree::Ident(next)) if next == word);
    if is_next {
        *tokens = ahead;
    }
    is_next
}

fn take_colons(tokens: &mut Tokens) -> bool {
    let is_colon = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':');
    tokens.next_if(is_colon).is_some() && tokens.next_if(is_colon).is_some()
}

/// What a path names that has come to the root.
fn from_root(tokens: &mut Tokens, found: &mut Vec<String>) {
    if !take_colons(tokens) {
        // `pub(crate)` names nothing, `use crate as it` all.
        if matches!(tokens.peek(), Some(TokenTree::Ident(word)) if word == "as") {
            found.push("crate".to_owned());
        }
        return;
    }
    match tokens.next() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let mut begins = true;
            for token in group.stream() {
                if begins {
                    found.push(token.to_string());
                }
                begins = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',');
            }
        }
        name => found.extend(name.map(|name| name.to_string())),
    }
}
