//! `cargo xtask dist`: hookvisor as a Debian package and as a tarball with a static binary.

mod build;
mod contents;
mod deb;
mod notices;
mod scene;
mod stamp;
mod tarball;
mod tree;

pub(crate) use build::HOOKSCRIPTS;
pub(crate) use scene::prepare as prepare_tests;

use crate::packages;
use crate::run::{capture, command, target};
use build::{Linked, Programs};
use std::path::{Path, PathBuf};

const USAGE: &str = "usage: cargo xtask dist [--binary PATH] [--release VERSION]

  --binary PATH      packages this program and the hookscripts beside it, quickly and without the tarball; otherwise the release
                     is built
  --release VERSION  the version; otherwise that of the workspace where HEAD bears the tag vVERSION, else one that comes before it";

/// How well a package is compressed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// For those who fetch it.
    Best,
    /// For tests.
    Least,
}

/// What all that is made has in common.
pub(crate) struct Release {
    /// As Debian compares versions.
    version: String,
    /// The time that files and pages bear, in seconds since the Unix epoch: a build can be repeated.
    epoch: u64,
}

/// Carries `cargo xtask dist` out.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let (mut binary, mut version) = (None, None);
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        match *word {
            "--binary" => binary = Some(Path::new(value)),
            "--release" => version = Some((*value).to_owned()),
            _ => return Err(USAGE.to_owned()),
        }
    }
    packages::install_for_dist()?;
    let release = Release::read(version)?;
    let folder = target().join("dist");
    let made = match binary {
        Some(binary) => vec![quick(&Programs::beside(binary)?, &release, &folder)?],
        None => {
            let static_ones = build::release(Linked::Statically, &release)?;
            let tarball = tarball::make(&static_ones, &release, &folder, Effort::Best)?;
            tarball::try_alone(&tarball)?;
            let programs = build::release(Linked::Dynamically, &release)?;
            vec![deb::make(&programs, &release, &folder, Effort::Best)?, tarball]
        }
    };
    for path in made {
        println!("{}", path.display());
    }
    Ok(())
}

/// Makes the package of a program that is there, as this file.
pub(crate) fn package(binary: &Path, goal: &Path) -> Result<(), String> {
    let work = goal.with_extension("new");
    let made = quick(&Programs::beside(binary)?, &Release::read(None)?, &work)?;
    let moved = std::fs::rename(&made, goal).and_then(|()| std::fs::remove_dir_all(&work));
    moved.map_err(|error| format!("cannot make {}: {error}", goal.display()))
}

/// The package of a program that is there.
fn quick(programs: &Programs, release: &Release, folder: &Path) -> Result<PathBuf, String> {
    deb::make(programs, release, folder, Effort::Least)
}

impl Release {
    fn read(version: Option<String>) -> Result<Self, String> {
        let git = |args: &[&str]| capture(&mut command("git", args)).map(|text| text.trim().to_owned());
        let epoch = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(given) => given,
            Err(_) => git(&["log", "-1", "--format=%ct"])?,
        };
        let epoch =
            epoch.parse().map_err(|_| format!("'{epoch}' is no time in seconds since the Unix epoch"))?;
        let version = match version {
            Some(version) => version,
            None => {
                let tags = git(&["tag", "--points-at", "HEAD"])?;
                let own = env!("CARGO_PKG_VERSION");
                if tags.lines().any(|tag| tag.strip_prefix('v') == Some(own)) {
                    own.to_owned()
                } else {
                    let commit = git(&["log", "-1", "--date=format-local:%Y%m%d%H%M%S", "--format=%cd.%h"])?;
                    format!("{own}~{commit}")
                }
            }
        };
        Ok(Self { version, epoch })
    }
}
