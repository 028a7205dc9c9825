use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use standin_state::config::edit::{self, Change, Edit, Form, Given, MirrorKey, Setting};
use standin_state::config::{Config, Consents, LoadRequest, load};
use standin_state::model::MirrorType;

use super::*;
use crate::{Code, Result};

const FILE: &str = "[[repository]]\nid = \"site\"\nsource = \"me/site\"\n[[repository.mirror]]\nid = \"standby\"\ntype = \"github\"\n\
                    repo = \"other/site\"\n[[repository]]\nid = \"blog\"\nsource = \"me/blog\"\n[[repository.mirror]]\nid = \"nas\"\n\
                    type = \"git\"\nurl = \"https://git.example/blog.git\"\n";

struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("standin.toml"), text).unwrap();
        Self { folder }
    }

    fn load(&self) -> LoadRequest {
        LoadRequest {
            environment: BTreeMap::from([("HOME".to_owned(), self.folder.path().display().to_string())]),
            current_dir: self.folder.path().to_owned(),
            default_config_dir: self.folder.path().to_owned(),
            ..LoadRequest::default()
        }
    }

    fn config(&self) -> Config {
        load(&self.load(), &Consents::new()).unwrap().config
    }

    fn resolve(&self, request: &MirrorRequest, env_at_hand: Option<&Path>) -> Result<Resolved> {
        let toml = edit::config_file(&self.load());
        let files = Files {
            outline: edit::outline(&toml).unwrap(),
            toml,
            env_at_hand: env_at_hand.map(Path::to_owned),
            current_dir: "/here".into(),
        };
        resolve(&self.config(), &files, request)
    }

    fn meaning(&self, request: &MirrorRequest) -> Vec<String> {
        let resolved = self.resolve(request, None).unwrap();
        let edited =
            edit::draft(&self.load(), &Consents::new(), resolved.form, &resolved.file, &resolved.edits).unwrap();
        let names = (&resolved.repository, resolved.mirror.as_ref());
        let told = meaning(&self.config(), &edited.loaded.config, &request.change, names);
        told.into_iter().map(|notice| notice.message).collect()
    }
}

fn request(repository: Option<&str>, change: MirrorChange) -> MirrorRequest {
    MirrorRequest { repository: repository.map(|id| id.parse().unwrap()), form: None, change }
}

fn add(kind: MirrorType, key: MirrorKey, place: &str, source: Option<&str>) -> MirrorChange {
    let settings = vec![Setting { key, value: Given::from(place) }];
    MirrorChange::Add { source: source.map(str::to_owned), clone: None, mirror: None, kind, settings }
}

fn edited(mirror: &str, key: MirrorKey, value: Given) -> MirrorChange {
    MirrorChange::Edit { mirror: mirror.parse().unwrap(), changes: vec![Change { key, value: Some(value) }] }
}

#[test]
fn a_name_is_found_for_what_has_none_and_paths_are_written_whole() {
    let ground = Ground::new(FILE);
    let known =
        ground.resolve(&request(Some("site"), add(MirrorType::GitHub, MirrorKey::Repo, "x/site", None)), None).unwrap();
    assert_eq!(known.mirror.unwrap().as_str(), "standby-2");
    assert_eq!(known.edits.len(), 1, "the repository is there");
    let new = add(MirrorType::Git, MirrorKey::Url, "../x.git", Some("https://git.example/team/Lib.git"));
    let new = ground.resolve(&request(None, new), None).unwrap();
    assert_eq!((new.repository.as_str(), new.mirror.unwrap().as_str()), ("Lib", "archive"));
    assert!(matches!(&new.edits[0], Edit::AddRepository { .. }));
    let Edit::AddMirror { settings, .. } = &new.edits[1] else { panic!("{:?}", new.edits) };
    assert_eq!(settings[0].value, Given::from("/x.git"));
    let by_source = add(MirrorType::Git, MirrorKey::Url, "/x.git", Some("Me/Blog"));
    assert_eq!(ground.resolve(&request(None, by_source), None).unwrap().repository.as_str(), "blog");
    // The clone at hand is meant, also where others are configured.
    let clone = Path::new("/src/My Site/.env");
    let at_hand =
        ground.resolve(&request(None, add(MirrorType::Git, MirrorKey::Url, "/x.git", None)), Some(clone)).unwrap();
    assert_eq!(at_hand.repository.as_str(), "My-Site");
}

#[test]
fn what_is_not_clear_is_not_guessed() {
    let ground = Ground::new(FILE);
    let code = |repository, change| ground.resolve(&request(repository, change), None).unwrap_err().code;
    let git = || add(MirrorType::Git, MirrorKey::Url, "/x.git", None);
    assert_eq!(code(None, git()), Code::Usage, "two are configured, and none is at hand");
    assert_eq!(code(Some("nowhere"), git()), Code::NotFound);
    assert_eq!(code(Some("site"), add(MirrorType::Git, MirrorKey::Url, "/x.git", Some("me/blog"))), Code::Usage);
    assert_eq!(code(Some("site"), edited("nas", MirrorKey::Enabled, Given::Flag(false))), Code::NotFound);
    let in_env = MirrorRequest { form: Some(Form::Env), ..request(Some("site"), git()) };
    assert_eq!(ground.resolve(&in_env, None).unwrap_err().code, Code::Usage, "there is no clone of it");
}

#[test]
fn it_is_said_what_a_change_would_mean() {
    let ground = Ground::new(FILE);
    let told = |repository, change| ground.meaning(&request(Some(repository), change)).join("; ");
    let same = told("site", add(MirrorType::GitHub, MirrorKey::Repo, "ME/standby", None));
    assert!(same.contains("if me is suspended, so is the standby"), "{same}");
    let taken = told("site", add(MirrorType::Git, MirrorKey::Url, "https://git.example/blog", None));
    assert!(taken.contains("is the mirror `nas` of blog already"), "{taken}");
    assert_eq!(told("site", add(MirrorType::Git, MirrorKey::Url, "/srv/own.git", None)), "");
    let off = told("site", edited("standby", MirrorKey::Enabled, Given::Flag(false)));
    assert!(off.contains("grows older"), "{off}");
    let on = told("site", edited("standby", MirrorKey::Enabled, Given::Flag(true)));
    assert!(on.contains("is as it was"), "{on}");
    let moved = told("site", edited("standby", MirrorKey::Repo, Given::from("me/there")));
    assert!(moved.contains("put aside") && moved.contains("suspended"), "{moved}");
    let less = told("site", edited("standby", MirrorKey::Sync, Given::Words(vec!["code".to_owned()])));
    assert!(less.contains("secrets of standby stay there"), "{less}");
    let last = told("blog", MirrorChange::Remove { mirror: "nas".parse().unwrap() });
    assert!(last.contains("is the last mirror of blog"), "{last}");
}
