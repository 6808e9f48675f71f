//! File systems that hang, as one on a network whose server is gone.

use crate::output::run;
use crate::{Host, wait};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file system that nobody can write to until it is thawed: who tries sleeps where no signal reaches him.
#[derive(Debug)]
pub struct Frozen {
    mount: PathBuf,
}

impl Frozen {
    /// One that is mounted there, and frozen with nothing in it.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn at(host: &Host, mount: &Path) -> Self {
        let image = host.scratch().join("frozen.img");
        fs::create_dir_all(mount).expect("a folder can be made");
        run(Command::new("truncate").args(["-s", "20M"]).arg(&image)).ok();
        run(Command::new("mkfs.ext4").arg("-q").arg(&image)).ok();
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(mount)).ok();
        run(Command::new("fsfreeze").arg("-f").arg(mount)).ok();
        Self { mount: mount.to_owned() }
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// Lets all go on who sleep.
    pub fn thaw(&self) {
        let _ = Command::new("fsfreeze").arg("-u").arg(&self.mount).stderr(Stdio::null()).status();
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.thaw();
        // Those that slept there may still be on their way out.
        unmount(&self.mount, &[]);
    }
}

/// A file system that has never answered anybody: one in user space, in whose place nobody is.
#[derive(Debug)]
pub struct Silent {
    mount: PathBuf,
    _device: File,
}

impl Silent {
    /// One that is mounted there.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn at(mount: &Path) -> Self {
        fs::create_dir_all(mount).expect("a folder can be made");
        let device = File::options().read(true).write(true).open("/dev/fuse").expect("the device of fuse");
        rustix::io::fcntl_setfd(&device, rustix::io::FdFlags::empty())
            .expect("a descriptor that is inherited");
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        run(Command::new("mount").args(["-i", "-t", "fuse", "-o", &options, "silent"]).arg(mount)).ok();
        rustix::io::fcntl_setfd(&device, rustix::io::FdFlags::CLOEXEC).expect("a descriptor that is not");
        Self { mount: mount.to_owned(), _device: device }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // By force: all who wait are told that nobody is there.
        unmount(&self.mount, &["-f"]);
    }
}

fn unmount(mount: &Path, how: &[&str]) {
    let unmounted = || {
        let status = Command::new("umount").args(how).arg(mount).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success()) || !is_mounted(mount)
    };
    wait::until("the file system to be unmounted", || unmounted().then_some(()));
}

fn is_mounted(mount: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(1).is_some_and(|at| Path::new(at) == mount))
}
