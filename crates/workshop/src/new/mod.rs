//! A hookscript from a template.

use rustix::fs::{RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What a new script is called where nobody says.
const NAME: &str = "hookscript";

/// The name that the templates have, which are the examples.
const EXAMPLE: &str = "four-phases";

/// A language that there is a template for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// bash
    Bash,
    /// Perl
    Perl,
    /// Python 3
    Python,
    /// Rust, with nothing but its standard library.
    Rust,
}

/// A script that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// There is a file already.
    #[error("'{}' is there already, and is left as it is", .0.display())]
    Exists(PathBuf),
    /// A name that ends as a script of another language does.
    #[error("'{}' ends as a script in {} does, and {} was asked for", .path.display(), .ends.name(), .asked.name())]
    AnotherLanguage {
        /// The path.
        path: PathBuf,
        /// The language of its ending.
        ends: Template,
        /// The language that was named.
        asked: Template,
    },
    /// A name that ends as no script does that there is a template for.
    #[error("'{}' ends in '.{ends}', and there are templates in bash (.sh), perl (.pl), python (.py) and rust (.rs)", .path.display())]
    NoLanguage {
        /// The path.
        path: PathBuf,
        /// Its ending.
        ends: String,
    },
    /// A path that names no file.
    #[error("'{}' names no file", .0.display())]
    NoName(PathBuf),
    /// The file system's word.
    #[error("cannot write '{}'", path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Template {
    /// All of them, the one that is taken where nobody says first.
    pub const ALL: [Self; 4] = [Self::Bash, Self::Perl, Self::Python, Self::Rust];

    /// `bash`, `perl`, `python`, `rust`
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Perl => "perl",
            Self::Python => "python",
            Self::Rust => "rust",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.name() == name)
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Bash => "sh",
            Self::Perl => "pl",
            Self::Python => "py",
            Self::Rust => "rs",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Bash => include_str!("../../../../hookscripts/examples/four-phases.sh"),
            Self::Perl => include_str!("../../../../hookscripts/examples/four-phases.pl"),
            Self::Python => include_str!("../../../../hookscripts/examples/four-phases.py"),
            Self::Rust => include_str!("../../../../hookscripts/examples/four-phases.rs"),
        }
    }

    /// A source is compiled, a script is executed.
    fn mode(self) -> u32 {
        if self == Self::Rust { 0o644 } else { 0o755 }
    }
}

/// Writes a new script, and says where and in which language. Without a path it is `hookscript` in this folder; without
/// a language that of the path's ending, else bash. The path gets the language's ending where it has none.
///
/// # Errors
/// A file that is there already, which stays as it is; a path and a language that do not fit; the file system's word.
pub fn new(path: Option<&Path>, template: Option<Template>) -> Result<(PathBuf, Template), NewError> {
    let mut path = path.unwrap_or_else(|| Path::new(NAME)).to_owned();
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(NewError::NoName(path));
    }
    let extension = path.extension().map(|end| end.to_string_lossy().into_owned());
    let ends = match extension {
        None => None,
        Some(end) => match Template::ALL.into_iter().find(|template| template.extension() == end) {
            None => return Err(NewError::NoLanguage { path, ends: end }),
            known => known,
        },
    };
    let template = match (template, ends) {
        (Some(asked), Some(ends)) if asked != ends => {
            return Err(NewError::AnotherLanguage { path, ends, asked });
        }
        (Some(template), _) | (None, Some(template)) => template,
        (None, None) => Template::Bash,
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.strip_suffix(&format!(".{}", template.extension())).unwrap_or(&name).to_owned();
    if ends.is_none() {
        path.as_mut_os_string().push(format!(".{}", template.extension()));
    }
    let text = template.text().replacen(EXAMPLE, &name.replace(['\n', '\r'], " "), 1);
    write(&path, text.as_bytes(), template.mode()).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => NewError::Exists(path.clone()),
        _ => NewError::Write { path: path.clone(), source },
    })?;
    Ok((path, template))
}

/// Writes a file whole or not at all, and never over another one.
fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".new-{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let done = fill(&beside, bytes, mode).and_then(|()| place(&beside, path));
    if done.is_err() {
        let _ = fs::remove_file(&beside);
    }
    done
}

fn fill(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn place(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(rustix::fs::CWD, from, rustix::fs::CWD, to, RenameFlags::NOREPLACE) {
        // A file system that cannot do so has links.
        Err(Errno::INVAL | Errno::NOSYS) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        done => Ok(done?),
    }
}
