//! Packages of the operating system.

use std::io::IsTerminal as _;

use super::For;
use crate::place::Place;
use crate::process::{Program, find};
use crate::report::{Failure, say};

/// One thing that must be on the machine.
struct Need {
    /// How to see that it is there.
    probe: Probe,
    /// From what on it is needed.
    purpose: For,
    /// Debian's packages that bring it.
    debian: &'static [&'static str],
    /// What it is, for those who have no apt.
    elsewhere: &'static str,
}

enum Probe {
    /// A program on `PATH`.
    Program(&'static str),
    /// A library with its headers.
    Library(&'static str),
    /// The part of git that serves repositories over HTTP.
    GitServer,
    /// A file.
    File(&'static str),
}

/// Everywhere.
const COMMON: &[Need] = &[
    Need {
        probe: Probe::Program("git"),
        purpose: For::Terminal,
        debian: &["git"],
        elsewhere: "git, from https://git-scm.com",
    },
    Need {
        probe: Probe::GitServer,
        purpose: For::Terminal,
        debian: &["git"],
        elsewhere: "git's own `git-http-backend` (part of most git packages; Fedora: git-core)",
    },
    // The sentinel's script needs these where the sandbox runs it.
    Need { probe: Probe::Program("bash"), purpose: For::Terminal, debian: &["bash"], elsewhere: "bash" },
    Need { probe: Probe::Program("curl"), purpose: For::Terminal, debian: &["curl"], elsewhere: "curl" },
    Need { probe: Probe::Program("jq"), purpose: For::Terminal, debian: &["jq"], elsewhere: "jq" },
];

/// Linux needs these too; on other systems they are part of the system or not used.
const LINUX: &[Need] = &[
    Need {
        probe: Probe::Program("cc"),
        purpose: For::Terminal,
        debian: &["build-essential"],
        elsewhere: "a C compiler (Fedora: gcc make; Arch: base-devel)",
    },
    Need {
        probe: Probe::Program("pkg-config"),
        purpose: For::Window,
        debian: &["pkg-config"],
        elsewhere: "pkg-config (Fedora: pkgconf-pkg-config; Arch: pkgconf)",
    },
    Need {
        probe: Probe::Library("webkit2gtk-4.1"),
        purpose: For::Window,
        debian: &["libwebkit2gtk-4.1-dev"],
        elsewhere: "WebKitGTK 4.1 with headers (Fedora: webkit2gtk4.1-devel; Arch: webkit2gtk-4.1)",
    },
    Need {
        probe: Probe::Library("ayatana-appindicator3-0.1"),
        purpose: For::Window,
        debian: &["libayatana-appindicator3-dev"],
        elsewhere: "Ayatana AppIndicator with headers (Fedora: libayatana-appindicator-gtk3-devel; Arch: libayatana-appindicator)",
    },
    Need {
        probe: Probe::Library("librsvg-2.0"),
        purpose: For::Window,
        debian: &["librsvg2-dev"],
        elsewhere: "librsvg with headers (Fedora: librsvg2-devel; Arch: librsvg)",
    },
    Need {
        probe: Probe::Program("WebKitWebDriver"),
        purpose: For::Test,
        debian: &["webkit2gtk-driver"],
        elsewhere: "WebKitWebDriver, which steers the window in tests (some systems ship it with WebKitGTK)",
    },
    Need {
        probe: Probe::Program("Xvfb"),
        purpose: For::Test,
        debian: &["xvfb"],
        elsewhere: "Xvfb (Fedora: xorg-x11-server-Xvfb; Arch: xorg-server-xvfb)",
    },
    Need {
        probe: Probe::Program("xauth"),
        purpose: For::Test,
        debian: &["xauth"],
        elsewhere: "xauth (Fedora: xorg-x11-xauth; Arch: xorg-xauth)",
    },
    Need {
        probe: Probe::Program("dbus-run-session"),
        purpose: For::Test,
        debian: &["dbus", "dbus-x11"],
        elsewhere: "dbus-run-session (Fedora: dbus-daemon; Arch: dbus)",
    },
    Need {
        probe: Probe::File("/usr/libexec/at-spi-bus-launcher"),
        purpose: For::Test,
        debian: &["at-spi2-core"],
        elsewhere: "at-spi2-core, as /usr/libexec/at-spi-bus-launcher",
    },
    Need {
        probe: Probe::Program("gnome-keyring-daemon"),
        purpose: For::Test,
        debian: &["gnome-keyring"],
        elsewhere: "gnome-keyring",
    },
    Need {
        probe: Probe::Program("sshd"),
        purpose: For::Test,
        debian: &["openssh-server", "openssh-client"],
        elsewhere: "the OpenSSH server; it need not run (Fedora: openssh-server; Arch: openssh)",
    },
    Need {
        probe: Probe::Program("javac"),
        purpose: For::Test,
        debian: &["default-jdk-headless"],
        elsewhere: "a Java development kit, 11 or later",
    },
    Need {
        probe: Probe::File("/usr/share/java/org.eclipse.jgit.jar"),
        purpose: For::Test,
        debian: &["libjgit-java"],
        elsewhere: "JGit, as /usr/share/java/org.eclipse.jgit.jar with slf4j-api.jar and javaewah.jar beside it",
    },
    Need { probe: Probe::Program("minisign"), purpose: For::Test, debian: &["minisign"], elsewhere: "minisign" },
    Need { probe: Probe::Program("git-lfs"), purpose: For::Test, debian: &["git-lfs"], elsewhere: "git-lfs" },
    // What it runs as a service is of no use here; the tests start one of their own.
    Need {
        probe: Probe::Program("promtool"),
        purpose: For::Test,
        debian: &["prometheus"],
        elsewhere: "Prometheus with promtool, 2.40 or later, from https://prometheus.io/download",
    },
];

/// Installs what is missing, or says what is.
pub fn install(place: &Place, purpose: For) -> Result<(), Failure> {
    let missing = missing(place, purpose);
    if missing.is_empty() {
        say("   nothing is missing");
        return Ok(());
    }
    if find("apt-get").is_none() {
        return Err(what_to_install(&missing));
    }
    let mut packages: Vec<&str> = missing.iter().flat_map(|need| need.debian.iter().copied()).collect();
    packages.sort_unstable();
    packages.dedup();
    with_apt(place, &packages)?;
    let still = self::missing(place, purpose);
    if still.is_empty() { Ok(()) } else { Err(what_to_install(&still)) }
}

/// Installs Debian packages; `true` means that apt exists here.
pub fn install_debian(place: &Place, packages: &[&str]) -> Result<bool, Failure> {
    if find("apt-get").is_none() {
        return Ok(false);
    }
    with_apt(place, packages).map(|()| true)
}

fn missing(place: &Place, purpose: For) -> Vec<&'static Need> {
    let linux: &[Need] = if cfg!(target_os = "linux") { LINUX } else { &[] };
    let needed = COMMON.iter().chain(linux).filter(|need| need.purpose <= purpose);
    needed.filter(|need| !is_there(place, &need.probe)).collect()
}

fn is_there(place: &Place, probe: &Probe) -> bool {
    match probe {
        Probe::Program(name) => find(name).is_some(),
        Probe::Library(name) => Program::named(place, "pkg-config").args(["--exists", name]).answer().is_some(),
        Probe::File(path) => std::path::Path::new(path).is_file(),
        Probe::GitServer => Program::named(place, "git").arg("--exec-path").answer().is_some_and(|folder| {
            let program = std::path::Path::new(&folder).join("git-http-backend");
            program.is_file() || program.with_extension("exe").is_file()
        }),
    }
}

fn with_apt(place: &Place, packages: &[&str]) -> Result<(), Failure> {
    say(&format!("   to be installed by apt: {}", packages.join(" ")));
    apt(place)?.arg("update").run()?;
    apt(place)?.args(["install", "--yes", "--no-install-recommends"]).args(packages).run()
}

/// apt-get, as root.
fn apt(place: &Place) -> Result<Program, Failure> {
    let is_root = Program::named(place, "id").arg("-u").answer().as_deref() == Some("0");
    let program = if is_root {
        Program::named(place, "apt-get")
    } else if find("sudo").is_some() {
        let sudo = Program::named(place, "sudo");
        // Nobody is there to type a password: fail instead of waiting.
        let sudo = if std::io::stdin().is_terminal() { sudo } else { sudo.arg("--non-interactive") };
        sudo.args(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
    } else {
        return Err(Failure::new(
            "Packages are missing, and installing them needs root, but there is no `sudo` here.",
            "Run `cargo xtask setup` as root once, or install the packages named above.",
        ));
    };
    Ok(program.env("DEBIAN_FRONTEND", "noninteractive").args(["--quiet", "--option", "Dpkg::Use-Pty=0"]))
}

fn what_to_install(missing: &[&Need]) -> Failure {
    let list: Vec<String> = missing.iter().map(|need| format!("  - {}", need.elsewhere)).collect();
    Failure::new(
        format!("This machine lacks:\n{}", list.join("\n")),
        "Install these by your system's own means, then run the command again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_needs_less_than_a_window_and_a_window_less_than_the_tests() {
        let count = |purpose: For| LINUX.iter().filter(|need| need.purpose <= purpose).count();
        assert!(count(For::Terminal) < count(For::Window));
        assert!(count(For::Window) < count(For::Test));
        assert_eq!(count(For::Test), LINUX.len());
    }

    #[test]
    fn what_is_missing_is_named_so_that_it_can_be_installed() {
        let failure = what_to_install(&[&LINUX[2]]).to_string();
        assert!(failure.contains("webkit2gtk4.1-devel"), "{failure}");
    }
}
