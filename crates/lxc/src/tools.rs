use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where programs are looked for, whatever the caller's `PATH`.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// LXC's tools on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// `lxc-start`.
    pub start: PathBuf,
    /// `lxc-attach`.
    pub attach: PathBuf,
    /// `lxc-console`.
    pub console: PathBuf,
    /// `lxc-usernsexec`.
    pub usernsexec: PathBuf,
}

/// Why LXC cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    /// A tool is missing.
    #[error("'{tool}' is not installed: install the package 'lxc' (apt-get install lxc)")]
    NotInstalled {
        /// Its name.
        tool: &'static str,
    },
    /// It does not tell its version.
    #[error("'{}' does not tell its version", tool.display())]
    Version {
        /// Its path.
        tool: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Tools {
    /// Looks for them.
    ///
    /// # Errors
    /// [`ToolsError::NotInstalled`] for the first that is missing.
    pub fn find() -> Result<Self, ToolsError> {
        let tool = |tool: &'static str| find(tool).ok_or(ToolsError::NotInstalled { tool });
        Ok(Self {
            start: tool("lxc-start")?,
            attach: tool("lxc-attach")?,
            console: tool("lxc-console")?,
            usernsexec: tool("lxc-usernsexec")?,
        })
    }

    /// LXC's version, `5.0.2`. Runs a program.
    ///
    /// # Errors
    /// [`ToolsError::Version`].
    pub fn version(&self) -> Result<String, ToolsError> {
        let failed = |source| ToolsError::Version { tool: self.start.clone(), source };
        let output =
            Command::new(&self.start).arg("--version").stdin(Stdio::null()).output().map_err(failed)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// A program by its name.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    PATH.split(':').map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}
