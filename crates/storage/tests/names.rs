//! Volume names at random: against the patterns of api.md 6.2, written down once more as regular expressions, and
//! against a real folder with things around it that must not be touched.

use model::{Layout, StorageId, VolumeId};
use proptest::prelude::*;
use regex::Regex;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use storage::{StorageKind, Storages, VolumeName};

/// Content type, name, digits of the owner's folder, base, format.
type Parsed = (String, String, Option<String>, Option<(String, String)>, Option<String>);

/// The patterns of the specification, tried in its order.
struct Patterns {
    clone: Regex,
    image: Regex,
    file: Regex,
    iso: Regex,
    template: Regex,
    rootdir: Regex,
    backup: Regex,
    snippet: Regex,
    inner: Regex,
    import: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let pattern = |text: &str| Regex::new(text).unwrap();
    const SPACE: &str = r" \x09-\x0d";
    Patterns {
        clone: pattern(&format!(r"^([0-9]+)/([^{SPACE}]+)/([0-9]+)/([^{SPACE}]+)$")),
        image: pattern(&format!(r"^([0-9]+)/([^{SPACE}]+)$")),
        file: pattern(&format!(r"^((base-)?[^/{SPACE}]+\.(raw|qcow2|vmdk|subvol))$")),
        iso: pattern(r"^iso/([^/]+\.(?i-u:iso|img))$"),
        template: pattern(r"^vztmpl/([^/]+\.(?i-u:tar(?:\.(?:gz|xz|zst|bz2))?))$"),
        rootdir: pattern(r"^rootdir/([0-9]+)$"),
        backup: pattern(r"^backup/([^/]+\.(?:tgz|(?:tar|vma)(?:\.(?:gz|lzo|zst|bz2))?))$"),
        snippet: pattern(r"^snippets/([^/]+)$"),
        inner: pattern(r"^import/([ a-zA-Z0-9.+=_-]+\.ova/[ a-zA-Z0-9.+=_-]+\.(qcow2|raw|vmdk))$"),
        import: pattern(r"^import/([ a-zA-Z0-9.+=_-]+\.(ova|ovf|qcow2|raw|vmdk))$"),
    }
});

fn reference(text: &str) -> Result<Parsed, String> {
    let p = &*PATTERNS;
    let unknown = || format!("unable to parse directory volume name '{text}'");
    let file = |name: &str| {
        let found = p.file.captures(name).map(|c| c[3].to_owned());
        found.ok_or_else(|| format!("unable to parse volume filename '{name}'"))
    };
    // Stricter than the patterns: what would leave its folder, and what no file can be called.
    if text.contains(['\0', '\n']) || matches!(text, "snippets/." | "snippets/..") {
        return Err(unknown());
    }
    if let Some(c) = p.clone.captures(text) {
        file(&c[2])?;
        let format = file(&c[4])?;
        let base = Some((c[1].to_owned(), c[2].to_owned()));
        return Ok(("images".to_owned(), c[4].to_owned(), Some(c[3].to_owned()), base, Some(format)));
    }
    if let Some(c) = p.image.captures(text) {
        let format = file(&c[2])?;
        return Ok(("images".to_owned(), c[2].to_owned(), Some(c[1].to_owned()), None, Some(format)));
    }
    let plain = |content: &str, name: &str, format: Option<&str>| {
        Ok((content.to_owned(), name.to_owned(), None, None, format.map(str::to_owned)))
    };
    for (content, pattern) in
        [("iso", &p.iso), ("vztmpl", &p.template), ("backup", &p.backup), ("snippets", &p.snippet)]
    {
        if let Some(c) = pattern.captures(text) {
            return plain(content, &c[1], Some("raw"));
        }
    }
    if let Some(c) = p.rootdir.captures(text) {
        return plain("rootdir", &c[1], None);
    }
    if let Some(c) = p.inner.captures(text) {
        return plain("import", &c[1], Some(&format!("ova+{}", &c[2])));
    }
    if let Some(c) = p.import.captures(text) {
        return plain("import", &c[1], Some(&c[2]));
    }
    Err(unknown())
}

const PLACES: &[&str] = &[
    "snippets/",
    "iso/",
    "vztmpl/",
    "backup/",
    "rootdir/",
    "import/",
    "100/",
    "99/",
    "007/",
    "images/",
    "Snippets/",
    "/",
];
const STEMS: &[&str] = &[
    "hook",
    "x",
    "a b",
    "é",
    "..",
    ".",
    "",
    "-",
    "vm-100-disk-0",
    "base-",
    "base-100-disk-0",
    "subvol-100-disk-0",
    "vzdump-qemu-100-2026_01_31-12_00_00",
    "vzdump-lxc-",
    "100",
    "x.ova/disk",
    "x.ovf/disk",
];
const ENDS: &[&str] = &[
    "", ".sh", ".iso", ".IMG", ".raw", ".qcow2", ".vmdk", ".subvol", ".tar", ".tgz", ".tar.gz", ".tar.ZST",
    ".tar.zst", ".tar.xz", ".tar.lzo", ".tar.bz2", ".vma", ".vma.zst", ".ova", ".ovf", ".vhdx",
];
const TRICKS: &[&str] = &[
    "/", "/", "/../", "..", ".", "-", " ", "\t", "\u{b}", "\0", "\n", "\\", "\u{a0}", "\u{2215}", "%2e", "~",
    "7", "100", "٣",
];

/// Names made of what names, and tricks with them, are made of.
fn name() -> impl Strategy<Value = String> {
    use proptest::collection::vec;
    use proptest::sample::select;
    let file = || {
        (select(PLACES), select(STEMS), select(ENDS))
            .prop_map(|(place, stem, end)| format!("{place}{stem}{end}"))
    };
    let clone = (file(), file()).prop_map(|(base, name)| format!("{base}/{name}"));
    let image = |digits: &'static str| {
        (select(STEMS), select(ENDS)).prop_map(move |(s, e)| format!("{digits}/{s}{e}"))
    };
    let good_clone = (image("100"), image("101")).prop_map(|(base, name)| format!("{base}/{name}"));
    let pieces = vec(prop_oneof![select(PLACES), select(STEMS), select(ENDS), select(TRICKS)], 0..9)
        .prop_map(|p| p.concat());
    let whole =
        prop_oneof![4 => file(), 2 => image("100"), 2 => good_clone, 1 => clone, 2 => pieces, 1 => ".{0,30}"];
    // Something put in, somewhere, half the time.
    (whole, any::<proptest::sample::Index>(), prop_oneof![Just(""), select(TRICKS)]).prop_map(
        |(whole, at, trick)| {
            let mut at = at.index(whole.len() + 1);
            while !whole.is_char_boundary(at) {
                at -= 1;
            }
            format!("{}{trick}{}", &whole[..at], &whole[at..])
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn names_mean_what_the_patterns_say(text in name()) {
        let parsed = VolumeName::parse(&text).map_err(|error| error.to_string());
        let parsed = parsed.map(|v| {
            prop_assert_eq!(v.to_string(), text.clone());
            Ok((v.content.to_string(), v.name, v.folder, v.base, v.format.map(str::to_owned)))
        });
        let parsed: Result<Parsed, String> = match parsed {
            Ok(checked) => Ok(checked?),
            Err(text) => Err(text),
        };
        prop_assert_eq!(parsed, reference(&text));
    }

    #[test]
    fn no_type_of_storage_stumbles_over_a_name(text in name()) {
        for kind in [
            "dir", "btrfs", "nfs", "cifs", "cephfs", "lvm", "lvmthin", "zfspool", "zfs", "rbd", "iscsi", "iscsidirect", "pbs",
            "esxi",
        ] {
            let kind = StorageKind::parse(kind).unwrap();
            if let Err(error) = kind.parse_name(&text) {
                let error = error.to_string();
                prop_assert!(error.starts_with("unable to parse ") || error.starts_with("failed to parse "), "{}", error);
                prop_assert!(error.ends_with('\''), "{}", error);
            }
        }
    }
}

/// Every file below a folder with what is in it.
fn snapshot(folder: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            snapshot(&entry.path(), into);
        } else if kind.is_file() {
            into.insert(entry.path(), fs::read(entry.path()).unwrap());
        }
    }
}

#[test]
fn removing_at_random_touches_nothing_but_volumes_of_the_storage() {
    let root = tempfile::tempdir().unwrap();
    let layout = Layout::new(root.path());
    let (local, other): (StorageId, StorageId) = ("local".parse().unwrap(), "other".parse().unwrap());
    let there = layout.at("var/lib/vz-other");
    let (cfg, _) = config::storage_cfg::parse(format!("dir: other\n\tpath {}\n", there.display()).as_bytes());
    let all = Storages::new(layout.clone(), "pve1".parse().unwrap(), &cfg);
    let base = all.activate(&local).unwrap().path.clone().unwrap();
    all.activate(&other).unwrap();
    for path in
        ["etc/passwd", "var/lib/passwd", "var/lib/x.raw", "var/lib/vz-other/images/100/vm-100-disk-0.raw"]
    {
        let path = layout.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "keep").unwrap();
    }
    std::os::unix::fs::symlink("../../..", base.join("snippets/up")).unwrap();
    std::os::unix::fs::symlink("../../../../etc", base.join("images/100")).unwrap();
    fs::write(layout.at("etc/vm-100-disk-0.raw"), "a guest's folder may be a link").unwrap();
    let mut before = BTreeMap::new();
    snapshot(root.path(), &mut before);
    before.retain(|path, _| !path.starts_with(&base) && !path.starts_with(layout.at("var/lock")));

    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(3000));
    runner
        .run(&name(), |text| {
            if let Some(volume) = VolumeId::new(local.clone(), &text) {
                let _ = all.free(&volume);
            }
            Ok(())
        })
        .unwrap();

    let mut after = BTreeMap::new();
    snapshot(root.path(), &mut after);
    // The link was made by the host's administrator: what it leads to is the storage's by then.
    before.remove(&layout.at("etc/vm-100-disk-0.raw"));
    after.remove(&layout.at("etc/vm-100-disk-0.raw"));
    after.retain(|path, _| !path.starts_with(&base) && !path.starts_with(layout.at("var/lock")));
    assert_eq!(before, after);
    for folder in ["snippets", "images", "template/iso", "template/cache", "dump"] {
        assert!(base.join(folder).is_dir(), "{folder}");
    }
}
