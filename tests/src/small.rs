//! A small file system over a folder of a scratch host, to be filled.

use crate::output::run;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// It lies over a folder until it is dropped.
#[derive(Debug)]
pub struct Small {
    folder: PathBuf,
}

impl Small {
    /// 256 KiB over a folder, with what the folder held.
    ///
    /// # Panics
    /// If it cannot be mounted.
    #[must_use]
    pub fn over(folder: PathBuf) -> Self {
        let keep = folder.with_extension("keep");
        run(Command::new("cp").arg("-a").arg(&folder).arg(&keep)).ok();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs"]).arg(&folder))
            .ok();
        run(Command::new("cp").arg("-a").arg(keep.join(".")).arg(&folder)).ok();
        Self { folder }
    }

    /// The file that fills it.
    #[must_use]
    pub fn filling(&self) -> PathBuf {
        self.folder.join("filling")
    }

    /// Writes until nothing more goes in.
    ///
    /// # Panics
    /// If not even the file can be made.
    pub fn fill(&self) {
        let mut file = File::create(self.filling()).expect("a file can be made");
        for block in [4096, 1] {
            while file.write_all(&vec![0; block]).is_ok() {}
        }
    }

    /// Makes room again.
    ///
    /// # Panics
    /// If it is not filled.
    pub fn free(&self) {
        fs::remove_file(self.filling()).expect("the filling is there");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
