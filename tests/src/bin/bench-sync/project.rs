//! The project that is kept in step: a clone with branches, tags and workflows, and the values that go with it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use git2::{Commit, Oid, Repository, RepositoryInitOptions, Signature, Time};

use crate::Failure;

const SECRETS: usize = 20;
const VARIABLES: usize = 20;
const WORKFLOWS: [&str; 4] = ["build.yml", "cron.yml", "deploy.yml", "test.yml"];
const COMMITS: usize = 30;

/// A clone on this machine, without an origin of its own.
pub struct Project {
    /// Its folder.
    pub folder: PathBuf,
    /// Values of the secrets.
    pub secrets: BTreeMap<String, String>,
    /// Values of the variables.
    pub variables: BTreeMap<String, String>,
}

impl Project {
    /// Makes the project in an empty folder.
    pub fn create(folder: &Path) -> Result<Self, Failure> {
        let repository = Repository::init_opts(folder, RepositoryInitOptions::new().mkpath(true).initial_head("main"))?;
        write(folder, ".gitignore", ".env\n")?;
        for name in WORKFLOWS {
            let text = format!(
                "name: {name}\non: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n"
            );
            write(folder, &format!(".github/workflows/{name}"), &text)?;
        }
        for step in 1..=COMMITS {
            write(folder, &format!("src/part_{}.txt", step % 12), &format!("{}\n", "line ".repeat(40 * step)))?;
            let oid = commit_all(&repository, &format!("Step {step}"))?;
            let commit = repository.find_commit(oid)?;
            if step % 6 == 0 {
                repository.tag_lightweight(&format!("v{step}"), commit.as_object(), false)?;
                repository.branch(&format!("release/{step}"), &commit, false)?;
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            secrets: (1..=SECRETS).map(|n| (format!("SECRET_{n:02}"), secret_value(n, 0))).collect(),
            variables: (1..=VARIABLES)
                .map(|n| (format!("SETTING_{n:02}"), format!("https://example.com/{n}")))
                .collect(),
        })
    }

    /// One more commit and another value of one secret.
    pub fn change(&mut self) -> Result<(), Failure> {
        write(&self.folder, "src/part_1.txt", "changed\n")?;
        commit_all(&Repository::open(&self.folder)?, "Change a part")?;
        self.secrets.insert("SECRET_07".to_owned(), secret_value(7, 1));
        Ok(())
    }

    /// Branches and tags with their tips.
    pub fn refs(&self) -> Result<BTreeMap<String, Oid>, Failure> {
        refs_of(&self.folder)
    }

    /// Names of the workflow files.
    pub fn workflows(&self) -> [&'static str; 4] {
        WORKFLOWS
    }
}

/// Branches and tags of a repository with their tips.
pub fn refs_of(repository: &Path) -> Result<BTreeMap<String, Oid>, Failure> {
    let repository = Repository::open(repository)?;
    let mut refs = BTreeMap::new();
    for pattern in ["refs/heads/*", "refs/tags/*"] {
        for reference in repository.references_glob(pattern)? {
            let reference = reference?;
            if let (Ok(name), Some(target)) = (reference.name(), reference.target()) {
                refs.insert(name.to_owned(), target);
            }
        }
    }
    Ok(refs)
}

/// Values in the form that `.env` files have.
pub fn dotenv<'a>(values: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let mut text = String::new();
    for (name, value) in values {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name}={value}");
    }
    text
}

/// Forty characters, as many tokens have, different for each number and edition.
fn secret_value(number: usize, edition: usize) -> String {
    format!("{number:04x}{edition:04x}{:032x}", u128::MAX / (3 + number + 1000 * edition) as u128)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    Ok(std::fs::write(path, text)?)
}

fn commit_all(repository: &Repository, message: &str) -> Result<Oid, Failure> {
    let mut index = repository.index()?;
    index.add_all(["*"], git2::IndexAddOption::DEFAULT, None)?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let signature = Signature::new("Bench", "bench@example.com", &Time::new(1_767_225_600, 0))?;
    let parent = repository.head().ok().map(|head| head.peel_to_commit()).transpose()?;
    let parents: Vec<&Commit> = parent.iter().collect();
    Ok(repository.commit(Some("HEAD"), &signature, &signature, message, &tree, &parents)?)
}
