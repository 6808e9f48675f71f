//! What the tests of this crate share: the configurations in `golden/`.

use config::GuestConfig;
use model::{GuestKind, Vmid};
use std::path::{Path, PathBuf};

/// The guest of all tests.
pub(crate) fn vmid() -> Vmid {
    "100".parse().unwrap()
}

/// A configuration by the text of its file, which must be understood.
pub(crate) fn read(text: &str) -> GuestConfig {
    let (config, warnings) = config::parse(GuestKind::Qemu, vmid(), text.as_bytes());
    assert!(warnings.is_empty(), "{}", warnings.iter().map(ToString::to_string).collect::<String>());
    config
}

/// The configurations in `golden/`, by name.
pub(crate) fn goldens() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "conf"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// Where they are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}
