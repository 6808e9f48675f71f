//! A Linux kernel for the guests that run an agent: Debian's cloud kernel, fetched but not installed.

use crate::run::{capture, command, show, target};
use std::fs;
use std::path::{Path, PathBuf};

/// Always the newest.
const PACKAGE: &str = "linux-image-cloud-amd64";

/// Puts `vmlinuz` and the modules for virtio into the folder `linux` of the target folder, where the end to end tests look
/// for them. Nothing is installed on this host.
pub(crate) fn fetch() -> Result<(), String> {
    let goal = target().join("linux");
    if goal.join("vmlinuz").is_file() {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        return Err(format!("no kernel for a guest: {PACKAGE} is fetched on Debian only"));
    }
    let image = match image() {
        Ok(image) => image,
        Err(_) => {
            show(&mut command("apt-get", &["update", "-qq"]))?;
            image()?
        }
    };
    eprintln!("fetching: {image}");
    // Beside the goal, so that it can be renamed into its place when it is whole.
    let work = target().join(format!("linux.{}", std::process::id()));
    let result = unpack(&image, &work, &goal);
    let removed = fs::remove_dir_all(&work);
    result.and(removed.map_err(|error| format!("cannot remove {}: {error}", work.display())))
}

/// The package that holds the kernel itself.
fn image() -> Result<String, String> {
    let text = capture(&mut command("apt-cache", &["depends", "--important", PACKAGE]))?;
    let image = text.lines().find_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
    image.map(|rest| format!("linux-image-{rest}")).ok_or_else(|| format!("apt knows no package {PACKAGE}"))
}

fn unpack(image: &str, work: &Path, goal: &Path) -> Result<(), String> {
    let failed = |path: &Path, error: std::io::Error| format!("cannot make {}: {error}", path.display());
    let (tree, fresh) = (work.join("tree"), work.join("linux"));
    for folder in [work, &fresh] {
        fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    }
    // As root apt would go on as another user, who may not write here.
    let download = ["-qq", "-o", "APT::Sandbox::User=root", "download", image];
    show(command("apt-get", &download).current_dir(work))?;
    let package = files(work)?.into_iter().find(|path| path.extension().is_some_and(|end| end == "deb"));
    let package = package.ok_or_else(|| format!("apt-get downloaded no {image}"))?;
    show(&mut command("dpkg-deb", &["-x", &package.to_string_lossy(), &tree.to_string_lossy()]))?;
    let kernels = files(&tree.join("boot"))?;
    let kernel = kernels.iter().find(|path| name(path).starts_with("vmlinuz-"));
    let kernel = kernel.ok_or_else(|| format!("{image} has no kernel"))?;
    fs::copy(kernel, fresh.join("vmlinuz")).map_err(|error| failed(&fresh, error))?;
    for module in modules(&tree)? {
        let path = fresh.join(name(&module));
        fs::copy(&module, &path).map_err(|error| failed(&path, error))?;
        if name(&module).ends_with(".xz") {
            show(&mut command("xz", &["-d", &path.to_string_lossy()]))?;
        }
    }
    let _ = fs::remove_dir_all(goal);
    fs::rename(&fresh, goal).map_err(|error| failed(goal, error))
}

/// Every module for virtio below a folder.
fn modules(tree: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in files(&folder)? {
            if path.is_symlink() {
                continue;
            } else if path.is_dir() {
                folders.push(path);
            } else if name(&path).starts_with("virtio") && name(&path).contains(".ko") {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(failed)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
