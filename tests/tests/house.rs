//! The rules of the house: who may know whom, how large a file may grow, and what the tree must and must not hold.
//!
//! These read the tree itself. A failure names the file and the rule.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use standin_tests::rooms;

/// Lines a file may have; the house says "about 500".
const LINES_AT_MOST: usize = 520;

/// Which of our own packages each of them may use directly.
const MAY_USE: [(&str, &[&str]); 7] = [
    ("standin-state", &[]),
    ("standin-core", &["standin-state"]),
    ("standin-sandbox", &[]),
    ("standin-cli", &["standin-core", "standin-state", "standin-sandbox"]),
    ("standin-desktop", &["standin-core", "standin-state"]),
    ("standin-tests", &["standin-cli", "standin-core", "standin-state", "standin-sandbox"]),
    ("xtask", &["standin-sandbox"]),
];

/// What core has at its root besides its rooms: taken over from the crate below.
const NO_ROOMS: [&str; 4] = ["state", "Code", "Error", "Result"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file that is, or is about to be, in the repository.
fn files() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    let files: Vec<_> =
        names.split_terminator('\0').map(PathBuf::from).filter(|file| root().join(file).is_file()).collect();
    assert!(files.len() > 50, "git listed only {} files", files.len());
    files
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().and_then(|extension| extension.to_str()).is_some_and(|found| extensions.contains(&found))
}

/// Cargo.lock as a graph: package name to the names that it uses, whatever the platform or the kind of dependency.
fn lock() -> BTreeMap<String, BTreeSet<String>> {
    let lock: toml::Table = read("Cargo.lock").parse().unwrap();
    let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
    for package in lock["package"].as_array().unwrap() {
        let uses = package.get("dependencies").and_then(|list| list.as_array()).into_iter().flatten();
        let uses = uses.filter_map(|name| name.as_str()?.split(' ').next().map(str::to_owned));
        graph.entry(package["name"].as_str().unwrap().to_owned()).or_default().extend(uses);
    }
    graph
}

/// Everything below a package.
fn below(graph: &BTreeMap<String, BTreeSet<String>>, package: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![package];
    while let Some(next) = open.pop() {
        for name in graph.get(next).into_iter().flatten() {
            if found.insert(name.clone()) {
                open.push(name);
            }
        }
    }
    found
}

#[test]
fn imports_between_our_packages_run_one_way() {
    let graph = lock();
    let ours: BTreeSet<_> = MAY_USE.iter().map(|(name, _)| (*name).to_owned()).collect();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--locked", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let members: BTreeSet<_> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| package["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(members, ours, "a package joined or left the workspace: say here whom it may use");

    for (package, allowed) in MAY_USE {
        let allowed: BTreeSet<_> = allowed.iter().map(|name| (*name).to_owned()).collect();
        let used: BTreeSet<_> = graph[package].intersection(&ours).cloned().collect();
        // A package may name itself among its development dependencies, to switch on a feature for its own tests.
        let forbidden: Vec<_> = used.difference(&allowed).filter(|name| *name != package).collect();
        assert!(forbidden.is_empty(), "{package} must not use {forbidden:?}");
    }
}

#[test]
fn imports_between_the_rooms_of_core_run_down() {
    let lib = read("core/src/lib.rs");
    let floors = rooms::floors(&lib);
    assert!(floors.len() > 10, "core/src/lib.rs has only these floors: {floors:?}");
    assert_eq!(rooms::told(&lib), floors.concat(), "the table of core/src/lib.rs and its modules are not the same");
    let mut wrong = Vec::new();
    for file in files().iter().filter(|file| has_extension(file, &["rs"])) {
        let Ok(below_src) = file.strip_prefix("core/src") else { continue };
        let module = rooms::module_of(below_src);
        if module.is_empty() {
            continue;
        }
        let named = rooms::named_wrongly(&floors, &read(file), &module);
        let named = named.into_iter().filter(|name| !NO_ROOMS.contains(&name.as_str()));
        wrong.extend(named.map(|name| format!("{} names {name}", file.display())));
    }
    assert!(
        wrong.is_empty(),
        "a room knows only rooms of the floors below its own (core/src/lib.rs):\n{}",
        wrong.join("\n")
    );
}

#[test]
fn an_import_that_runs_up_is_found_however_it_is_written() {
    let lib = "//! | [`ground`], `beside` | a |\n//! | [`top`] | b |\n\nmod ground;\npub mod beside;\n\npub mod top;\n\n\
               pub use below::Error;\n";
    let floors = rooms::floors(lib);
    assert_eq!(floors, [vec!["ground", "beside"], vec!["top"]]);
    assert_eq!(rooms::told(lib), ["ground", "beside", "top"]);
    let module = |path: &str| rooms::module_of(Path::new(path));
    let named = |path: &str, text: &str| rooms::named_wrongly(&floors, text, &module(path));
    for (path, text, up) in [
        ("ground.rs", "use crate::top::Thing;", &["top"][..]),
        ("ground/mod.rs", "pub(crate) use crate::{beside, ground::mine, top::{self, Thing}};", &["beside", "top"]),
        ("ground/deep/mod.rs", "fn f() { format!(\"{}\", crate::top::word()); }", &["top"]),
        ("ground/deep/file.rs", "use super::super::super::top;", &["top"]),
        ("ground.rs", "mod tests { use super::super::top; }", &["top"]),
        ("ground.rs", "use super::{beside, Error};", &["beside", "Error"]),
        ("ground.rs", "use crate as all;", &["crate"]),
        ("ground.rs", "use crate::*;", &["*"]),
        ("top/mod.rs", "use crate::{beside, ground::Thing}; pub(super) fn f() {} pub(crate) fn g() {}", &[]),
        ("ground/deep.rs", "use super::top; use super::super::ground; mod tests { use super::*; }", &[]),
        (
            "ground.rs",
            "//! [`crate::top`]\n/// crate::top\nfn f() -> &'static str { \"crate::top\" } // crate::top",
            &[],
        ),
    ] {
        assert_eq!(named(path, text), up, "{path}: {text}");
    }
}

#[test]
fn nothing_of_tauri_is_below_anything_but_the_desktop() {
    let graph = lock();
    let is_of_tauri = |name: &str| name.starts_with("tauri") || ["wry", "tao", "webkit2gtk", "gtk"].contains(&name);
    assert!(below(&graph, "standin-desktop").iter().any(|name| is_of_tauri(name)), "the check itself is blind");
    for package in ["standin-state", "standin-core", "standin-sandbox", "standin-cli", "xtask"] {
        let found: Vec<_> = below(&graph, package).into_iter().filter(|name| is_of_tauri(name)).collect();
        assert!(found.is_empty(), "{package} has {found:?} below it");
    }
}

#[test]
fn crash_points_are_in_the_tests_alone() {
    for manifest in files().iter().filter(|file| file.ends_with("Cargo.toml")) {
        let text = read(manifest);
        let manifest = manifest.to_str().unwrap();
        let table: toml::Table = text.parse().unwrap();
        match manifest {
            "tests/Cargo.toml" => {}
            "core/Cargo.toml" => {
                let features = table["features"].as_table().unwrap();
                let empty = features["crash-points"].as_array().unwrap().is_empty();
                assert!(empty && !features.contains_key("default"), "crash-points must stay off by default");
            }
            other => assert!(!text.contains("crash-points"), "{other} switches crash points on"),
        }
    }
}

#[test]
fn the_frontend_meets_tauri_in_one_file_only() {
    let sources =
        files().into_iter().filter(|file| file.starts_with("ui/src") && has_extension(file, &["ts", "js", "svelte"]));
    let importing: Vec<_> = sources.filter(|file| read(file).contains("@tauri-apps/")).collect();
    assert_eq!(importing, [Path::new("ui/src/lib/backend.ts")]);
}

#[test]
fn files_stay_short() {
    let code = ["rs", "ts", "js", "svelte", "css", "sql", "toml", "md"];
    let long: Vec<_> = files()
        .into_iter()
        .filter(|file| has_extension(file, &code))
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > LINES_AT_MOST)
        .collect();
    assert!(long.is_empty(), "split these by topic: {long:?}");
}

#[test]
fn every_room_says_what_lives_in_it() {
    let doors = ["lib.rs", "main.rs", "mod.rs", "build.rs"];
    for file in files() {
        let is_door = file.file_name().and_then(|name| name.to_str()).is_some_and(|name| doors.contains(&name));
        if !is_door {
            continue;
        }
        let text = read(&file);
        let header: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(header.len() > 20, "{} has no header that says what lives there", file.display());
    }
}

#[test]
fn no_file_knows_the_machine_that_it_was_written_on() {
    let home = std::env::var("HOME").unwrap_or_default();
    let mut places = vec![root().display().to_string(), ["/ro", "ot/"].concat()];
    places.extend((home.matches('/').count() > 1).then_some(home));
    // A checkout right below `/` has a name that may stand anywhere.
    places.retain(|place| place.matches('/').count() > 1);
    for file in files() {
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else { continue };
        for place in &places {
            assert!(!text.contains(place.as_str()), "{} speaks of {place}", file.display());
        }
    }
}

#[test]
fn every_package_names_the_licences_that_are_here() {
    let workspace: toml::Table = read("Cargo.toml").parse().unwrap();
    assert_eq!(workspace["workspace"]["package"]["license"].as_str(), Some("MIT OR Apache-2.0"));
    assert!(read("LICENSE-MIT").contains("Permission is hereby granted, free of charge"));
    assert!(read("LICENSE-APACHE").contains("Version 2.0, January 2004"));
    for manifest in files().iter().filter(|file| file.ends_with("Cargo.toml")) {
        let table: toml::Table = read(manifest).parse().unwrap();
        let inherited = table["package"]["license"].get("workspace").and_then(toml::Value::as_bool);
        assert_eq!(inherited, Some(true), "{} names no licence", manifest.display());
    }
}

/// The version as the manifest of the workspace has it.
const VERSION: &str = concat!("version = \"", env!("CARGO_PKG_VERSION"), "\"");

/// Kinds of mirror are matched without a catch-all, and `core/src/kinds/mod.rs` is the only list of them: a variant more, and core
/// does not compile before that list and every other place has said what it is there.
#[test]
fn a_kind_that_is_not_registered_does_not_compile() {
    let scratch = tempfile::tempdir().unwrap();
    let copied = |path: &Path| path.starts_with("core") || path.starts_with("state");
    for path in files() {
        let to = scratch.path().join(&path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        // All others only have to be there, as members of the workspace.
        if copied(&path)
            || path.ends_with("Cargo.toml")
            || path.ends_with("Cargo.lock")
            || path.extension().is_some_and(|end| end == "rs")
        {
            std::fs::copy(root().join(&path), &to).unwrap();
        }
    }
    // What cargo keeps of a package it keeps by name, version and place in the workspace: these are others than ours.
    let manifest = scratch.path().join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    assert!(text.contains(VERSION), "the version of the workspace");
    std::fs::write(&manifest, text.replace(VERSION, "version = \"0.0.0-made-up\"")).unwrap();
    // The crate below knows the kind, wherever it asks for one; core has not heard of it.
    let arm = "::MadeUp(_) => unimplemented!(),";
    let edit = |file: &str, from: &str, changes: &[(&str, String)]| {
        let path = scratch.path().join("state/src/config").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let (before, after) = text.split_at(text.find(from).unwrap());
        let (within, rest) = after.split_at(after.find("\n}\n").filter(|_| !from.is_empty()).unwrap_or(after.len()));
        let within = changes.iter().fold(within.to_owned(), |text, (old, new)| text.replace(old, new));
        std::fs::write(&path, [before, &within, rest].concat()).unwrap();
    };
    let variant = "pub enum Target {\n    /// Made up.\n    MadeUp(String),".to_owned();
    edit("types.rs", "pub enum Target {", &[("pub enum Target {", variant)]);
    edit("types.rs", "impl Target {", &[("match self {", format!("match self {{\n            Self{arm}"))]);
    let matches = ["match &target {", "match &mut target {", "match target {"];
    edit("validate.rs", "", &matches.map(|start| (start, format!("{start} Target{arm}"))));
    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "-p", "standin-core", "--message-format", "short"])
        .current_dir(scratch.path())
        // With what the others were checked with, so that it costs one crate.
        .env("CARGO_TARGET_DIR", root().join("target"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it compiled");
    assert!(!said.contains("could not compile `standin-state`"), "the crate below says what the kind is: {said}");
    let unheard =
        |file: &str| said.lines().any(|line| line.starts_with(file) && line.contains("MadeUp(_)` not covered"));
    assert!(unheard("core/src/kinds/mod.rs"), "{said}");
    assert!(unheard("core/src/mirror/places.rs"), "{said}");
}
