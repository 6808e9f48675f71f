//! `cargo xtask fuzz`: libFuzzer on the bodies of `tests/properties`, one after the other.

use crate::run::{cargo, command, root, show, target};
use serde::Deserialize;
use std::fs;

/// How long each target runs where that is not said, in seconds.
const SECONDS: u32 = 120;

/// `fuzz/Cargo.toml`, as far as it is needed.
#[derive(Deserialize)]
struct Manifest {
    bin: Vec<Bin>,
}

#[derive(Deserialize)]
struct Bin {
    name: String,
    path: String,
}

/// The names and files of all targets, relative to the repository.
pub(crate) fn targets() -> Result<Vec<(String, String)>, String> {
    let text = fs::read_to_string(root().join("fuzz/Cargo.toml"));
    let text = text.map_err(|error| format!("fuzz/Cargo.toml: {error}"))?;
    let manifest: Manifest = toml::from_str(&text).map_err(|error| format!("fuzz/Cargo.toml: {error}"))?;
    Ok(manifest.bin.into_iter().map(|bin| (bin.name, format!("fuzz/{}", bin.path))).collect())
}

/// Runs one target or all, each for some seconds.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let names: Vec<String> = targets()?.into_iter().map(|(name, _)| name).collect();
    let (chosen, seconds) = arguments(words, &names)?;
    missing()?;
    for name in chosen {
        fuzz(&name, seconds)?;
    }
    Ok(())
}

fn arguments(words: &[&str], names: &[String]) -> Result<(Vec<String>, u32), String> {
    let (mut chosen, mut seconds) = (None, SECONDS);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if *word == "--seconds" {
            let value = words.next().copied().unwrap_or_default();
            seconds = value.parse().ok().filter(|seconds| *seconds > 0).ok_or_else(|| {
                format!("--seconds '{value}': that is a whole number of seconds for each target")
            })?;
        } else if chosen.is_none() && names.iter().any(|name| name == word) {
            chosen = Some(vec![(*word).to_owned()]);
        } else {
            return Err(format!("'{word}' is no target: there are {}", names.join(", ")));
        }
    }
    Ok((chosen.unwrap_or_else(|| names.to_vec()), seconds))
}

/// Says what is missing; nothing is installed.
fn missing() -> Result<(), String> {
    let runs =
        |command: &mut std::process::Command| command.output().is_ok_and(|output| output.status.success());
    let mut missing = Vec::new();
    if !runs(&mut cargo(&["fuzz", "--version"])) {
        missing.push("cargo-fuzz (cargo install --locked cargo-fuzz)");
    }
    if !runs(&mut command("c++", &["--version"])) {
        missing.push("a C++ compiler, which libFuzzer is built with (on Debian: apt-get install g++)");
    }
    if missing.is_empty() { Ok(()) } else { Err(format!("missing: {}", missing.join(", "))) }
}

fn fuzz(name: &str, seconds: u32) -> Result<(), String> {
    eprintln!("fuzz: {name}, {seconds} s");
    let folder = target().join("fuzz");
    // libFuzzer adds what it finds to the first corpus and only reads the others.
    let found = folder.join("corpus").join(name);
    fs::create_dir_all(&found).map_err(|error| format!("{}: {error}", found.display()))?;
    let (folder, found) = (folder.to_string_lossy(), found.to_string_lossy());
    let seeds = format!("tests/properties/corpus/{name}");
    let limit = format!("-max_total_time={seconds}");
    // The bodies are safe Rust: a sanitizer would find nothing, and asks for a nightly compiler.
    let args = ["fuzz", "run", "--sanitizer", "none", "--target-dir", &folder, name, &found, &seeds, "--"];
    let mut command = cargo(&args);
    command.args(["-max_len=4096", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1", &limit]);
    show(&mut command).map_err(|error| {
        format!(
            "{error}\n{name}: what does not hold stands above, the input in fuzz/artifacts/{name}; \
             mended, it belongs in {seeds}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_and_a_time_in_any_order() {
        let names = ["ids", "ledger"].map(str::to_owned);
        let all = names.to_vec();
        let one = vec!["ids".to_owned()];
        for (words, expected) in [
            (&[][..], (&all, SECONDS)),
            (&["--seconds", "5"], (&all, 5)),
            (&["ids"], (&one, SECONDS)),
            (&["--seconds", "5", "ids"], (&one, 5)),
        ] {
            let (chosen, seconds) = arguments(words, &names).unwrap();
            assert_eq!((&chosen, seconds), expected);
        }
        for bad in [&["nope"][..], &["ids", "ledger"], &["--seconds"], &["--seconds", "0"]] {
            assert!(arguments(bad, &names).is_err(), "{bad:?}");
        }
    }
}
