//! A master and its standby in the sandbox, and what happens to them: the sentinel installed, the master down, the
//! take-over, work on both sides, the return, the hand-back.

use std::time::Duration;

use standin_core::Result;
use standin_core::sentinel;
use standin_sandbox::{Conclusion, Effect, Execute, Fault, FaultMatcher, Level, TokenSpec};

use super::program::{git, git_with, quietly};
use super::{SandboxRepository, Stage, broken, failed};

/// Who plays.
pub struct Pair<'a> {
    /// Where.
    pub stage: &'a Stage,
    /// The master.
    pub master: SandboxRepository,
    /// The standby that takes over.
    pub standby: SandboxRepository,
    /// The standby's id as mirror.
    pub mirror: String,
    /// The time between two checks of the sentinel.
    pub interval: Duration,
    /// How many failed checks make it take over.
    pub threshold: u32,
}

/// How a take-over came about.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// Checks until then.
    pub checks: u32,
    /// Time on the sandbox's clock.
    pub simulated: Duration,
}

/// A check of the sentinel.
pub struct Checked {
    /// What it found: `well`, `down`, `gone`, `unknown`, `promoted`.
    pub verdict: String,
    /// What it detailed.
    pub detail: String,
}

impl Pair<'_> {
    /// The lines that `standin sentinel install --tokens` reads: two tokens with no more rights than it needs, each of
    /// its own owner.
    pub fn sentinel_tokens(&self) -> String {
        let token = |repository: &SandboxRepository, rights: &[(&str, Level)]| {
            self.stage.sandbox.create_token(
                &repository.owner,
                TokenSpec::fine_grained(&repository.owner, &[&repository.name], rights),
            )
        };
        let write = Level::Write;
        format!(
            "STANDIN_TOKEN={}\nMASTER_TOKEN={}\n",
            token(&self.standby, &[("contents", write), ("actions", write), ("actions_variables", write)]),
            token(&self.master, &[("contents", Level::Read)]),
        )
    }

    /// Lets the sandbox carry the sentinel of the standby out; other workflows are only counted.
    pub fn wake_sentinel(&self) {
        let only = Execute::Only(vec!["sentinel.yml".to_owned()]);
        self.stage.sandbox.execute_workflows(&self.standby.owner, &self.standby.name, only);
    }

    /// The sandbox's clock goes on to the next check of the sentinel.
    pub async fn check(&self) -> Result<Checked> {
        let (owner, name) = (&self.standby.owner, &self.standby.name);
        let runs = self.stage.sandbox.advance(self.interval).await;
        let mut own = runs.iter().filter_map(|id| self.stage.sandbox.run(owner, name, *id));
        let Some(run) = own.rfind(|run| run.path == sentinel::PATH) else {
            return Err(broken("the sentinel makes a check in each interval", "it made none"));
        };
        if run.conclusion != Some(Conclusion::Success) {
            let log = self.stage.sandbox.run_log(owner, name, run.id).unwrap_or_default();
            let why = run.problem.unwrap_or(log);
            return Err(broken(
                "the sentinel's check ends well",
                format!("it ended with {:?}:\n{why}", run.conclusion),
            ));
        }
        let memory = self.variable(&self.standby, sentinel::STATE).unwrap_or_default();
        let memory: serde_json::Value = serde_json::from_str(&memory).unwrap_or_default();
        let text = |key: &str| memory[key].as_str().unwrap_or_default().to_owned();
        Ok(Checked { verdict: text("last_verdict"), detail: text("detail") })
    }

    /// From now on every request about the master fails.
    pub fn take_down(&self) {
        let about = FaultMatcher::repository(&self.master.owner, &self.master.name);
        self.stage.sandbox.add_fault(Fault::always(about, Effect::Status { status: 502, retry_after: None }));
    }

    /// The master answers again.
    pub fn bring_back(&self) {
        self.stage.sandbox.clear_faults();
    }

    /// Ends the runs that the sandbox counted and does not carry out, as they would have ended by themselves.
    pub fn end_runs(&self) {
        for SandboxRepository { owner, name } in [&self.master, &self.standby] {
            for run in self.stage.sandbox.runs(owner, name) {
                self.stage.sandbox.cancel_run(owner, name, run.id);
            }
        }
    }

    /// Lets time pass until the sentinel has made the standby `TEMPORARY_MASTER`; tells each check.
    ///
    /// # Errors
    /// When it does not after more checks than it should need.
    pub async fn until_promoted(&self, mut told: impl FnMut(u32, &Checked)) -> Result<Took> {
        let from = self.stage.sandbox.now();
        for checks in 1..=2 * self.threshold + 2 {
            let checked = self.check().await?;
            told(checks, &checked);
            if self.role(&self.standby) == "TEMPORARY_MASTER" {
                let simulated = self.stage.sandbox.now().duration_since(from).unsigned_abs();
                return Ok(Took { checks, simulated });
            }
        }
        let role = self.role(&self.standby);
        Err(broken(
            &format!("the sentinel makes {} TEMPORARY_MASTER", self.standby),
            format!("it is {role} after {} checks", 2 * self.threshold + 2),
        ))
    }

    /// `MIRROR_ROLE` of a repository.
    pub fn role(&self, repository: &SandboxRepository) -> String {
        self.variable(repository, "MIRROR_ROLE").unwrap_or_default()
    }

    fn variable(&self, repository: &SandboxRepository, name: &str) -> Option<String> {
        self.stage.sandbox.variable(&repository.owner, &repository.name, name)
    }

    /// Which workflows of a repository are switched on, the sentinel left out.
    pub fn active(&self, repository: &SandboxRepository) -> Vec<String> {
        let workflows = self.stage.sandbox.workflows(&repository.owner, &repository.name).into_iter();
        workflows
            .filter(|workflow| {
                workflow.state == standin_sandbox::WorkflowState::Active && workflow.path != sentinel::PATH
            })
            .map(|workflow| workflow.path)
            .collect()
    }

    /// Somebody commits a file to a branch of a repository; a branch that is not there begins at the default branch.
    pub async fn commit(
        &self,
        repository: &SandboxRepository,
        branch: &str,
        file: &str,
        text: &str,
        message: &str,
    ) -> Result<String> {
        let path = self.stage.path(repository);
        let index = self.stage.folder().join("index").to_string_lossy().into_owned();
        let variables = [
            ("GIT_INDEX_FILE", index.as_str()),
            ("GIT_AUTHOR_NAME", "Somebody"),
            ("GIT_AUTHOR_EMAIL", "somebody@example.com"),
            ("GIT_COMMITTER_NAME", "Somebody"),
            ("GIT_COMMITTER_EMAIL", "somebody@example.com"),
        ];
        let run = async |arguments: &[&str], input: Option<&str>| {
            git_with(self.stage, &path, arguments, &variables, input).await
        };
        let name = format!("refs/heads/{branch}");
        let tip = match run(&["rev-parse", "--verify", "--quiet", &name], None).await {
            Ok(tip) => tip,
            Err(_) => {
                let head = self.stage.sandbox.default_branch(&repository.owner, &repository.name).unwrap_or_default();
                run(&["rev-parse", "--verify", &format!("refs/heads/{head}")], None).await?
            }
        };
        let _ = std::fs::remove_file(&index);
        run(&["read-tree", &tip], None).await?;
        let blob = run(&["hash-object", "-w", "--stdin"], Some(text)).await?;
        run(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{file}")], None).await?;
        let tree = run(&["write-tree"], None).await?;
        let commit = run(&["commit-tree", "-p", &tip, "-m", message, &tree], None).await?;
        run(&["update-ref", &name, &commit], None).await?;
        self.refresh(repository)?;
        Ok(commit)
    }

    /// Lets the sandbox see what git did in a repository's folder.
    pub fn refresh(&self, repository: &SandboxRepository) -> Result<()> {
        self.stage
            .sandbox
            .refresh_workflows(&repository.owner, &repository.name)
            .map_err(|error| failed("the sandbox cannot read its repository", error))
    }

    /// Hands back by `standin demote`, quietly, with these options before it.
    pub async fn hand_back(&self, options: &[&str]) -> Result<()> {
        let demote = [options, &["demote", &self.mirror, "--yes"]].concat();
        quietly(self.stage, &demote, None).await?.well("the hand-back failed").map(drop)
    }

    /// Branches and tags of a repository, a line each: commit and name.
    pub async fn refs(&self, repository: &SandboxRepository) -> Result<Vec<String>> {
        let path = self.stage.path(repository);
        let list = ["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"];
        Ok(git(self.stage, &path, &list).await?.lines().map(str::to_owned).collect())
    }

    /// The tips of a repository.
    pub async fn tips(&self, repository: &SandboxRepository) -> Result<Vec<String>> {
        let refs = self.refs(repository).await?;
        Ok(refs.iter().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect())
    }

    /// Those of the commits, and of all before them, that no branch or tag of the master has.
    pub async fn lost(&self, commits: &[String]) -> Result<Vec<String>> {
        let path = self.stage.path(&self.master);
        let (input, list) = (commits.join("\n") + "\n", ["rev-list", "--stdin", "--not", "--branches", "--tags"]);
        match git_with(self.stage, &path, &list, &[], Some(&input)).await {
            Ok(left) => Ok(left.lines().map(str::to_owned).collect()),
            // One that is not even there.
            Err(_) => self.lost_one_by_one(commits).await,
        }
    }

    async fn lost_one_by_one(&self, commits: &[String]) -> Result<Vec<String>> {
        let path = self.stage.path(&self.master);
        let mut lost = Vec::new();
        for commit in commits {
            let found = git(self.stage, &path, &["for-each-ref", "--count=1", "--contains", commit]).await;
            if found.map_or(true, |found| found.is_empty()) {
                lost.push(commit.clone());
            }
        }
        Ok(lost)
    }
}
