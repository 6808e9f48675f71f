//! Tickets in Proxmox VE's frame: `PVE:user@realm:HEXTIME::base64` (api.md 2.1). The signature is over what is before `::`.

use model::UserId;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a ticket is valid.
pub(crate) const LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);

/// How far ahead the clock of who made it may be.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// Seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}

/// Whether something of this time is still, or already, valid.
pub(crate) fn is_valid(time: u64, now: u64) -> bool {
    time <= now + AHEAD.as_secs() && now < time.saturating_add(LIFETIME.as_secs())
}

/// Eight hexadecimal digits.
pub(crate) fn time_of(hex: &str) -> Option<u64> {
    let plain = hex.len() == 8 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    u64::from_str_radix(hex, 16).ok().filter(|_| plain)
}

/// What is signed.
pub(crate) fn text(user: &UserId, time: u64) -> String {
    format!("PVE:{user}:{time:08X}")
}

/// A ticket that was taken apart; its signature has not been looked at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    pub(crate) text: &'a str,
    pub(crate) user: UserId,
    pub(crate) time: u64,
    pub(crate) signature: &'a str,
}

pub(crate) fn parse(ticket: &str) -> Option<Parts<'_>> {
    let (text, signature) = ticket.split_once("::")?;
    let (user, time) = text.strip_prefix("PVE:")?.rsplit_once(':')?;
    let user = user.parse::<UserId>().ok().filter(|user| user.token().is_none())?;
    Some(Parts { text, user, time: time_of(time)?, signature })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_ticket_is_valid_for_two_hours() {
        let made = 1_700_000_000;
        for (now, valid) in
            [(made - 301, false), (made - 300, true), (made, true), (made + 7199, true), (made + 7200, false)]
        {
            assert_eq!(is_valid(made, now), valid, "{now}");
        }
        assert!(!is_valid(u64::MAX, 0));
    }

    #[test]
    fn a_ticket_has_proxmox_ves_frame() {
        let user: UserId = "ann@pve".parse().unwrap();
        assert_eq!(text(&user, 0x6500_ABCD), "PVE:ann@pve:6500ABCD");
        let parts = parse("PVE:ann@pve:6500ABCD::c2ln").unwrap();
        assert_eq!((parts.user, parts.time, parts.signature), (user, 0x6500_ABCD, "c2ln"));
        for bad in [
            "",
            "PVE:ann@pve:6500ABCD",
            "PVE:ann@pve:+500ABCD::x",
            "PVE:ann:6500ABCD::x",
            "PVE:a@pve!tt:6500ABCD::x",
            "PVE:!tfa!x:6500ABCD::x",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange_for_a_ticket(text in "\\PC*|PVE:.*:[0-9A-F]{8}::.*") {
            if let Some(parts) = parse(&text) {
                prop_assert!(text.starts_with(parts.text));
            }
        }
    }
}
