//! The version of a package, written into the program in it.

use super::tree::failed;
use std::fs;
use std::path::Path;

/// What the place begins with, and how many bytes a version may have: `crates/model/src/version.rs`.
const MARK: &[u8] = b"\0the version of hookvisor:";
const ROOM: usize = 64;

/// Has the program at this path say that it is of this version.
pub(super) fn file(path: &Path, version: &str) -> Result<(), String> {
    let mut program = fs::read(path).map_err(|error| failed(path, &error))?;
    stamp(&mut program, version).map_err(|why| format!("{}: {why}", path.display()))?;
    fs::write(path, program).map_err(|error| failed(path, &error))
}

fn stamp(program: &mut [u8], version: &str) -> Result<(), String> {
    if version.len() > ROOM || version.contains('\0') {
        return Err(format!("a version has up to {ROOM} bytes, and this is none: '{version}'"));
    }
    let places: Vec<usize> = program
        .windows(MARK.len() + ROOM)
        .enumerate()
        .filter(|(_, window)| window.starts_with(MARK))
        .map(|(at, _)| at + MARK.len())
        .collect();
    let [at] = places[..] else {
        return Err(format!("it has {} places for a version, and not one", places.len()));
    };
    let room = &mut program[at..at + ROOM];
    room.fill(0);
    room[..version.len()].copy_from_slice(version.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_written_where_the_place_is_and_nowhere_else() {
        let program = |version: &[u8]| [b"x", MARK, version, &[0; ROOM - 5], b"y"].concat();
        let mut made = program(b"0.1.0");
        stamp(&mut made, "7~a").unwrap();
        assert_eq!(made, program(b"7~a\0\0"));
        assert!(stamp(&mut made, &"7".repeat(ROOM + 1)).is_err());
        assert!(stamp(&mut made[..20], "7").is_err());
        assert!(stamp(&mut [made.clone(), made].concat(), "7").is_err());
    }
}
