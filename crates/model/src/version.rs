//! The version of this program.

use std::hint::black_box;

/// What stands before the version in the program: `cargo xtask dist` finds the place by it, and writes the package's version there.
const MARK: &[u8] = b"\0the version of hookvisor:";

/// How many bytes a version may have.
const ROOM: usize = 64;

#[used]
static STAMP: [u8; MARK.len() + ROOM] = {
    let mut stamp = [0; MARK.len() + ROOM];
    let (mark, rest) = stamp.split_at_mut(MARK.len());
    mark.copy_from_slice(MARK);
    let own = env!("CARGO_PKG_VERSION").as_bytes();
    rest.split_at_mut(own.len()).0.copy_from_slice(own);
    stamp
};

/// The version of this program: that of the package where it comes from one, else that of its source.
#[must_use]
pub fn version() -> &'static str {
    // What the compiler knows of it is no longer so once it is in a package.
    let text = &black_box(&STAMP)[MARK.len()..];
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    str::from_utf8(&text[..end]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_packaged_has_its_sources_version() {
        assert_eq!(version(), env!("CARGO_PKG_VERSION"));
    }
}
