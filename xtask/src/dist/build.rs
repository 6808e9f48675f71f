//! The programs that are shipped.

use super::Release;
use crate::run::{capture, cargo, command, root, show, target};
use std::path::{Path, PathBuf};

/// The hookscripts of the library that are built.
pub(crate) const HOOKSCRIPTS: [&str; 3] = ["cpu-pin", "gpu-vfio", "net-tap"];

/// How a program is linked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Linked {
    /// With the C library of the host it runs on.
    Dynamically,
    /// With everything in it.
    Statically,
}

/// Built programs, in one folder.
pub(super) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// The program at this path and the hookscripts beside it.
    pub(super) fn beside(binary: &Path) -> Result<Self, String> {
        let folder = binary.parent().filter(|_| binary.ends_with("hookvisor"));
        let folder = folder.ok_or_else(|| format!("{} is no program named hookvisor", binary.display()))?;
        let programs = Self { folder: folder.to_owned() };
        for path in [programs.hookvisor()].into_iter().chain(programs.hookscripts().map(|(_, path)| path)) {
            if !path.is_file() {
                return Err(format!("{} is missing", path.display()));
            }
        }
        Ok(programs)
    }

    /// The program itself.
    pub(super) fn hookvisor(&self) -> PathBuf {
        self.folder.join("hookvisor")
    }

    /// The hookscripts with their names.
    pub(super) fn hookscripts(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        HOOKSCRIPTS.into_iter().map(|name| (name, self.folder.join(name)))
    }
}

/// Builds the release. The same source gives the same bytes, wherever it lies.
pub(super) fn release(linked: Linked, release: &Release) -> Result<Programs, String> {
    let triple = triple()?;
    let home = std::env::var("CARGO_HOME").map_or_else(
        |_| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo"),
        PathBuf::from,
    );
    let moved = [(root().to_owned(), "/usr/src/hookvisor"), (home.join("registry/src"), "/usr/src/registry")];
    let remap = |flag: &str| {
        moved.iter().map(|(from, to)| format!("{flag}={}={to}", from.display())).collect::<Vec<_>>()
    };
    let mut flags = remap("--remap-path-prefix");
    if linked == Linked::Statically {
        flags.push("-Ctarget-feature=+crt-static".to_owned());
    }
    let folder = target().join(match linked {
        Linked::Dynamically => "dist/build",
        Linked::Statically => "dist/build-static",
    });
    let mut build = cargo(&["build", "--release", "--locked", "--target", &triple, "--package", "hookvisor"]);
    build.args(HOOKSCRIPTS.iter().flat_map(|name| ["--package", name]));
    build.arg("--target-dir").arg(&folder);
    build
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env("CFLAGS", remap("-ffile-prefix-map").join(" "));
    build.env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    show(&mut build)?;
    Programs::beside(&folder.join(triple).join("release/hookvisor"))
}

/// This toolchain's own target. That it is named keeps the flags away from what runs while it is built.
pub(super) fn triple() -> Result<String, String> {
    let text = capture(&mut command("rustc", &["--version", "--verbose"]))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc names no host".to_owned())
}
