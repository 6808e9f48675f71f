//! VMID, node name, run id and user id.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A text that is no valid id of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("value '{value}' does not look like a valid {what}")]
pub struct InvalidId {
    /// What was expected, in words for a user.
    pub what: &'static str,
    /// The text that was given.
    pub value: String,
}

impl InvalidId {
    fn new(what: &'static str, value: &str) -> Self {
        Self { what, value: value.to_owned() }
    }
}

/// The number of a guest, 100 to 999999999, unique over virtual machines and containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Vmid(u32);

impl Vmid {
    /// The number itself.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Vmid {
    type Error = InvalidId;

    fn try_from(number: u32) -> Result<Self, InvalidId> {
        if (100..=999_999_999).contains(&number) {
            Ok(Self(number))
        } else {
            Err(InvalidId::new("VM ID", &number.to_string()))
        }
    }
}

impl From<Vmid> for u32 {
    fn from(vmid: Vmid) -> u32 {
        vmid.0
    }
}

impl FromStr for Vmid {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let plain = (3..=9).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_digit())
            && !text.starts_with('0');
        if !plain {
            return Err(InvalidId::new("VM ID", text));
        }
        text.parse::<u32>().map_err(|_| InvalidId::new("VM ID", text)).and_then(Self::try_from)
    }
}

impl fmt::Display for Vmid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

text_id! {
    /// The name of a host: letters, digits and inner hyphens.
    NodeName
}

impl FromStr for NodeName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let bytes = text.as_bytes();
        let inner = bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-');
        let ends = bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric);
        if inner && ends && bytes.len() <= 63 {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId::new("node name", text))
        }
    }
}

text_id! {
    /// The id of a run, one life of a guest: 16 lower-case hexadecimal digits that sort by time.
    RunId
}

impl RunId {
    /// Makes the id of a run that begins `millis` milliseconds after the Unix epoch; `random` tells runs of
    /// the same millisecond apart.
    #[must_use]
    pub fn new(millis: u64, random: u32) -> Self {
        Self(format!("{:011x}{:05x}", millis & 0xfff_ffff_ffff, random & 0xf_ffff))
    }
}

impl RunId {
    /// When the run began, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn millis(&self) -> u64 {
        // Its parser and its maker see to it that these are digits.
        u64::from_str_radix(&self.0[..11], 16).unwrap_or(0)
    }
}

impl FromStr for RunId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hex { Ok(Self(text.to_owned())) } else { Err(InvalidId::new("run id", text)) }
    }
}

text_id! {
    /// Who asked: `user@realm`, or `user@realm!token`.
    UserId
}

impl UserId {
    /// The user that the command line acts as.
    #[must_use]
    pub fn root() -> Self {
        Self("root@pam".to_owned())
    }

    /// Who calls before anybody has logged in. No user can have this id: there is no such realm.
    #[must_use]
    pub fn nobody() -> Self {
        Self("nobody@none".to_owned())
    }

    /// The user with its realm, without a token.
    #[must_use]
    pub fn owner(&self) -> Self {
        match self.token() {
            Some(token) => Self(self.0[..self.0.len() - token.len() - 1].to_owned()),
            None => self.clone(),
        }
    }

    /// The user's name, without its realm.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(name, _)| name)
    }

    /// The realm.
    #[must_use]
    pub fn realm(&self) -> &str {
        let realm = self.0.rsplit_once('@').map_or("", |(_, realm)| realm);
        realm.split_once('!').map_or(realm, |(realm, _)| realm)
    }

    /// The name of the token; none where this is the user itself.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.0.rsplit_once('@')?.1.split_once('!').map(|(_, token)| token)
    }

    /// The id of one of this user's tokens.
    ///
    /// # Errors
    ///
    /// A name that no token can have.
    pub fn with_token(&self, token: &str) -> Result<Self, InvalidId> {
        format!("{}!{token}", self.owner()).parse()
    }
}

/// A letter, then at least one letter, digit, `.`, `-` or `_`: the name of a realm or of a token.
fn is_realm(text: &str) -> bool {
    text.len() >= 2
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
}

impl FromStr for UserId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId::new("user ID", text);
        let (name, realm) = text.rsplit_once('@').ok_or_else(invalid)?;
        let named = !name.is_empty()
            && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == ':' || c == '/');
        let (realm, token) =
            realm.split_once('!').map_or((realm, None), |(realm, token)| (realm, Some(token)));
        let in_realm = is_realm(realm) && token.is_none_or(is_realm);
        if named && in_realm { Ok(Self(text.to_owned())) } else { Err(invalid()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vmid_has_three_to_nine_digits_and_no_leading_zero() {
        for good in ["100", "999999999"] {
            assert_eq!(good.parse::<Vmid>().unwrap().to_string(), good);
        }
        for bad in ["", "99", "0100", "1000000000", "+100", "100 ", "1e3", "abc"] {
            assert!(bad.parse::<Vmid>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_node_name_is_one_dns_label() {
        assert!("pve-1".parse::<NodeName>().is_ok());
        for bad in ["", "-a", "a-", "a.b", "a b", "../x"] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn run_ids_sort_by_time() {
        let (early, late) = (RunId::new(1_795_374_719_000, 0xfffff), RunId::new(1_795_374_719_001, 0));
        assert!(early < late);
        assert_eq!(early.as_str().parse::<RunId>().unwrap(), early);
    }

    #[test]
    fn a_user_id_names_its_realm() {
        assert!("root@pam".parse::<UserId>().is_ok());
        assert!("a@b@pve!token".parse::<UserId>().is_ok());
        for bad in
            ["root", "@pam", "ro ot@pam", "root@", "a:b@pam", "a\0b@pam", "a@pam!", "a@pam!x!y", "a@pam!1x"]
        {
            assert!(bad.parse::<UserId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_user_id_comes_apart() {
        let token: UserId = "a@b@pve!ci".parse().unwrap();
        assert_eq!((token.name(), token.realm(), token.token()), ("a@b", "pve", Some("ci")));
        assert_eq!(token.owner().as_str(), "a@b@pve");
        assert_eq!(token.owner().with_token("ci"), Ok(token));
        assert_eq!((UserId::root().token(), UserId::root().owner()), (None, UserId::root()));
        assert!("nobody@none".parse::<UserId>().is_ok());
    }
}
