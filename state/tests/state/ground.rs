//! A folder of its own for each test, with a clone and configuration files in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use standin_state::config::{
    self, ConfigError, Consents, FileWish, LoadRequest, Loaded, MirrorConfig, RepositoryConfig,
};
use standin_state::store::ConsentRecord;
use tempfile::TempDir;

pub struct Ground {
    dir: TempDir,
    environment: BTreeMap<String, String>,
    repo: Option<PathBuf>,
    config_file: Option<PathBuf>,
    current_dir: PathBuf,
    consents: Consents,
    says_yes: bool,
}

impl Ground {
    /// A home folder, and nothing else.
    pub fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        fs::create_dir(&home).unwrap();
        let environment = BTreeMap::from([("HOME".to_owned(), home.display().to_string())]);
        Self {
            environment,
            repo: None,
            config_file: None,
            current_dir: home,
            dir,
            consents: Consents::new(),
            says_yes: true,
        }
    }

    /// A clone of `acme/site` at `site`, which is the current folder.
    pub fn with_clone() -> Self {
        Self::empty().clone_at("site", "https://github.com/acme/site.git").inside("site")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn clone_at(self, name: &str, origin: &str) -> Self {
        make_git_folder(&self.path(name).join(".git"), origin);
        self
    }

    pub fn bare_at(self, name: &str, origin: &str) -> Self {
        make_git_folder(&self.path(name), origin);
        self
    }

    pub fn inside(mut self, name: &str) -> Self {
        self.current_dir = self.path(name);
        fs::create_dir_all(&self.current_dir).unwrap();
        self
    }

    /// In any folder.
    #[cfg(target_os = "linux")]
    pub fn at(mut self, folder: PathBuf) -> Self {
        self.current_dir = folder;
        self
    }

    pub fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text.replace("[dir]", &self.dir.path().display().to_string())).unwrap();
        self
    }

    /// The `.env` of the clone, which only its owner may read.
    pub fn env(self, text: &str) -> Self {
        let ground = self.file("site/.env", text);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(ground.path("site/.env"), fs::Permissions::from_mode(0o600)).unwrap();
        }
        ground
    }

    /// `standin.toml` in the default place.
    pub fn toml(self, text: &str) -> Self {
        self.file("config/standin.toml", text)
    }

    pub fn variable(mut self, key: &str, value: &str) -> Self {
        let value = value.replace("[dir]", &self.dir.path().display().to_string());
        self.environment.insert(key.to_owned(), value);
        self
    }

    pub fn repo(mut self, path: &str) -> Self {
        self.repo = Some(PathBuf::from(path));
        self
    }

    pub fn config_file(mut self, name: &str) -> Self {
        self.config_file = Some(self.path(name));
        self
    }

    /// What was loaded, or every mistake, be it of one repository alone.
    pub fn load(&self) -> Result<Loaded, Vec<ConfigError>> {
        let loaded = self.load_in_parts()?;
        let mistakes: Vec<_> =
            loaded.config.repositories.iter().flat_map(|repository| repository.mistakes.clone()).collect();
        if mistakes.is_empty() { Ok(loaded) } else { Err(mistakes) }
    }

    /// What was loaded, with mistakes that stop one repository in it.
    pub fn load_in_parts(&self) -> Result<Loaded, Vec<ConfigError>> {
        let request = LoadRequest {
            environment: self.environment.clone(),
            repo: self.repo.clone(),
            config_file: self.config_file.clone(),
            current_dir: self.current_dir.clone(),
            default_config_dir: self.path("config"),
            repository: None,
            instead: None,
        };
        let loaded = config::load(&request, &self.consents)?;
        if !self.says_yes {
            return Ok(loaded);
        }
        // Whoever wrote the file says yes to it.
        let wishes = loaded.config.repositories.iter().filter_map(|repository| repository.consent.wish());
        let given = wishes
            .map(|FileWish { file, wish }| (file.clone(), ConsentRecord { allowed: Some(wish.clone()), denied: None }));
        config::load(&request, &given.collect())
    }

    /// What was said about the file; nothing but this counts.
    pub fn consents(mut self, consents: Consents) -> Self {
        self.consents = consents;
        self.says_yes = false;
        self
    }

    pub fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
    }

    /// The only repository.
    pub fn repository(&self) -> RepositoryConfig {
        let mut repositories = self.loaded().config.repositories;
        assert_eq!(repositories.len(), 1, "{repositories:#?}");
        repositories.remove(0)
    }

    /// The only mirror of the only repository.
    pub fn mirror(&self) -> MirrorConfig {
        let mut mirrors = self.repository().mirrors;
        assert_eq!(mirrors.len(), 1, "{mirrors:#?}");
        mirrors.remove(0)
    }

    pub fn mistakes(&self) -> Vec<ConfigError> {
        match self.load() {
            Ok(loaded) => panic!("there is no mistake: {:#?}", loaded.config),
            Err(mistakes) => mistakes,
        }
    }

    pub fn notices(&self) -> Vec<(String, String)> {
        self.loaded().notices.into_iter().map(|(message, hint)| (self.stable(&message), self.stable(&hint))).collect()
    }

    /// A text without the folder's random name.
    pub fn stable(&self, text: &str) -> String {
        let real = self.dir.path().canonicalize().unwrap();
        text.replace(&self.dir.path().display().to_string(), "[dir]").replace(&real.display().to_string(), "[dir]")
    }
}

fn make_git_folder(folder: &Path, origin: &str) {
    fs::create_dir_all(folder.join("objects")).unwrap();
    fs::create_dir_all(folder.join("refs")).unwrap();
    fs::write(folder.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    let remote = if origin.is_empty() { String::new() } else { format!("[remote \"origin\"]\n\turl = {origin}\n") };
    fs::write(folder.join("config"), format!("[core]\n\tbare = false\n{remote}")).unwrap();
}
