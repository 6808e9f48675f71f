//! LXC's configuration is a pure function: each `tests/golden/NAME.conf` is translated with fixed facts and compared with
//! `NAME.lxc`. A first line `# facts: v2 apparmor nomap` in it changes the facts. `GOLDEN=write` writes the files anew.

#[path = "common/facts.rs"]
mod common;
#[path = "common/parse.rs"]
mod parse;

use std::fs;
use std::path::Path;

#[test]
fn every_configuration_gives_its_text() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut seen = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "conf") {
            continue;
        }
        seen += 1;
        let raw = fs::read_to_string(&path).unwrap();
        let main = parse::parse(&raw);
        let made = match lxc::configuration(&main, "200".parse().unwrap(), &common::facts(&raw)) {
            Ok(made) => {
                let warnings: String =
                    made.warnings.iter().map(|warning| format!("# warning: {warning}\n")).collect();
                format!("{warnings}{}", made.text)
            }
            Err(error) => format!("# refused: {error}\n"),
        };
        let golden = path.with_extension("lxc");
        if std::env::var_os("GOLDEN").is_some_and(|mode| mode == "write") {
            fs::write(&golden, &made).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        assert!(made == expected, "{} differs from\n{expected}\nit is\n{made}", golden.display());
    }
    assert!(seen > 20, "{seen}");
}
