//! The Debian package.

use super::Effort;
use super::Release;
use super::build::Programs;
use super::contents::{self, Places, join};
use super::tree::{Tree, failed, text};
use crate::run::{capture, command, root, show};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const PLACES: Places = Places {
    prefix: "usr",
    names: "usr/share/hookvisor/names/usr",
    zsh: "vendor-completions",
    fish: "vendor_completions.d",
    program: "/usr/bin/hookvisor",
};

const MAINTAINER: &str = "The hookvisor contributors <hookvisor@users.noreply.github.com>";

/// Without which hookvisor does little.
const RECOMMENDS: &str = "bubblewrap, curl, e2fsprogs, iproute2, libpam0g, lxc, mount, python3, qemu-system-x86, \
                          qemu-utils, systemd, uidmap, xz-utils, zstd";
/// What makes more of it.
const SUGGESTS: &str = "bzip2, ovmf, shellcheck";

/// Makes `hookvisor_VERSION_ARCHITECTURE.deb` in a folder.
pub(super) fn make(
    programs: &Programs,
    release: &Release,
    folder: &Path,
    effort: Effort,
) -> Result<PathBuf, String> {
    let architecture = capture(&mut command("dpkg", &["--print-architecture"]))?.trim().to_owned();
    let name = format!("hookvisor_{}_{architecture}", release.version);
    let tree = Tree::new(folder.join(&name))?;
    contents::lay(&tree, &PLACES, programs, release)?;
    let packaging = root().join("packaging/debian");
    tree.executable("usr/lib/hookvisor/names", text(&packaging.join("names"))?)?;
    documents(&tree, &packaging, release)?;
    for script in ["postinst", "postrm", "prerm"] {
        tree.executable(&join("DEBIAN", script), script_with_units(&text(&packaging.join(script))?)?)?;
    }
    tree.file("DEBIAN/triggers", text(&packaging.join("triggers"))?)?;
    tree.file("DEBIAN/md5sums", sums(&tree)?)?;
    tree.file("DEBIAN/control", control(&tree, &architecture, release, folder)?)?;
    let path = folder.join(format!("{name}.deb"));
    let how = match effort {
        Effort::Best => "-Zxz",
        Effort::Least => "-Znone",
    };
    let mut build = command("dpkg-deb", &["--root-owner-group", "--threads-max=1", how, "--build"]);
    build.arg(tree.root()).arg(&path).env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    build.stdout(std::process::Stdio::null());
    show(&mut build)?;
    Ok(path)
}

/// A maintainer script that knows the units: all, those that systemd shall start, and servers that a new version replaces.
fn script_with_units(script: &str) -> Result<String, String> {
    let (mut all, mut enabled, mut servers) = (Vec::new(), Vec::new(), Vec::new());
    for file in contents::unit_files()? {
        let unit = text(&root().join(&file))?;
        let name = file.rsplit('/').next().unwrap_or_default().to_owned();
        if unit.lines().any(|line| line == "[Install]") {
            enabled.push(name.clone());
        }
        if unit.lines().any(|line| line.starts_with("ExecStart=") && line.contains("/hookvisor serve")) {
            servers.push(name.clone());
        }
        all.push(name);
    }
    let lists = [("@UNITS@", all), ("@ENABLED@", enabled), ("@SERVERS@", servers)];
    Ok(lists.iter().fold(script.to_owned(), |script, (mark, units)| script.replace(mark, &units.join(" "))))
}

/// What Debian asks of the folder of documents.
fn documents(tree: &Tree, packaging: &Path, release: &Release) -> Result<(), String> {
    let licence = text(&root().join("LICENSE-MIT"))?;
    let indented: Vec<String> = licence
        .lines()
        .map(|line| if line.trim().is_empty() { " .".to_owned() } else { format!(" {line}") })
        .collect();
    let copyright = text(&packaging.join("copyright"))?.replace("@LICENSE-MIT@", &indented.join("\n"));
    tree.file("usr/share/doc/hookvisor/copyright", copyright)?;
    tree.link("usr/share/doc/hookvisor/LICENSE-MIT", "copyright")?;
    tree.link("usr/share/doc/hookvisor/LICENSE-APACHE", "../../common-licenses/Apache-2.0")?;
    let mut date = command("date", &["--utc", "--rfc-email", &format!("--date=@{}", release.epoch)]);
    let date = capture(date.env("LC_ALL", "C"))?;
    let changelog = format!(
        "hookvisor ({}) unstable; urgency=medium\n\n  * What is new stands in CHANGELOG.md.\n\n -- {MAINTAINER}  {date}",
        release.version
    );
    tree.file("usr/share/doc/hookvisor/changelog", changelog)?;
    tree.compress("usr/share/doc/hookvisor/changelog")
}

/// The digests by which dpkg verifies what is installed.
fn sums(tree: &Tree) -> Result<String, String> {
    let files: Vec<String> = tree
        .walk()?
        .into_iter()
        .filter(|path| !path.starts_with("DEBIAN"))
        .filter(|path| tree.root().join(path).symlink_metadata().is_ok_and(|meta| meta.is_file()))
        .collect();
    capture(command("md5sum", &["--"]).args(files).current_dir(tree.root()))
}

fn control(tree: &Tree, architecture: &str, release: &Release, folder: &Path) -> Result<String, String> {
    let libraries = libraries(tree, folder)?;
    let mut size = 0;
    for path in tree.walk()?.iter().filter(|path| !path.starts_with("DEBIAN")) {
        let meta = tree.root().join(path).symlink_metadata().map_err(|error| failed(tree.root(), &error))?;
        size += if meta.is_file() { meta.len().div_ceil(1024) } else { 1 };
    }
    let mut text = String::new();
    for (field, value) in [
        ("Package", "hookvisor"),
        ("Version", &release.version),
        ("Architecture", architecture),
        ("Maintainer", MAINTAINER),
        ("Installed-Size", &size.to_string()),
        ("Depends", &libraries),
        ("Recommends", RECOMMENDS),
        ("Suggests", SUGGESTS),
        ("Section", "admin"),
        ("Priority", "optional"),
        ("Homepage", "https://github.com/hookvisor/hookvisor"),
        ("Description", DESCRIPTION),
    ] {
        let _ = writeln!(text, "{field}: {value}");
    }
    Ok(text)
}

const DESCRIPTION: &str = "Proxmox VE's guest lifecycle with its hookscripts
 hookvisor runs QEMU virtual machines and LXC containers from Proxmox VE's
 configuration files, with its commands qm, pct, pvesm and pvesh and its REST
 API, and calls a hookscript at each phase of a guest's life. Every phase runs
 when it should, with its outcome and its output on record.
 .
 It has a workshop to write, check and test hookscripts in a sandbox, which is
 of use on a Proxmox VE host, too, and a library of them.";

/// The libraries that the programs are linked with, as packages.
fn libraries(tree: &Tree, folder: &Path) -> Result<String, String> {
    // dpkg-shlibdeps wants the folder of a source package.
    let source = folder.join("shlibdeps");
    fs::create_dir_all(source.join("debian")).map_err(|error| failed(&source, &error))?;
    let control = source.join("debian/control");
    fs::write(&control, "Source: hookvisor\n\nPackage: hookvisor\nArchitecture: any\n")
        .map_err(|error| failed(&control, &error))?;
    let mut shlibdeps = command("dpkg-shlibdeps", &["-O"]);
    shlibdeps.current_dir(&source);
    for path in tree.walk()? {
        let path = tree.root().join(path);
        if path.is_file()
            && !path.is_symlink()
            && fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"))
        {
            shlibdeps.arg(path);
        }
    }
    let found = capture(&mut shlibdeps)?;
    let depends = found.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    depends.map(str::to_owned).ok_or_else(|| format!("dpkg-shlibdeps said '{found}'"))
}
