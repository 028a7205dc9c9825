//! The image, built and run by podman with a store of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{ARCHIVE, Engine, Order, checkout, done, prepared, tried};
use crate::cli::Running;

const IMAGE: &str = "localhost/standin";
const NAME: &str = "standin";

/// One container of the image.
pub struct Podman {
    folder: PathBuf,
}

impl Podman {
    /// Builds the image below `folder`, with `program` in the place of the one that would be compiled.
    ///
    /// # Errors
    /// Why it cannot be had here.
    pub fn new(folder: &Path, program: &Path) -> Result<Self, String> {
        let prepared = prepared()?;
        let podman = Self { folder: folder.join("podman") };
        fs::create_dir_all(podman.folder.join("home")).unwrap();
        podman.set_up();
        tried(podman.command().args(["version"]))?;
        let root = "localhost/root";
        done(podman.command().args(["import", "--quiet"]).arg(prepared).arg(root));
        podman.choose_runtime(root)?;
        let built = podman.folder.join("built");
        fs::create_dir_all(built.join("usr/local/bin")).unwrap();
        fs::copy(program, built.join("usr/local/bin/standin")).unwrap();
        let mut build = podman.command();
        build.args([
            "build",
            "--quiet",
            "--layers=false",
            "--isolation",
            "chroot",
            "--network",
            "host",
            "--format",
            "docker",
        ]);
        build.arg("--build-context").arg(format!("built={}", built.display()));
        build.arg("--build-context").arg(format!("installed=container-image://{root}"));
        build.args(["--tag", IMAGE, "--file", "container/Containerfile", "."]).current_dir(checkout());
        done(&mut build);
        Ok(podman)
    }

    /// The store, and what a machine without systemd, or with fewer rights than usual, has to be told.
    fn set_up(&self) {
        self.engine_with("");
        let at = |name: &str| self.folder.join(name).display().to_string();
        let storage = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
            at("storage"),
            at("run")
        );
        fs::write(self.folder.join("storage.conf"), storage).unwrap();
    }

    fn engine_with(&self, runtime: &str) {
        let more = if runtime.is_empty() { String::new() } else { format!("runtime = \"{runtime}\"\n") };
        let text = format!(
            "[containers]\ndefault_ulimits = [\"nofile=1024:4096\", \"nproc=2048:4096\"]\n\
             [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nlock_type = \"file\"\n\
             tmp_dir = \"{}\"\n{more}",
            self.folder.join("libpod").display()
        );
        fs::write(self.folder.join("containers.conf"), text).unwrap();
    }

    /// The first of the programs for the lowest work that can do it here: not each can with each kernel.
    fn choose_runtime(&self, image: &str) -> Result<(), String> {
        let mut why = Vec::new();
        for runtime in ["", "crun", "runc"] {
            self.engine_with(runtime);
            match tried(self.command().args(["run", "--rm", "--network", "host", image, "true"])) {
                Ok(_) => return Ok(()),
                Err(error) => why.push(error),
            }
        }
        Err(why.join("\n"))
    }

    fn command(&self) -> Command {
        let mut command = Command::new("podman");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for (name, file) in [
            ("CONTAINERS_CONF", "containers.conf"),
            ("CONTAINERS_STORAGE_CONF", "storage.conf"),
            ("HOME", "home"),
            ("TMPDIR", ""),
            ("XDG_RUNTIME_DIR", "home"),
        ] {
            command.env(name, self.folder.join(file));
        }
        // It complains about systemd, which its own clock for the check of health would need.
        command.args(["--log-level", "fatal"]);
        command
    }
}

impl Engine for Podman {
    fn start(&self, order: &Order) -> Running {
        let mut command = self.command();
        command.args(["run", "--name", NAME, "--network", "host", "--read-only", "--cap-drop", "all"]);
        command.args(["--security-opt", "no-new-privileges", "--volume", "data:/data"]);
        command.arg("--volume").arg(format!("{}:{ARCHIVE}", order.archive.display()));
        for (name, value) in order.environment {
            // Without a value among the arguments podman takes it from its own environment.
            command.env(name, value).args(["--env", name]);
        }
        command.arg(IMAGE).args(order.arguments);
        Running::start(command, &self.folder.join("said"), "the image")
    }

    fn first(&self, _running: &Running) -> Option<u32> {
        let told = tried(self.command().args(["inspect", "--format", "{{.State.Pid}}", NAME])).ok()?;
        told.parse().ok().filter(|id| *id > 0)
    }

    fn within(&self, _first: u32, _order: &Order, arguments: &[&str]) -> Command {
        let mut command = self.command();
        command.args(["exec", NAME]).args(arguments);
        command
    }

    fn is_healthy(&self, _first: u32, _order: &Order) -> bool {
        self.command().args(["healthcheck", "run", NAME]).output().unwrap().status.success()
    }

    fn data(&self) -> PathBuf {
        done(self.command().args(["volume", "inspect", "--format", "{{.Mountpoint}}", "data"])).into()
    }

    fn written_elsewhere(&self) -> Vec<String> {
        // The layer over the image; podman itself makes empty files in it, at which it mounts some of its own.
        let told =
            self.command().args(["inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", NAME]).output().unwrap();
        let layer = String::from_utf8(told.stdout).unwrap();
        let found = done(Command::new("find").arg(layer.trim()).args(["-type", "f", "-size", "+0"]));
        found.lines().map(str::to_owned).collect()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        for arguments in [
            &["rm", "--all", "--force", "--time", "0"][..],
            &["image", "umount", "--all"],
            &["system", "reset", "--force"],
        ] {
            // What is left is told by the folder that cannot be removed.
            let _ = self.command().args(arguments).output();
        }
    }
}
