//! Reading a configuration.

use config::Section;
use model::GuestKind;

/// The section of a configuration.
pub(crate) fn parse(raw: &str) -> Section {
    let (config, _) = config::parse(GuestKind::Lxc, "200".parse().unwrap(), raw.as_bytes());
    config.main
}
