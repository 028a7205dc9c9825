//! Which file lies where once it is installed. Debian and the distributions of .rpm differ in a few places.

use std::fs;
use std::path::{Path, PathBuf};

use super::words::{IDENTIFIER, Which};
use crate::place::Place;
use crate::process::Program;
use crate::report::Failure;

const FILES: &str = "packaging/linux";
/// The icons in colour, by the folder of their size.
const ICONS: [(&str, &str); 5] = [
    ("32x32", "icons/32x32.png"),
    ("64x64", "icons/64x64.png"),
    ("128x128", "icons/128x128.png"),
    ("256x256", "icons/128x128@2x.png"),
    ("scalable", "icons/standin.svg"),
];

/// For whom a tree is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Debian,
    Rpm,
}

/// What the packages are made of: programs, and what they wrote about themselves.
pub struct Parts<'a> {
    place: &'a Place,
    generated: PathBuf,
    /// Below it trees are laid out.
    pub work: PathBuf,
}

impl<'a> Parts<'a> {
    /// Has the program write its manual pages and completions.
    pub fn gather(place: &'a Place, work: &Path) -> Result<Self, Failure> {
        let parts = Self { place, generated: work.join("generated"), work: work.to_owned() };
        for what in ["man", "completions"] {
            let program = Program::named(place, parts.program(Which::CommandLine));
            program.args(["generate", what]).arg(parts.generated.join(what)).run()?;
        }
        Ok(parts)
    }

    /// The program as it was built.
    pub fn program(&self, which: Which) -> PathBuf {
        self.place.built(&format!("release/{}", which.program()))
    }

    /// Lays out a package at `root`.
    pub fn lay(&self, which: Which, family: Family, root: &Path) -> Result<(), Failure> {
        let tree = Tree { place: self.place, root };
        tree.copy(&self.program(which), &format!("usr/bin/{}", which.program()), 0o755)?;
        match which {
            Which::CommandLine => self.lay_command_line(&tree, family)?,
            Which::Desktop => self.lay_desktop(&tree)?,
        }
        self.lay_documents(&tree, which, family)
    }

    fn lay_command_line(&self, tree: &Tree, family: Family) -> Result<(), Failure> {
        for page in files_of(&self.generated.join("man"))? {
            tree.pack(&page, &format!("usr/share/man/man1/{}.gz", name_of(&page)))?;
        }
        let completions = self.generated.join("completions");
        let zsh = match family {
            Family::Debian => "usr/share/zsh/vendor-completions/_standin",
            Family::Rpm => "usr/share/zsh/site-functions/_standin",
        };
        tree.copy(&completions.join("standin.bash"), "usr/share/bash-completion/completions/standin", 0o644)?;
        tree.copy(&completions.join("_standin"), zsh, 0o644)?;
        tree.copy(&completions.join("standin.fish"), "usr/share/fish/vendor_completions.d/standin.fish", 0o644)
    }

    fn lay_desktop(&self, tree: &Tree) -> Result<(), Failure> {
        let files = self.place.path(FILES);
        let icons = "usr/share/icons/hicolor";
        tree.pack(&files.join("standin-desktop.1"), "usr/share/man/man1/standin-desktop.1.gz")?;
        for (to, name) in [("applications", "desktop"), ("metainfo", "metainfo.xml")] {
            let name = format!("{IDENTIFIER}.{name}");
            tree.copy(&files.join(&name), &format!("usr/share/{to}/{name}"), 0o644)?;
        }
        for (size, icon) in ICONS {
            let from = self.place.path(icon);
            let kind = from.extension().and_then(|kind| kind.to_str()).unwrap_or_default().to_owned();
            tree.copy(&from, &format!("{icons}/{size}/apps/{IDENTIFIER}.{kind}"), 0o644)?;
        }
        let symbolic = format!("{IDENTIFIER}-symbolic.svg");
        tree.copy(&files.join(&symbolic), &format!("{icons}/symbolic/apps/{symbolic}"), 0o644)
    }

    fn lay_documents(&self, tree: &Tree, which: Which, family: Family) -> Result<(), Failure> {
        let documents = format!("usr/share/doc/{}", which.name());
        let files = self.place.path(FILES);
        match family {
            Family::Debian => {
                tree.copy(&files.join("copyright"), &format!("{documents}/copyright"), 0o644)?;
                tree.pack(&files.join("changelog"), &format!("{documents}/changelog.Debian.gz"))?;
                let overrides = files.join(format!("lintian-overrides/{}", which.name()));
                tree.copy(&overrides, &format!("usr/share/lintian/overrides/{}", which.name()), 0o644)
            }
            Family::Rpm => {
                let licences = format!("usr/share/licenses/{}", which.name());
                for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
                    tree.copy(&self.place.path(name), &format!("{licences}/{name}"), 0o644)?;
                }
                tree.copy(&files.join("changelog"), &format!("{documents}/changelog"), 0o644)
            }
        }
    }
}

/// A root folder in the making.
struct Tree<'a> {
    place: &'a Place,
    root: &'a Path,
}

impl Tree<'_> {
    fn copy(&self, from: &Path, to: &str, mode: u32) -> Result<(), Failure> {
        let to = self.root.join(to);
        make_folder(&to)?;
        fs::copy(from, &to).map_err(|error| Failure::io(&format!("copy {}", from.display()), error))?;
        set_mode(&to, mode)
    }

    /// Copies a text, packed by gzip without a name and time in it.
    fn pack(&self, from: &Path, to: &str) -> Result<(), Failure> {
        let plain = to.trim_end_matches(".gz");
        self.copy(from, plain, 0o644)?;
        let packed =
            Program::named(self.place, "gzip").args(["--best", "--no-name"]).arg(self.root.join(plain)).answer();
        packed.map(drop).ok_or_else(|| Failure::new(format!("gzip could not pack {plain}."), ""))
    }
}

/// Makes the folder of a file, and sees to it that everyone may enter it, whatever the user's mask is.
fn make_folder(file: &Path) -> Result<(), Failure> {
    let Some(folder) = file.parent() else { return Ok(()) };
    if folder.is_dir() {
        return Ok(());
    }
    make_folder(folder)?;
    fs::create_dir(folder).map_err(|error| Failure::io(&format!("make {}", folder.display()), error))?;
    set_mode(folder, 0o755)
}

#[cfg(unix)]
pub fn set_mode(path: &Path, mode: u32) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|error| Failure::io(&format!("set the mode of {}", path.display()), error))
}

#[cfg(not(unix))]
pub fn set_mode(_: &Path, _: u32) -> Result<(), Failure> {
    Ok(())
}

/// All files of a folder, in order.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| Failure::io(&format!("read {}", folder.display()), error))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    Ok(files)
}

/// All files below a folder, as paths from it, in order.
pub fn files_below(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in files_of(&folder)? {
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found.iter().filter_map(|path| path.strip_prefix(root).ok()).map(Path::to_path_buf).collect())
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
