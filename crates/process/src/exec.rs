#![expect(unsafe_code, reason = "execve(2) takes raw pointers")]

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;

/// A program ready to be executed: all that execve(2) needs, allocated beforehand.
pub struct Program {
    path: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
}

impl Program {
    /// Prepares `path` with its arguments (the first is what the program sees as its own name) and the whole of its
    /// environment.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] where a text holds a NUL byte.
    pub fn new<A: AsRef<OsStr>, K: AsRef<OsStr>, V: AsRef<OsStr>>(
        path: impl AsRef<OsStr>,
        argv: impl IntoIterator<Item = A>,
        env: impl IntoIterator<Item = (K, V)>,
    ) -> io::Result<Self> {
        let c = |bytes: &[u8]| {
            CString::new(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
        };
        Ok(Self {
            path: c(path.as_ref().as_bytes())?,
            argv: argv.into_iter().map(|word| c(word.as_ref().as_bytes())).collect::<Result<_, _>>()?,
            env: env
                .into_iter()
                .map(|(key, value)| c(&[key.as_ref().as_bytes(), b"=", value.as_ref().as_bytes()].concat()))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Becomes the program. A file without a `#!` line that is no binary is run by `/bin/sh`, as execvp(3) does.
/// Returns only where that failed, with the reason.
#[must_use]
pub fn exec(program: &Program) -> io::Error {
    let error = execve(&program.path, program.argv.iter(), &program.env);
    if error.raw_os_error() != Some(libc::ENOEXEC) {
        return error;
    }
    let shell = c"/bin/sh".to_owned();
    execve(&shell, [&shell, &program.path].into_iter().chain(program.argv.iter().skip(1)), &program.env)
}

fn execve<'a>(path: &CString, argv: impl Iterator<Item = &'a CString>, env: &[CString]) -> io::Error {
    let argv: Vec<_> = argv.map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
    let env: Vec<_> = env.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
    // SAFETY: both arrays end in a null pointer and hold pointers to NUL-terminated texts that outlive the call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}
