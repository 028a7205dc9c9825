//! The image's root folder, run by the kernel's own means: namespaces of its own, a root that nobody may write, its own user.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{ARCHIVE, Engine, Order, Recipe, USER, checkout, children, done, prepared, tried};
use crate::cli::Running;

/// What an engine for containers does: `ROOT DATA ARCHIVE PATH WORDS…`.
const ENTER: &str = r#"set -eu
root=$1 data=$2 archive=$3 path=$4
shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
mount --bind "$data" "$root/data"
mount --bind "$archive" "$root/archive.git"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs --bounding-set=-all,+setuid,+setgid,+sys_chroot chroot --userspec=10001:10001 "$root" /usr/bin/env PATH="$path" "$@"
"#;

/// The search path of the commands above.
const SYSTEM: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// One container without an engine.
pub struct Folder {
    folder: PathBuf,
    recipe: Recipe,
}

impl Folder {
    /// Unpacks the root folder below `folder` and puts `program` into it.
    ///
    /// # Errors
    /// Why it cannot be had here.
    pub fn new(folder: &Path, program: &Path) -> Result<Self, String> {
        let prepared = prepared()?;
        tried(Command::new("unshare").args(["--mount", "--pid", "--fork", "mount", "--make-rprivate", "/"]))?;
        let made = Self { folder: folder.join("contained"), recipe: Recipe::read() };
        let root = made.root();
        fs::create_dir_all(&root).unwrap();
        done(Command::new("tar").arg("--extract").arg("--file").arg(prepared).arg("--directory").arg(&root));
        for (from, to) in [(program, "standin"), (&checkout().join("container/standin-healthy"), "standin-healthy")] {
            fs::copy(from, root.join("usr/local/bin").join(to)).unwrap();
        }
        fs::create_dir(root.join(ARCHIVE.trim_start_matches('/'))).unwrap();
        // What a volume is filled with at its first use.
        done(Command::new("cp").arg("--archive").arg(root.join("data")).arg(made.data()));
        fs::write(made.stamp(), "").unwrap();
        Ok(made)
    }

    /// The root folder, with the program in it.
    pub fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    fn stamp(&self) -> PathBuf {
        self.folder.join("made")
    }

    fn environment(&self, order: &Order) -> Vec<(String, String)> {
        self.recipe.environment().into_iter().chain(order.environment.iter().cloned()).collect()
    }

    fn path(&self) -> String {
        self.recipe.environment().into_iter().find(|(name, _)| name == "PATH").unwrap().1
    }
}

impl Engine for Folder {
    fn start(&self, order: &Order) -> Running {
        let mut command = Command::new("unshare");
        command.env_clear().envs(self.environment(order)).env("PATH", SYSTEM).current_dir("/");
        command.args(["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "sh", "-c", ENTER, "sh"]);
        command.arg(self.root()).arg(self.data()).arg(order.archive).arg(self.path());
        command.args(self.recipe.words("ENTRYPOINT")).args(order.arguments);
        Running::start(command, &self.folder.join("said"), "the root folder")
    }

    fn first(&self, running: &Running) -> Option<u32> {
        children(running.id()).first().map(|(id, _, _)| *id)
    }

    fn within(&self, first: u32, order: &Order, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.env_clear().envs(self.environment(order)).env("PATH", SYSTEM).current_dir("/");
        command.args(["--target", &first.to_string(), "--mount", "--pid", "--root"]);
        command.args(["--setuid", &USER.to_string(), "--setgid", &USER.to_string()]);
        command.args(["/usr/bin/env", "--chdir=/"]).arg(format!("PATH={}", self.path())).args(arguments);
        command
    }

    fn is_healthy(&self, first: u32, order: &Order) -> bool {
        let check = self.recipe.words("HEALTHCHECK");
        let check: Vec<&str> = check.iter().map(String::as_str).collect();
        self.within(first, order, &check).status().unwrap().success()
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn written_elsewhere(&self) -> Vec<String> {
        let made = fs::metadata(self.stamp()).unwrap();
        let is_newer = |path: &Path| {
            let its = fs::symlink_metadata(path).unwrap();
            (its.mtime(), its.mtime_nsec()) > (made.mtime(), made.mtime_nsec())
        };
        let all = done(Command::new("find").arg(self.root()).arg("-xdev"));
        all.lines().filter(|path| is_newer(Path::new(path))).map(str::to_owned).collect()
    }
}
