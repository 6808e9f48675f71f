//! Each body with its corpus, and with what comes of its corpus when bytes and lines are changed, left out and put together.
//!
//! What is generated is the same in each run.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// How many inputs are generated for each body.
const CASES: u32 = 1500;

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The files of a corpus, by name.
fn seeds(body: &str) -> Vec<(String, Vec<u8>)> {
    let folder = corpora().join(body);
    names(&folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

#[test]
fn each_body_has_a_corpus_and_a_fuzz_target() {
    let bodies: BTreeSet<String> = properties::BODIES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&corpora()), bodies);
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest: toml::Table = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap().parse().unwrap();
    let targets = manifest["bin"].as_array().unwrap().iter();
    let targets: BTreeSet<String> = targets.map(|bin| bin["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(targets, bodies);
    for name in &bodies {
        let target = fs::read_to_string(fuzz.join("fuzz_targets").join(format!("{name}.rs"))).unwrap();
        assert!(target.contains(&format!("properties::body(\"{name}\")")), "{name}");
    }
}

/// One change of an input; places are taken modulo its length.
#[derive(Debug, Clone)]
enum Change {
    /// Puts bytes there.
    Insert(usize, Vec<u8>),
    /// Takes bytes out.
    Remove(usize, usize),
    /// Turns a byte into another.
    Set(usize, u8),
    /// Puts a line of another file there.
    Line(usize, Vec<u8>),
    /// Cuts the rest off.
    Cut(usize),
}

fn place(at: usize, len: usize) -> usize {
    at % (len + 1)
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Insert(at, new) => {
                let at = place(*at, bytes.len());
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove(at, count) => {
                let at = place(*at, bytes.len());
                let end = (at + count).min(bytes.len());
                bytes.drain(at..end);
            }
            Self::Set(at, byte) => {
                let at = place(*at, bytes.len());
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            Self::Line(at, line) => {
                let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
                lines.insert(place(*at, lines.len()), line);
                *bytes = lines.join(&b'\n');
            }
            Self::Cut(at) => bytes.truncate(place(*at, bytes.len())),
        }
    }
}

/// A file of the corpus, changed a few times.
fn input(seeds: &[(String, Vec<u8>)]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let files: Vec<Vec<u8>> = seeds.iter().map(|(_, bytes)| bytes.clone()).collect();
    let lines: Vec<Vec<u8>> =
        files.iter().flat_map(|file| file.split(|byte| *byte == b'\n')).map(<[u8]>::to_vec).collect();
    let bytes = prop_oneof![
        "[ -~\\n]{1,6}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 1..5),
        prop::sample::select(vec![
            "\n",
            ",",
            "=",
            "\"",
            ":",
            "[",
            "]",
            "{",
            "\r",
            "\0",
            "\u{a0}",
            "99999999999999999999"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let change = prop_oneof![
        (any::<usize>(), bytes).prop_map(|(at, new)| Change::Insert(at, new)),
        (any::<usize>(), 1..12_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<usize>(), prop::sample::select(lines)).prop_map(|(at, line)| Change::Line(at, line)),
        any::<usize>().prop_map(Change::Cut),
    ];
    (prop::sample::select(files), prop::collection::vec(change, 0..5)).prop_map(|(mut file, changes)| {
        changes.iter().for_each(|change| change.apply(&mut file));
        file
    })
}

/// The body's own words where a property does not hold.
fn holds(body: properties::Body, bytes: &[u8]) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| body(bytes))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

fn check(name: &str) {
    let (body, seeds) = (properties::body(name), seeds(name));
    for (file, bytes) in &seeds {
        if let Err(why) = holds(body, bytes) {
            panic!("corpus/{name}/{file}: {why}");
        }
    }
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run(&input(&seeds), |bytes| holds(body, &bytes).map_err(TestCaseError::fail));
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, bytes)) => panic!("{name}: {why}\nwith: \"{}\"", bytes.escape_ascii()),
        Err(error) => panic!("{name}: {error}"),
    }
}

macro_rules! bodies {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*

        #[test]
        fn none_is_left_out() {
            assert_eq!([$(stringify!($name)),*], properties::BODIES.map(|(name, _)| name));
        }
    };
}

bodies! {
    agent control_replies control_requests guest_config hooks_conf ids ledger listen log_record monitor
    property_string script_header sections storage_cfg user_cfg
}
