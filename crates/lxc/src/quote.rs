//! Texts inside other texts: a shell's command line, a line of fstab(5).

use std::path::Path;

/// A path as one word of a shell's command line.
pub(crate) fn shell(path: &Path) -> String {
    shell_word(&path.to_string_lossy())
}

/// A text as one word of a shell's command line.
pub(crate) fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A path as one field of a mount entry: blanks and backslashes in octal, as in fstab(5).
pub(crate) fn fstab(path: &str) -> String {
    path.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011")
}
