//! Where HTTPS is to be served: `--listen`, and `LISTEN=` in the file of settings that a service's unit names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The one setting there is.
const KEY: &str = "LISTEN";

/// The port of Proxmox VE's API.
const PORT: u16 = 8006;

/// A text that says no place to listen at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidListen {
    /// There is none.
    #[error(
        "is empty: 127.0.0.1:8006 is this host alone, [::]:8006 each of its addresses, none only the unix socket"
    )]
    Empty,
    /// Nobody knows what it may mean.
    #[error("is no address with a port, as 127.0.0.1:8006 or [::]:8006, nor none")]
    Unknown,
    /// It is not whole, and this may be meant.
    #[error("is no address with a port; '{0}' is one")]
    Near(SocketAddr),
}

/// The address that a text says; none for the unix socket alone.
///
/// # Errors
/// A text that says something else.
pub fn address(text: &str) -> Result<Option<SocketAddr>, InvalidListen> {
    match (text, text.parse()) {
        ("none", _) => Ok(None),
        (_, Ok(address)) => Ok(Some(address)),
        ("", _) => Err(InvalidListen::Empty),
        _ => Err(near(text).map_or(InvalidListen::Unknown, InvalidListen::Near)),
    }
}

/// An address without a port, a port without an address, or names that everybody knows.
fn near(text: &str) -> Option<SocketAddr> {
    let ip = |text: &str| match text {
        "" | "*" => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        text => text.trim_start_matches('[').trim_end_matches(']').parse().ok(),
    };
    let alone = ip(text).map(|ip| SocketAddr::new(ip, PORT));
    let port = || Some(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), text.parse().ok()?));
    let both = || {
        let (host, port) = text.rsplit_once(':')?;
        Some(SocketAddr::new(ip(host)?, port.parse().ok()?))
    };
    alone.or_else(port).or_else(both)
}

/// A line that is no setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLine {
    /// It is not of the form `NAME=value`.
    #[error("'{0}' is no setting, as LISTEN=[::]:8006 is one")]
    NoSetting(String),
    /// Its name is like the one that there is.
    #[error("there is no '{0}'; 'LISTEN' may be meant")]
    Near(String),
    /// A quotation that does not end, or something in a value that would have to be read by a shell.
    #[error("the value {0} is not of one word, as in LISTEN=[::]:8006")]
    Value(String),
}

/// What a file of settings sets, if it does: the last line that says so counts. Settings with other names are the environment's,
/// as in each `EnvironmentFile=` (systemd.exec(5)), which drops lines that are none without a word to whoever wrote them.
///
/// # Errors
/// The number of a line that is no setting, and why it is none.
pub fn setting(text: &str) -> Result<Option<String>, (usize, InvalidLine)> {
    let mut set = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let named = line.split_once('=').map(|(name, value)| (name.trim_end(), value.trim_start()));
        let (name, value) = named
            .filter(|(name, _)| is_name(name))
            .ok_or_else(|| (number, InvalidLine::NoSetting(line.to_owned())))?;
        if name == KEY {
            let word = unquoted(value).ok_or_else(|| (number, InvalidLine::Value(value.to_owned())))?;
            set = Some(word.to_owned());
        } else if strsim::osa_distance(&name.to_ascii_uppercase(), KEY) <= 2 {
            return Err((number, InvalidLine::Near(name.to_owned())));
        }
    }
    Ok(set)
}

/// Whether a variable of the environment can have this name.
fn is_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(word) && name.starts_with(|first: char| !first.is_ascii_digit())
}

/// A value without the quotation marks around it.
fn unquoted(value: &str) -> Option<&str> {
    let within = |mark| value.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
    let word = within('"').or_else(|| within('\'')).unwrap_or(value);
    (!word.contains(['"', '\'', '\\', '$', '`']) && !word.contains(char::is_whitespace)).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_what_lacks_one_is_completed() {
        assert_eq!(address("none"), Ok(None));
        assert_eq!(address("[::]:8006").unwrap().unwrap().to_string(), "[::]:8006");
        for (text, near) in [
            ("0.0.0.0", "0.0.0.0:8006"),
            ("::", "[::]:8006"),
            ("[::1]", "[::1]:8006"),
            ("8017", "[::]:8017"),
            (":8017", "[::]:8017"),
            ("*:443", "[::]:443"),
            ("localhost:8006", "127.0.0.1:8006"),
        ] {
            assert_eq!(address(text), Err(InvalidListen::Near(near.parse().unwrap())), "{text}");
        }
        for text in ["everywhere", "pve1:8006", "127.0.0.1:80060", "https://[::]:8006", "NONE"] {
            assert_eq!(address(text), Err(InvalidListen::Unknown), "{text}");
        }
        assert_eq!(address(""), Err(InvalidListen::Empty));
    }

    #[test]
    fn a_setting_is_read_as_systemd_reads_it() {
        for (text, set) in [
            ("", None),
            ("# LISTEN=none\n; more\n\nTZ=UTC\n", None),
            ("LISTEN=[::]:8006", Some("[::]:8006")),
            ("  LISTEN = \"[::]:8006\" \r\n", Some("[::]:8006")),
            ("LISTEN='none'\nLISTEN=127.0.0.1:1\n", Some("127.0.0.1:1")),
            ("LISTEN=", Some("")),
        ] {
            assert_eq!(setting(text), Ok(set.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn a_line_that_is_no_setting_is_not_passed_over() {
        for (text, line, why) in [
            ("#\nexport LISTEN=none\n", 2, "'export LISTEN=none' is no setting, as LISTEN=[::]:8006 is one"),
            ("LISTEN 0.0.0.0:8006", 1, "'LISTEN 0.0.0.0:8006' is no setting, as LISTEN=[::]:8006 is one"),
            ("=none", 1, "'=none' is no setting, as LISTEN=[::]:8006 is one"),
            ("LISTNE=none", 1, "there is no 'LISTNE'; 'LISTEN' may be meant"),
            ("listen=none", 1, "there is no 'listen'; 'LISTEN' may be meant"),
            ("LISTEN=\"none", 1, "the value \"none is not of one word, as in LISTEN=[::]:8006"),
            (
                "LISTEN=[::]:8006 # all",
                1,
                "the value [::]:8006 # all is not of one word, as in LISTEN=[::]:8006",
            ),
        ] {
            let (number, reason) = setting(text).unwrap_err();
            assert_eq!((number, reason.to_string().as_str()), (line, why), "{text}");
        }
    }
}
