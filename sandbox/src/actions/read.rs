//! From the text of a workflow file to its [`Plan`], with everything refused that the sandbox cannot carry out.

use super::expression::{Condition, Scope, Template, scopes};
use super::plan::{Concurrency, Defaults, Environment, Grants, JobPlan, Plan, Shell, StepPlan, Text, Trouble, When};
use super::triggers;
use super::yaml::{Kind, Node};
use crate::world::Level;

const PERMISSIONS: [&str; 15] = [
    "actions",
    "attestations",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "id-token",
    "issues",
    "models",
    "packages",
    "pages",
    "pull-requests",
    "repository-projects",
    "security-events",
    "statuses",
];

/// Reads a workflow file.
///
/// # Errors
/// All that the sandbox, or GitHub, cannot carry out; at least one.
pub(super) fn read(text: &str) -> Result<Plan, Vec<Trouble>> {
    let root = Node::parse(text).map_err(|(line, message)| vec![Trouble { line, message }])?;
    let mut reader = Reader { troubles: Vec::new() };
    let plan = reader.plan(&root);
    if reader.troubles.is_empty() {
        return Ok(plan);
    }
    reader.troubles.sort_by_key(|trouble| trouble.line);
    Err(reader.troubles)
}

/// Collects what is wrong on the way.
pub(super) struct Reader {
    troubles: Vec<Trouble>,
}

impl Reader {
    pub(super) fn trouble(&mut self, line: u64, message: impl Into<String>) {
        self.troubles.push(Trouble { line, message: message.into() });
    }

    /// Refuses keys that are not among these.
    pub(super) fn only(&mut self, node: &Node, place: &str, known: &[&str]) {
        if !matches!(node.kind, Kind::Map(_)) {
            self.trouble(node.line, format!("{place} is {}, not a map", node.described()));
        }
        for entry in node.entries() {
            if entry.key == "uses" {
                let what = entry.value.scalar().unwrap_or_default();
                self.trouble(entry.line, format!("the sandbox cannot run actions: `uses: {what}`"));
            } else if !known.contains(&entry.key.as_str()) {
                self.trouble(entry.line, format!("the sandbox does not know {:?} in {place}", entry.key));
            }
        }
    }

    fn plan(&mut self, root: &Node) -> Plan {
        let known = ["name", "run-name", "on", "env", "defaults", "permissions", "concurrency", "jobs"];
        self.only(root, "the workflow", &known);
        let inputs = match root.get("on") {
            Some(on) => triggers::read(self, on),
            None => {
                self.trouble(root.line, "the workflow has no `on`");
                Vec::new()
            }
        };
        let jobs = root.get("jobs").map(|jobs| self.jobs(jobs)).unwrap_or_default();
        if jobs.is_empty() {
            self.trouble(root.line, "the workflow has no jobs");
        }
        Plan {
            run_name: self.text(root, "run-name", &scopes::RUN_NAME),
            environment: self.environment(root, &scopes::ENV),
            defaults: self.defaults(root, &scopes::RUN_NAME),
            permissions: self.permissions(root),
            concurrency: self.concurrency(root, &scopes::CONCURRENCY),
            inputs,
            jobs,
        }
    }

    fn jobs(&mut self, node: &Node) -> Vec<JobPlan> {
        let jobs: Vec<JobPlan> =
            node.entries().iter().map(|entry| self.job(&entry.key, entry.line, &entry.value)).collect();
        for (index, job) in jobs.iter().enumerate() {
            self.name(&job.key, job.line);
            for need in &job.needs {
                // A need that stands further down could be a ring.
                match jobs.iter().position(|other| other.key == *need) {
                    None => self.trouble(job.line, format!("the job {:?} needs {need:?}, which there is not", job.key)),
                    Some(other) if reaches(&jobs, other, index, jobs.len()) => {
                        self.trouble(job.line, format!("the job {:?} needs itself through {need:?}", job.key));
                    }
                    Some(_) => {}
                }
            }
        }
        jobs
    }

    fn job(&mut self, key: &str, line: u64, node: &Node) -> JobPlan {
        let known = [
            "name",
            "needs",
            "if",
            "runs-on",
            "env",
            "defaults",
            "permissions",
            "concurrency",
            "timeout-minutes",
            "continue-on-error",
            "outputs",
            "steps",
        ];
        self.only(node, &format!("the job {key:?}"), &known);
        let runs_on = self.runs_on(key, line, node);
        let steps: Vec<StepPlan> = match node.get("steps").map(|steps| &steps.kind) {
            Some(Kind::List(steps)) => steps.iter().map(|step| self.step(step)).collect(),
            _ => Vec::new(),
        };
        if steps.is_empty() {
            self.trouble(line, format!("the job {key:?} has no steps"));
        }
        let mut ids: Vec<&str> = steps.iter().filter_map(|step| step.id.as_deref()).collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0].eq_ignore_ascii_case(pair[1])) {
            self.trouble(line, format!("the job {key:?} has two steps with the id {:?}", pair[0]));
        }
        JobPlan {
            line,
            key: key.to_owned(),
            name: self.text(node, "name", &scopes::JOB_NAME),
            needs: self.names(node, "needs"),
            when: self.when(node, &scopes::JOB_IF),
            runs_on,
            environment: self.environment(node, &scopes::JOB_ENV),
            defaults: self.defaults(node, &scopes::JOB_DEFAULTS),
            permissions: self.permissions(node),
            concurrency: self.concurrency(node, &scopes::JOB_CONCURRENCY),
            timeout_minutes: self.text(node, "timeout-minutes", &scopes::JOB_TIMEOUT),
            continue_on_error: self.text(node, "continue-on-error", &scopes::JOB_CONTINUE),
            outputs: self.texts(node, "outputs", &scopes::OUTPUTS),
            steps,
        }
    }

    fn runs_on(&mut self, key: &str, line: u64, node: &Node) -> Vec<Text> {
        let Some(labels) = node.get("runs-on") else {
            self.trouble(line, format!("the job {key:?} has no `runs-on`"));
            return Vec::new();
        };
        match &labels.kind {
            Kind::List(labels) => {
                labels.iter().filter_map(|label| self.text_of(label, "runs-on", &scopes::RUNS_ON)).collect()
            }
            _ => self.text_of(labels, "runs-on", &scopes::RUNS_ON).into_iter().collect(),
        }
    }

    fn step(&mut self, node: &Node) -> StepPlan {
        let known =
            ["id", "name", "if", "run", "shell", "env", "working-directory", "timeout-minutes", "continue-on-error"];
        self.only(node, "a step", &known);
        let run = node.get("run");
        if run.is_none() && node.get("uses").is_none() {
            self.trouble(node.line, "a step has no `run`");
        }
        let id = node.get("id").and_then(Node::scalar);
        if let Some(id) = &id {
            self.name(id, node.line);
        }
        let scope = &scopes::STEP_ANY;
        let empty = || Text { line: node.line, template: Template::empty() };
        StepPlan {
            line: node.line,
            id,
            name: self.text(node, "name", scope),
            when: self.when(node, &scopes::STEP_IF),
            run: self.text(node, "run", scope).unwrap_or_else(empty),
            first_line: run
                .and_then(Node::scalar)
                .and_then(|run| run.trim().lines().next().map(str::to_owned))
                .unwrap_or_default(),
            shell: self.shell(node),
            environment: self.environment(node, scope),
            working_directory: self.text(node, "working-directory", scope),
            timeout_minutes: self.text(node, "timeout-minutes", scope),
            continue_on_error: self.text(node, "continue-on-error", scope),
        }
    }

    /// A key of a job, or the id of a step.
    fn name(&mut self, name: &str, line: u64) {
        let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        let rest = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if !starts || !rest {
            self.trouble(line, format!("{name:?} is no name: letters, digits, `-` and `_`, the first a letter or `_`"));
        }
    }

    /// A name, or a list of them.
    fn names(&mut self, node: &Node, key: &str) -> Vec<String> {
        let Some(node) = node.get(key) else {
            return Vec::new();
        };
        match &node.kind {
            Kind::List(names) => names.iter().filter_map(Node::scalar).collect(),
            _ => node.scalar().into_iter().collect(),
        }
    }

    fn text(&mut self, node: &Node, key: &str, scope: &Scope) -> Option<Text> {
        let value = node.get(key)?;
        self.text_of(value, key, scope)
    }

    fn text_of(&mut self, node: &Node, key: &str, scope: &Scope) -> Option<Text> {
        let Some(text) = node.scalar() else {
            self.trouble(node.line, format!("{key:?} is {}, not a text", node.described()));
            return None;
        };
        match Template::parse(&text, scope) {
            Ok(template) => Some(Text { line: node.line, template }),
            Err(message) => {
                self.trouble(node.line, format!("{key}: {message}"));
                None
            }
        }
    }

    fn texts(&mut self, node: &Node, key: &str, scope: &Scope) -> Vec<(String, Text)> {
        let Some(node) = node.get(key) else {
            return Vec::new();
        };
        if !matches!(node.kind, Kind::Map(_) | Kind::Null) {
            self.trouble(node.line, format!("the sandbox takes {key:?} as a map only, not {}", node.described()));
        }
        node.entries()
            .iter()
            .filter_map(|entry| Some((entry.key.clone(), self.text_of(&entry.value, &entry.key, scope)?)))
            .collect()
    }

    fn environment(&mut self, node: &Node, scope: &Scope) -> Environment {
        self.texts(node, "env", scope)
    }

    fn when(&mut self, node: &Node, scope: &Scope) -> Option<When> {
        let value = node.get("if")?;
        let Some(text) = value.scalar() else {
            self.trouble(value.line, "`if` is no condition");
            return None;
        };
        match Condition::parse(&text, scope) {
            Ok(condition) => Some(When { line: value.line, condition }),
            Err(message) => {
                self.trouble(value.line, format!("if: {message}"));
                None
            }
        }
    }

    fn shell(&mut self, node: &Node) -> Option<Shell> {
        let value = node.get("shell")?;
        match value.scalar().as_deref() {
            Some("bash") => Some(Shell::Bash),
            Some("sh") => Some(Shell::Sh),
            other => {
                let other = other.unwrap_or_default();
                self.trouble(value.line, format!("the sandbox has no shell {other:?}, only bash and sh"));
                None
            }
        }
    }

    fn defaults(&mut self, node: &Node, scope: &Scope) -> Defaults {
        let Some(node) = node.get("defaults") else {
            return Defaults::default();
        };
        self.only(node, "defaults", &["run"]);
        let Some(run) = node.get("run") else {
            return Defaults::default();
        };
        self.only(run, "defaults.run", &["shell", "working-directory"]);
        Defaults { shell: self.shell(run), working_directory: self.text(run, "working-directory", scope) }
    }

    fn concurrency(&mut self, node: &Node, scope: &Scope) -> Option<Concurrency> {
        let node = node.get("concurrency")?;
        if !matches!(node.kind, Kind::Map(_)) {
            return Some(Concurrency { group: self.text_of(node, "concurrency", scope)?, cancel_in_progress: None });
        }
        self.only(node, "concurrency", &["group", "cancel-in-progress"]);
        let cancel_in_progress = self.text(node, "cancel-in-progress", scope);
        let Some(group) = self.text(node, "group", scope) else {
            self.trouble(node.line, "concurrency has no group");
            return None;
        };
        Some(Concurrency { group, cancel_in_progress })
    }

    fn permissions(&mut self, node: &Node) -> Option<Grants> {
        let node = node.get("permissions")?;
        let everything = |level| PERMISSIONS.iter().map(|name| ((*name).to_owned(), level)).collect();
        if let Some(word) = node.scalar() {
            return match word.as_str() {
                "read-all" => Some(everything(Level::Read)),
                "write-all" => Some(everything(Level::Write)),
                _ => {
                    self.trouble(node.line, format!("the permissions {word:?} are not known"));
                    None
                }
            };
        }
        let mut grants = Grants::new();
        for entry in node.entries() {
            if !PERMISSIONS.contains(&entry.key.as_str()) {
                self.trouble(entry.line, format!("there is no permission {:?} for a job's token", entry.key));
            }
            match entry.value.scalar().as_deref() {
                Some("read") => grants.insert(entry.key.clone(), Level::Read),
                Some("write") => grants.insert(entry.key.clone(), Level::Write),
                Some("none") => None,
                _ => {
                    self.trouble(entry.line, format!("the permission {:?} is none of read, write, none", entry.key));
                    None
                }
            };
        }
        Some(grants)
    }
}

/// True if the job at `from` needs, itself or through others, the one at `to`.
fn reaches(jobs: &[JobPlan], from: usize, to: usize, depth: usize) -> bool {
    from == to
        || depth > 0
            && jobs[from].needs.iter().any(|need| {
                jobs.iter().position(|job| job.key == *need).is_some_and(|next| reaches(jobs, next, to, depth - 1))
            })
}
