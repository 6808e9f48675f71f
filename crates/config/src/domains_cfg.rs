//! `/etc/pve/domains.cfg`: the realms that users belong to (api.md 2.3).

use std::collections::BTreeMap;

/// A realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm {
    /// Its name.
    pub name: String,
    /// Its type: `pam`, `pve`, `ldap` …
    pub kind: String,
    /// Its properties.
    pub options: BTreeMap<String, String>,
}

/// The realms that are always there, with what is said about them where the file says nothing.
const ALWAYS: [(&str, &str); 2] =
    [("pam", "Linux PAM standard authentication"), ("pve", "Proxmox VE authentication server")];

/// Reads the file: sections `type: name` with indented properties. Realms come sorted by name; `pam` and `pve` are always
/// there, whatever the file says.
#[must_use]
pub fn parse(raw: &[u8]) -> Vec<Realm> {
    let mut realms: BTreeMap<String, Realm> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in String::from_utf8_lossy(raw).lines() {
        if line.trim().is_empty() || line.starts_with('#') {
            current = current.filter(|_| !line.trim().is_empty());
        } else if line.starts_with([' ', '\t']) {
            let (key, value) = line.trim().split_once([' ', '\t']).unwrap_or((line.trim(), "1"));
            if let Some(realm) = current.as_ref().and_then(|name| realms.get_mut(name)) {
                realm.options.insert(key.to_owned(), value.trim().to_owned());
            }
        } else if let Some((kind, name)) = line.split_once(':') {
            let (kind, name) = (kind.trim().to_owned(), name.trim().to_owned());
            current = Some(name.clone());
            realms.insert(name.clone(), Realm { name, kind, options: BTreeMap::new() });
        } else {
            current = None;
        }
    }
    for (name, comment) in ALWAYS {
        let usual = || Realm { name: name.to_owned(), kind: name.to_owned(), options: BTreeMap::new() };
        let realm = realms.entry(name.to_owned()).or_insert_with(usual);
        name.clone_into(&mut realm.kind);
        realm.options.entry("comment".to_owned()).or_insert_with(|| comment.to_owned());
    }
    realms.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pam_and_pve_are_always_there() {
        let names =
            |raw: &str| parse(raw.as_bytes()).iter().map(|realm| realm.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(""), ["pam", "pve"]);
        let text = "pam: pam\n\tcomment Local\n\tdefault 1\n\nldap: corp\n\tserver1 ldap.example.org\n\ttfa type=oath\n";
        assert_eq!(names(text), ["corp", "pam", "pve"]);
        let realms = parse(text.as_bytes());
        assert_eq!(
            (realms[1].options["comment"].as_str(), realms[1].options["default"].as_str()),
            ("Local", "1")
        );
        assert_eq!((realms[0].kind.as_str(), realms[0].options["tfa"].as_str()), ("ldap", "type=oath"));
        assert_eq!(realms[2].options["comment"], "Proxmox VE authentication server");
        // A section of another type does not take their place.
        assert_eq!(parse(b"ldap: pve\n")[1].kind, "pve");
    }
}
