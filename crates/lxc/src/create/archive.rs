use super::{CreateError, Template};
use crate::subid;
use crate::tools::{self, Tools};
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be opened.
    #[error("cannot open archive '{}': {source}", path.display())]
    Open {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its packing is not known.
    #[error("'{}' is no tar archive, plain or packed by gzip, xz, zstd, bzip2 or lzop", .0.display())]
    Format(PathBuf),
    /// tar, or what unpacks for it, is missing.
    #[error("'{program}' is not installed: install the package '{package}'")]
    Missing {
        /// The program.
        program: &'static str,
        /// Debian's package.
        package: &'static str,
    },
    /// tar failed; it has said why.
    #[error("unable to extract archive '{}': tar failed: {how}", path.display())]
    Tar {
        /// The archive.
        path: PathBuf,
        /// How it ended.
        how: String,
    },
}

/// How an archive is packed: tar's option, then the program and its package.
type Packing = (Option<&'static str>, &'static str, &'static str);

const MAGIC: [(&[u8], Packing); 5] = [
    (b"\x1f\x8b", (Some("--gzip"), "gzip", "gzip")),
    (b"\xfd7zXZ\0", (Some("--xz"), "xz", "xz-utils")),
    (b"\x28\xb5\x2f\xfd", (Some("--zstd"), "zstd", "zstd")),
    (b"BZh", (Some("--bzip2"), "bzip2", "bzip2")),
    (b"\x89LZO\0", (Some("--lzop"), "lzop", "lzop")),
];

/// Goes by the first bytes, whatever the name.
fn packing(start: &[u8]) -> Option<Packing> {
    let packed = MAGIC.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, packing)| *packing);
    let plain = start.get(257..262) == Some(b"ustar");
    packed.or(plain.then_some((None, "tar", "tar")))
}

/// Unpacks into a folder. The archive is handed over open, as the container's root may not be able to reach it.
pub(super) fn unpack(
    template: Template<'_>,
    folder: &Path,
    shift: u32,
    ignore_errors: bool,
    tools: &Tools,
    say: &mut dyn FnMut(&str),
) -> Result<(), CreateError> {
    let missing = |program, package| ArchiveError::Missing { program, package };
    let tar = tools::find("tar").ok_or(missing("tar", "tar"))?;
    let (path, input, option, copy) = match template {
        Template::Archive(path) => {
            let open = |source| ArchiveError::Open { path: path.to_owned(), source };
            let mut file = fs::File::open(path).map_err(open)?;
            let mut start = Vec::new();
            (&file).take(512).read_to_end(&mut start).map_err(open)?;
            io::Seek::rewind(&mut file).map_err(open)?;
            let (option, program, package) =
                packing(&start).ok_or_else(|| ArchiveError::Format(path.to_owned()))?;
            tools::find(program).ok_or(missing(program, package))?;
            say(&format!("extracting archive '{}'", path.display()));
            (path, Stdio::from(file), option, None)
        }
        Template::Folder(path) => {
            let mut copy = Command::new(&tar)
                .args(["-c", "-f", "-", "--one-file-system", "--numeric-owner", "--xattrs", "--sparse", "-C"])
                .arg(path)
                .arg(".")
                .env("LC_ALL", "C")
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .map_err(|error| failed("tar", &error))?;
            let output = copy.stdout.take().map_or_else(Stdio::null, Stdio::from);
            (path, output, None, Some(copy))
        }
    };
    let mut command = if shift == 0 {
        Command::new(&tar)
    } else {
        let mut inside = Command::new(&tools.usernsexec);
        for kind in ["u", "g"] {
            inside.arg("-m").arg(format!("{kind}:0:{}:{}", subid::FIRST, subid::COUNT));
        }
        inside.arg("--").arg(&tar);
        inside
    };
    command
        .args(["-x", "-p", "-f", "-", "--totals", "--numeric-owner", "--acls", "--xattrs", "--sparse"])
        .args(["--xattrs-include=user.*", "--xattrs-include=security.capability", "--warning=no-xattr-write"])
        // The container gets devices of its own. Absolute names and `..` are tar's to refuse.
        .args(["--anchored", "--exclude=./dev/*", "--exclude=dev/*"])
        .args(option)
        .current_dir(folder)
        .env_clear()
        .env("PATH", tools::PATH)
        .env("LC_ALL", "C")
        .stdin(input)
        .stdout(Stdio::null());
    let status = run(&mut command, say).map_err(|error| failed("tar", &error))?;
    let copied = copy.map(|mut copy| copy.wait()).transpose().map_err(|error| failed("tar", &error))?;
    let bad = [Some(status), copied].into_iter().flatten().find(|status| !status.success());
    match bad {
        Some(status) if !ignore_errors => {
            Err(ArchiveError::Tar { path: path.to_owned(), how: how(status) }.into())
        }
        Some(status) => {
            say(&format!("tar failed, which is ignored: {}", how(status)));
            Ok(())
        }
        None => Ok(()),
    }
}

pub(super) fn failed(program: &'static str, error: &io::Error) -> CreateError {
    CreateError::Program { program, said: error.to_string() }
}

pub(super) fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown".to_owned(),
    }
}

/// Runs a program and passes on what it says on standard error, of each line at most 4 KiB.
fn run(command: &mut Command, say: &mut dyn FnMut(&str)) -> io::Result<ExitStatus> {
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    if let Some(errors) = child.stderr.take() {
        let mut errors = BufReader::new(errors);
        let mut line = Vec::new();
        while (&mut errors).take(4096).read_until(b'\n', &mut line)? > 0 {
            let text = String::from_utf8_lossy(&line);
            say(text.trim_end_matches('\n'));
            line.clear();
        }
    }
    child.wait()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_known_by_its_first_bytes() {
        assert_eq!(packing(b"\x1f\x8b\x08").unwrap().0, Some("--gzip"));
        assert_eq!(packing(b"\x28\xb5\x2f\xfd").unwrap().0, Some("--zstd"));
        let mut tar = [0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(packing(&tar).unwrap().0, None);
        assert_eq!(packing(b"PK\x03\x04"), None);
        assert_eq!(packing(b""), None);
    }
}
