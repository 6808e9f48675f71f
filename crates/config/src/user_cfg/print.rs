use super::{Subject, UserCfg};
use crate::text::percent_encode;
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

/// The file's text.
#[must_use]
pub fn print(cfg: &UserCfg) -> Vec<u8> {
    let mut out = String::new();
    for (id, user) in &cfg.users {
        let told = [&user.firstname, &user.lastname].map(|text| percent_encode(text));
        let [first, last] = told;
        let comment = percent_encode(&user.comment);
        let (enable, expire) = (u8::from(user.enable), user.expire);
        let _ = writeln!(
            out,
            "user:{id}:{enable}:{expire}:{first}:{last}:{}:{comment}:{}:",
            user.email, user.keys
        );
        for (name, token) in &user.tokens {
            let (privsep, comment) = (u8::from(token.privsep), percent_encode(&token.comment));
            let _ = writeln!(out, "token:{id}!{name}:{}:{privsep}:{comment}:", token.expire);
        }
    }
    out.push('\n');
    for (name, group) in &cfg.groups {
        let _ = writeln!(out, "group:{name}:{}:{}:", list(&group.users), percent_encode(&group.comment));
    }
    out.push('\n');
    for (name, pool) in &cfg.pools {
        let (vms, storage) = (list(&pool.vms), list(&pool.storage));
        let _ = writeln!(out, "pool:{name}:{}:{vms}:{storage}:", percent_encode(&pool.comment));
    }
    out.push('\n');
    for (name, privileges) in &cfg.roles {
        let _ = writeln!(out, "role:{name}:{}:", list(privileges));
    }
    out.push('\n');
    for (path, subjects) in &cfg.acl {
        acl(&mut out, path, subjects);
    }
    for line in &cfg.kept {
        let _ = writeln!(out, "{line}");
    }
    out.into_bytes()
}

/// The lines of a path: those who have the same roles share one.
fn acl(out: &mut String, path: &str, subjects: &BTreeMap<Subject, BTreeMap<String, bool>>) {
    for propagate in [false, true] {
        let mut lines: BTreeMap<String, Vec<&Subject>> = BTreeMap::new();
        for (subject, roles) in subjects {
            let named = roles.iter().filter(|(_, there)| **there == propagate).map(|(role, _)| role);
            let roles = list(named);
            if !roles.is_empty() {
                lines.entry(roles).or_default().push(subject);
            }
        }
        for (roles, subjects) in lines {
            let _ = writeln!(out, "acl:{}:{path}:{}:{roles}:", u8::from(propagate), list(subjects));
        }
    }
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}
