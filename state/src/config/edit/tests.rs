use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::error::Code;

fn id<T: std::str::FromStr<Err = crate::model::NameError>>(text: &str) -> T {
    text.parse().unwrap()
}

fn toml(text: &str, edit: &Edit) -> String {
    let after = in_toml::edited(text, edit).unwrap();
    after
        .strip_prefix('\u{feff}')
        .unwrap_or(&after)
        .parse::<::toml::Table>()
        .unwrap_or_else(|error| panic!("{error}\n{after}"));
    after
}

fn env(text: &str, edit: &Edit) -> String {
    in_env::edited(text, edit).unwrap()
}

fn text(key: MirrorKey, value: &str) -> Setting<MirrorKey> {
    Setting { key, value: Given::from(value) }
}

fn add(mirror: &str, url: &str) -> Edit {
    let settings = vec![text(MirrorKey::Url, url)];
    Edit::AddMirror { repository: id("site"), mirror: id(mirror), kind: MirrorType::Git, settings }
}

fn remove(mirror: &str) -> Edit {
    Edit::RemoveMirror { repository: id("site"), mirror: id(mirror) }
}

fn change(mirror: &str, key: MirrorKey, value: Option<Given>) -> Edit {
    Edit::ChangeMirror { repository: id("site"), mirror: id(mirror), changes: vec![Change { key, value }] }
}

/// The same repository in each way to write it, with what nobody knows in it.
const WAYS: [&str; 5] = [
    "# top\n[schedule]\ninterval = \"2h\" # slow\n\n[[repository]]\nid = \"site\" # ours\nsource = 'me/site'\nheartbeat.path = \"a\"\nheartbeat.field = \"b\"\n\n# the one at home\n[[repository.mirror]]\nid = \"home\"\ntype = \"git\"\nurl = '/srv/home.git' # a folder\nodd = { x = 1 }\n\n[repository.sentinel]\nthreshold = 4\n# tail of sentinel\n\n[[repository]]\nid = \"other\"\nsource = \"me/other\"\n# the end\n",
    "[[repository]]\nid = \"site\"\nsource = \"me/site\"\nmirror = [\n  { id = \"home\", type = \"git\", url = \"/srv/home.git\" }, # at home\n]\n",
    "[[repository]]\nid = \"site\"\nsource = \"me/site\"\nmirror = [{ id = \"home\", type = \"git\", url = \"/srv/home.git\" }]\n[[repository]]\nid='other'\nsource='x/y'",
    "repository = [\n\t{ id = \"site\", source = \"me/site\", heartbeat.path = \"x\", mirror = [{ id = \"home\", type = \"git\", url = \"/srv/home.git\", }] },\n]\n# end",
    "\"repository\" = [{ \"id\" = \"site\", 'source' = \"me/site\", mirror = [{ type = \"git\", url = \"/srv/home.git\", id = \"home\" }] }]",
];

#[test]
fn a_mirror_comes_in_the_form_that_the_others_have() {
    let after = WAYS.map(|text| toml(text, &add("away", "/srv/away.git")));
    assert!(
        after[0].contains(
            "threshold = 4\n\n[[repository.mirror]]\nid = \"away\"\ntype = \"git\"\nurl = \"/srv/away.git\"\n# tail"
        ),
        "{}",
        after[0]
    );
    let braces = "{ id = \"away\", type = \"git\", url = \"/srv/away.git\" }";
    assert!(after[1].contains(&format!("home.git\" }},\n  {braces}, # at home\n]")), "{}", after[1]);
    assert!(after[2].contains(&format!("home.git\" }}, {braces}]\n[[repository]]")), "{}", after[2]);
    for text in &after {
        let known = in_toml::outline(text);
        let mirrors: Vec<&str> = known[0].mirrors.iter().map(|mirror| &*mirror.id).collect();
        assert_eq!(mirrors, ["home", "away"], "{text}");
    }
}

#[test]
fn a_change_touches_its_value_alone() {
    let [first, ..] = WAYS;
    let changed = toml(first, &change("home", MirrorKey::Url, Some(Given::from("/srv/new.git"))));
    assert_eq!(changed, first.replace("'/srv/home.git'", "'/srv/new.git'"), "the quotes stay as they were");
    let off = toml(first, &change("home", MirrorKey::Enabled, Some(Given::Flag(false))));
    assert_eq!(off, first.replace("odd = { x = 1 }\n", "odd = { x = 1 }\nenabled = false\n"));
    assert_eq!(toml(&off, &change("home", MirrorKey::Enabled, None)), first);
    let same = change("home", MirrorKey::Url, Some(Given::from("/srv/home.git")));
    assert_eq!(WAYS.map(|text| toml(text, &same)), WAYS.map(str::to_owned), "what is said already is not written anew");
}

#[test]
fn what_is_removed_takes_nothing_of_others_with_it() {
    let [first, ..] = WAYS;
    let after = toml(first, &remove("home"));
    let gone =
        "[[repository.mirror]]\nid = \"home\"\ntype = \"git\"\nurl = '/srv/home.git' # a folder\nodd = { x = 1 }\n";
    assert_eq!(after, first.replace(gone, ""), "comments stay");
    let gone = toml(first, &Edit::RemoveRepository { repository: id("site") });
    assert_eq!(in_toml::outline(&gone).len(), 1);
    assert!(
        gone.starts_with("# top\n[schedule]\ninterval = \"2h\" # slow\n") && gone.contains("id = \"other\""),
        "{gone}"
    );
    for text in WAYS {
        let none = toml(text, &remove("home"));
        assert!(in_toml::outline(&none)[0].mirrors.is_empty(), "{none}");
        let again = toml(&none, &add("home", "/srv/home.git"));
        assert_eq!(in_toml::outline(&again)[0].mirrors.len(), 1, "{again}");
    }
}

#[test]
fn what_is_there_twice_or_not_at_all_is_refused() {
    let code = |text: &str, edit: Edit| in_toml::edited(text, &edit).unwrap_err().code;
    for text in WAYS {
        assert_eq!(code(text, add("home", "/x")), Code::Usage);
        assert_eq!(code(text, remove("away")), Code::NotFound);
        let elsewhere = Edit::RemoveRepository { repository: id("nowhere") };
        assert_eq!(code(text, elsewhere), Code::NotFound);
    }
    assert_eq!(code("[[repository\n", add("home", "/x")), Code::Configuration);
    assert_eq!(code("[repository]\nid = \"site\"\n", add("home", "/x")), Code::Configuration);
}

#[test]
fn an_env_gets_lines_behind_its_own_and_loses_them_alone() {
    let before =
        "# keys\r\nDATABASE_URL='a b'\r\nexport MIRROR_1_TYPE=git # old\r\nMIRROR_1_URL=/a\r\nOTHER=\"x\r\ny\"\r\n";
    let added = env(before, &add("mirror-4", "/srv/it's here"));
    let lines = "MIRROR_4_TYPE=git\r\nMIRROR_4_URL=\"/srv/it's here\"\r\n";
    assert_eq!(added, before.replace("MIRROR_1_URL=/a\r\n", &format!("MIRROR_1_URL=/a\r\n{lines}")));
    assert_eq!(env(&added, &remove("mirror-4")), before);
    let changed = env(before, &change("mirror-1", MirrorKey::Type, Some(Given::from("pull"))));
    assert_eq!(changed, before.replace("TYPE=git # old", "TYPE=pull # old"));
    assert_eq!(next_id_in_env(&added, &[]).unwrap().as_str(), "mirror-5");
    assert_eq!(next_id_in_env("", &[id("backup"), id("mirror-7")]).unwrap().as_str(), "mirror-8");
    assert_eq!(next_id_in_env("", &[]).unwrap().as_str(), "mirror-1");
}

#[test]
fn what_an_env_cannot_say_is_refused_with_where_it_can_be_said() {
    let before = "MIRROR_1_TYPE=github\nMIRROR_1_REPO=a/b\n";
    for edit in [
        add("backup", "/a"),
        add("mirror-01", "/a"),
        change("mirror-1", MirrorKey::Schedule, Some(Given::from("0 3 * * *"))),
        change("mirror-1", MirrorKey::Hooks, Some(Given::Flag(true))),
        Edit::AddRepository { repository: id("x"), settings: Vec::new() },
    ] {
        let error = in_env::edited(before, &edit).unwrap_err();
        assert_eq!((error.code, error.hint.contains("`standin.toml`")), (Code::Usage, true), "{error:?}");
    }
}

#[test]
fn what_is_kept_in_step_is_four_lines_of_an_env() {
    let before = "MIRROR_1_TYPE=github\nMIRROR_1_REPO=a/b\nMIRROR_1_SYNC_CODE=no\n";
    let only = |words: &[&str]| Given::Words(words.iter().map(|word| (*word).to_owned()).collect());
    let after = env(before, &change("mirror-1", MirrorKey::Sync, Some(only(&["code", "secrets"]))));
    assert_eq!(
        after,
        "MIRROR_1_TYPE=github\nMIRROR_1_REPO=a/b\nMIRROR_1_SYNC_CODE=true\nMIRROR_1_SYNC_VARS=false\nMIRROR_1_SYNC_WORKFLOWS=false\n"
    );
    let all = env(&after, &change("mirror-1", MirrorKey::Sync, None));
    assert_eq!(all, "MIRROR_1_TYPE=github\nMIRROR_1_REPO=a/b\n");
    let odd = change("mirror-1", MirrorKey::Sync, Some(only(&["codes"])));
    assert_eq!(in_env::edited(before, &odd).unwrap_err().code, Code::Usage);
}

#[test]
fn a_difference_shows_what_changes_and_no_secret() {
    let before = "KEY=s3cret\nMIRROR_1_TYPE=git\nMIRROR_1_URL=/a\nMIRROR_1_TOKEN=ghp_0123456789abcdef\n#OLD=s3cret\n";
    let after = env(before, &remove("mirror-1"));
    let shown = difference::difference(Form::Env, ".env", before, &after);
    assert!(shown.contains("-MIRROR_1_URL=/a\n") && shown.contains("-MIRROR_1_TOKEN=…\n"), "{shown}");
    assert!(!shown.contains("s3cret") && !shown.contains("ghp_"), "{shown}");
    let [first, ..] = WAYS;
    let shown = difference::difference(Form::Toml, "standin.toml", first, &toml(first, &add("away", "/a")));
    assert!(shown.contains("+[[repository.mirror]]\n") && shown.contains(" threshold = 4\n"), "{shown}");
}

fn any_toml() -> impl Strategy<Value = String> {
    let odd = select(vec!["", "# odd\n", "\n\n", "unknown = 1\n", "  indented = [1,\n 2]\n"]);
    let end = select(vec!["", "\n", "\n# no line end", "[limits]\nparallel = 2"]);
    (select(WAYS.to_vec()), odd, end, any::<bool>(), any::<bool>()).prop_map(|(way, odd, end, crlf, mark)| {
        let head = if odd.trim().starts_with("unknown") || odd.trim().starts_with("indented") { odd } else { "" };
        let below = if way.ends_with('\n') && head.is_empty() { format!("{odd}{end}") } else { String::new() };
        let text = format!("{head}{way}{below}");
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        if mark { format!("\u{feff}{text}") } else { text }
    })
}

fn any_words() -> impl Strategy<Value = String> {
    proptest::collection::vec(select("aZ9 '\"\\$#{}=\t\u{e4}\u{1}\n,;-".chars().collect::<Vec<_>>()), 1..12)
        .prop_map(|letters| letters.into_iter().collect())
}

fn any_env() -> impl Strategy<Value = String> {
    let line = select(vec![
        "# note",
        "",
        "KEY=value",
        "export B='x y' # c",
        "no statement",
        "M=\"two\nlines\"",
        "MIRROR_1_TYPE=git",
        "MIRROR_1_URL=/a",
        "MIRROR_ENABLED=true",
    ]);
    (proptest::collection::vec(line, 0..9), any::<bool>(), any::<bool>()).prop_map(|(lines, crlf, ends)| {
        let text = lines.join("\n") + if ends { "\n" } else { "" };
        if crlf { text.replace('\n', "\r\n") } else { text }
    })
}

proptest! {
    #[test]
    fn an_edit_and_its_opposite_leave_every_byte(before in any_toml(), url in any_words()) {
        let added = toml(&before, &add("away", &url));
        prop_assert_eq!(&toml(&added, &remove("away")), &before);
        let found = added.contains(&url) || url.contains(['"', '\\']) || url.contains(char::is_control);
        prop_assert!(found, "{}", added);
        let repository = Edit::AddRepository { repository: id("new"), settings: vec![Setting { key: RepositoryKey::Source, value: Given::Text(url.clone()) }] };
        let with = toml(&before, &repository);
        prop_assert_eq!(&toml(&with, &Edit::RemoveRepository { repository: id("new") }), &before);
        for (key, value) in [(MirrorKey::Schedule, Given::Text(url)), (MirrorKey::Enabled, Given::Flag(false))] {
            let set = toml(&before, &change("home", key, Some(value)));
            prop_assert_eq!(&toml(&set, &change("home", key, None)), &before);
        }
        let moved = toml(&before, &change("home", MirrorKey::Url, Some(Given::from("/b"))));
        prop_assert_eq!(&toml(&moved, &change("home", MirrorKey::Url, Some(Given::from("/srv/home.git")))), &before);
    }

    #[test]
    fn what_is_written_is_what_is_read(value in any_words()) {
        let [first, ..] = WAYS;
        let after = toml(first, &change("home", MirrorKey::Url, Some(Given::Text(value.clone()))));
        let table: ::toml::Table = after.parse().unwrap();
        prop_assert_eq!(table["repository"][0]["mirror"][0]["url"].as_str(), Some(&*value));
        let text = env("MIRROR_1_TYPE=git\n", &change("mirror-1", MirrorKey::Url, Some(Given::Text(value.clone()))));
        let read = crate::config::env::placed(&text);
        prop_assert_eq!(read.iter().find(|line| line.key == "MIRROR_1_URL").map(|line| &line.value), Some(&value));
    }

    #[test]
    fn an_env_is_the_same_after_a_mirror_came_and_went(before in any_env(), url in any_words()) {
        let added = env(&before, &add("mirror-3", &url));
        prop_assert_eq!(&env(&added, &remove("mirror-3")), &before);
        if has_mirror_in_env(&before, &id("mirror-1")) {
            let off = env(&before, &change("mirror-1", MirrorKey::Enabled, Some(Given::Flag(false))));
            prop_assert_eq!(&env(&off, &change("mirror-1", MirrorKey::Enabled, None)), &before);
        }
    }
}
