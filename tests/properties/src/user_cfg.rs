//! `user.cfg`: what is written says the same about everybody's rights, and root is always there.

use config::user_cfg::{UserCfg, parse, print};
use model::UserId;
use std::collections::BTreeSet;

/// A file.
pub(crate) fn files(raw: &[u8]) {
    let (cfg, warnings) = parse(raw);
    let lines = crate::line_count(raw);
    for warning in &warnings {
        assert!((1..=lines).contains(&warning.line), "line {}: {warning}", warning.line);
    }
    assert!(cfg.users.get(&UserId::root()).is_some_and(|root| root.enable));
    let printed = print(&cfg);
    let text = String::from_utf8(printed.clone()).expect("what is written is text");
    let (again, _) = parse(&printed);
    assert_eq!(bare(&again), bare(&cfg), "{text}");
    assert_eq!(String::from_utf8_lossy(&print(&again)), text);
    let written: BTreeSet<&str> = text.split('\n').collect();
    for line in &cfg.kept {
        assert!(written.contains(line.as_str()), "a line was lost: {line:?}");
    }
}

/// Without the digest of the file.
fn bare(cfg: &UserCfg) -> UserCfg {
    UserCfg { digest: String::new(), ..cfg.clone() }
}
