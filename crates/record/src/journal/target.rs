use std::env;
use std::path::PathBuf;

/// The environment variable that picks a journal namespace.
const VARIABLE: &str = "HOOKVISOR_JOURNAL";

/// A text that is no name of a journal namespace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE}='{0}' is no name of a journal namespace")]
pub struct InvalidNamespace(pub String);

/// The journal namespace that the environment picks, `journalctl --namespace`; none is the host's own journal.
///
/// # Errors
/// Where the value is no name of one: up to 64 letters, digits and `:-_.`, of which the first is no `.`.
pub fn namespace() -> Result<Option<String>, InvalidNamespace> {
    let Some(value) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) else { return Ok(None) };
    check(value.to_string_lossy().into_owned()).map(Some)
}

fn check(name: String) -> Result<String, InvalidNamespace> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b":-_.".contains(&b));
    if plain && name.len() <= 64 && !name.starts_with('.') { Ok(name) } else { Err(InvalidNamespace(name)) }
}

/// The socket of a journal, systemd-journald.service(8). `HOOKVISOR_ROOT` does not move it.
pub(crate) fn socket(namespace: Option<&str>) -> PathBuf {
    match namespace {
        None => "/run/systemd/journal/socket".into(),
        Some(name) => format!("/run/systemd/journal.{name}/socket").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_cannot_lead_elsewhere() {
        assert!(check("hv-test_1".into()).is_ok());
        for bad in ["../x", ".", "a/b", "a b", &"x".repeat(65)] {
            assert!(check(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
