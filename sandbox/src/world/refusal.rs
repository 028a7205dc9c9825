//! What a repository refuses of pushes beyond its protections: refs in certain words, and too much at once.

use serde::{Deserialize, Serialize};

/// A reason that GitHub never gives one ref alone: its own hook looks at the push as a whole.
pub(crate) const WHOLE_PUSH: &str = "pre-receive hook declined";

/// A rule that makes the host refuse pushes to some refs in words of the test's choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushRefusal {
    /// Glob over full ref names.
    pub refs: String,
    /// The reason beside the ref, such as `push declined due to repository rule violations`. `pre-receive hook declined`
    /// is said of every ref of the push, whichever of them the rule is about.
    pub reason: String,
    /// Lines that the client shows after `remote:`. `{ref}` in them stands for the ref, `{encoded}` for the same as it is
    /// in an address, `{repository}` for owner and name.
    #[serde(default)]
    pub remote_lines: Vec<String>,
}

/// How much one push to a repository may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PushLimits {
    /// Bytes of its pack; `None` is GitHub's own 2 GiB.
    pub pack_bytes: Option<u64>,
    /// Branches and tags that it may move; `None` is any number.
    pub refs: Option<usize>,
}

/// GitHub's own refusals.
impl PushRefusal {
    /// GH003: branches that nobody may force-push; here every push to them.
    pub fn force_push(refs: &str) -> Self {
        let line = "error: GH003: Sorry, force-pushing to {ref} is not allowed.";
        Self::of(refs, WHOLE_PUSH, &[line])
    }

    /// GH008: these LFS objects are not in the repository.
    pub fn missing_lfs_objects(refs: &str, objects: &[&str]) -> Self {
        let first = format!("error: GH008: Your push referenced at least {} unknown Git LFS objects:", objects.len());
        let mut refusal = Self::of(refs, WHOLE_PUSH, &[first.as_str()]);
        refusal.remote_lines.extend(objects.iter().map(|object| format!("error:     {object}")));
        refusal.remote_lines.push("error: Try to push them with 'git lfs push --all'.".to_owned());
        refusal
    }

    /// GH013: a rule of the repository, such as `Changes must be made through a pull request.`
    pub fn rule_violation(refs: &str, rule: &str) -> Self {
        let rule = format!("- {rule}");
        let lines = [
            "error: GH013: Repository rule violations found for {ref}.",
            "Review all repository rules at https://github.com/{repository}/rules?ref={encoded}",
            "",
            rule.as_str(),
            "",
        ];
        Self::of(refs, "push declined due to repository rule violations", &lines)
    }

    /// GH013 of the push protection, which found a secret of this kind in a file of a commit.
    pub fn secret_found(refs: &str, kind: &str, commit: &str, path: &str) -> Self {
        let (heading, commit) = (
            format!("      \u{2014}\u{2014} {kind} {}", "\u{2014}".repeat(20)),
            format!("         - commit: {commit}"),
        );
        let (path, frame) = (format!("           path: {path}"), format!("  {}", "\u{2014}".repeat(41)));
        let lines = [
            "error: GH013: Repository rule violations found for {ref}.",
            "",
            "- GITHUB PUSH PROTECTION",
            frame.as_str(),
            "    Resolve the following violations before pushing again",
            "",
            "    - Push cannot contain secrets",
            "",
            "",
            "     (?) Learn how to resolve a blocked push",
            "     https://docs.github.com/code-security/secret-scanning/working-with-push-protection-from-the-command-line",
            "",
            heading.as_str(),
            "       locations:",
            commit.as_str(),
            path.as_str(),
            "",
            "       (?) To push, remove secret from commit(s) or follow this URL to allow the secret.",
            "       https://github.com/{repository}/security/secret-scanning/unblock-secret/2pO1nGQ",
            "",
            "",
        ];
        Self::of(refs, "push declined due to repository rule violations", &lines)
    }

    /// A protection of tags, which keeps all but a few from making them.
    pub fn protected_tag(refs: &str) -> Self {
        let lines =
            ["error: GH006: Protected tag update failed for {ref}.", "error: You're not authorized to create a tag"];
        Self::of(refs, "protected tag hook declined", &lines)
    }

    fn of(refs: &str, reason: &str, lines: &[&str]) -> Self {
        Self {
            refs: refs.to_owned(),
            reason: reason.to_owned(),
            remote_lines: lines.iter().map(|&line| line.to_owned()).collect(),
        }
    }

    /// The lines for this ref.
    pub(crate) fn lines_for(&self, repository: &str, name: &str) -> Vec<String> {
        let encoded = name.replace('/', "%2F");
        let fill = |line: &String| {
            line.replace("{ref}", name).replace("{encoded}", &encoded).replace("{repository}", repository)
        };
        self.remote_lines.iter().map(fill).collect()
    }
}
