//! Log-in by password, or by a ticket that is still valid.

use crate::{Access, Denied, csrf, keys, pam, password, ticket};
use base64ct::{Base64, Encoding};
use config::secrets::Form;
use model::UserId;
use record::Journal;
use record::journal::{Entry, Priority};
use std::time::Duration;

/// Somebody who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub user: UserId,
    /// What shows it for two hours.
    pub ticket: String,
    /// What has to come along with requests that change something.
    pub csrf: String,
}

impl Access {
    /// Logs somebody in who names a user, with its realm or beside it, and knows the password, or has a ticket of the user or of
    /// root. A failure is recorded; see [`Denied::delay`].
    ///
    /// # Errors
    /// [`Denied::LogIn`], whatever was wrong; [`Denied::Unreadable`] where it cannot be found out.
    pub fn log_in(&self, name: &str, realm: Option<&str>, password: &str) -> Result<Session, Denied> {
        self.log_in_from(None, name, realm, password)
    }

    /// As [`Access::log_in`], with the address that it comes from for the record.
    ///
    /// # Errors
    /// Those of [`Access::log_in`].
    pub fn log_in_from(
        &self,
        from: Option<&str>,
        name: &str,
        realm: Option<&str>,
        password: &str,
    ) -> Result<Session, Denied> {
        let full = match realm {
            Some(realm) if !name.ends_with(&format!("@{realm}")) => format!("{name}@{realm}"),
            _ => name.to_owned(),
        };
        let failed = |reason: &str| {
            self.record_failure(from, &full, reason);
            Denied::LogIn
        };
        let user = full.parse::<UserId>().ok().filter(|user| user.token().is_none());
        let user = user.ok_or_else(|| failed("no such user"))?;
        match self.check_password(&user, password)? {
            Ok(()) => self.session(user),
            Err(reason) => Err(failed(&reason)),
        }
    }

    /// Whether a password, or a ticket in its place, is a user's; else the reason, which is for the record alone.
    fn check_password(&self, user: &UserId, password: &str) -> Result<Result<(), String>, Denied> {
        if password.starts_with("PVE:")
            && let Ok(holder) = self.user_of_ticket(password)
        {
            let mine = holder == *user || holder == UserId::root();
            let known = self.check_user(user).map_err(|_| "user is disabled or not there".to_owned());
            return Ok(if mine { known } else { Err("ticket of another user".to_owned()) });
        }
        let known = self.check_user(user);
        if let Err(Denied::Unreadable(text)) = known {
            return Err(Denied::Unreadable(text));
        }
        let checked = match user.realm() {
            "pve" => {
                let shadow = self.secrets(Form::Shadow)?;
                let good = password::matches(password, shadow.all.get(user.name()).map(String::as_str));
                if good { Ok(()) } else { Err("wrong password".to_owned()) }
            }
            // A user that is not ours must not be tried at the host.
            "pam" if known.is_ok() => pam::check(&self.helper, user.name(), password),
            "pam" => Err(String::new()),
            realm => Err(format!("realm '{realm}' is not supported")),
        };
        Ok(match (known, checked) {
            (Err(_), _) => Err("user is disabled or not there".to_owned()),
            (Ok(()), Ok(())) if self.needs_second_factor(user)? => {
                Err("the user has a second factor, which is not supported".to_owned())
            }
            (Ok(()), checked) => checked,
        })
    }

    /// Whether a password alone is not enough: the second factors of a root that comes from Proxmox VE must not be lost.
    fn needs_second_factor(&self, user: &UserId) -> Result<bool, Denied> {
        let keys = self.rights()?.cfg().users.get(user).is_some_and(|user| !user.keys.is_empty());
        let read = |path: &std::path::Path| match std::fs::read(path) {
            Ok(raw) => Ok(raw),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(keys::unreadable("read", path, &source)),
        };
        let factors = read(&self.layout.tfa_cfg())?;
        let named = String::from_utf8_lossy(&factors).contains(&format!("\"{user}\""));
        let realms = config::domains_cfg::parse(&read(&self.layout.domains_cfg())?);
        let realm =
            realms.iter().any(|realm| realm.name == user.realm() && realm.options.contains_key("tfa"));
        Ok(keys || named || realm)
    }

    fn session(&self, user: UserId) -> Result<Session, Denied> {
        keys::renew(&self.layout)?;
        let time = ticket::now();
        let text = ticket::text(&user, time);
        let key = self.ticket_key()?;
        let signature = key.as_ref().as_ref().and_then(|key| key.sign(&text));
        let signature = signature.ok_or_else(|| Denied::Unreadable("the key cannot sign".to_owned()))?;
        let ticket = format!("{text}::{}", Base64::encode_string(&signature));
        let csrf = csrf::make(&*self.csrf_key()?, &user, time);
        Ok(Session { user, ticket, csrf })
    }

    /// Records who was not let in, in the words that programs look for which keep guessers away.
    pub fn record_failure(&self, from: Option<&str>, user: &str, reason: &str) {
        let (from, user) = (from.unwrap_or("local"), user.escape_debug());
        let line = format!("authentication failure; rhost={from} user={user} msg={reason}");
        let mut journal =
            Journal::open(&self.layout).unwrap_or_else(|_| Journal::fallback_only(&self.layout));
        journal.send(Entry::new(Priority::Notice, "pvedaemon", line));
        journal.close(Duration::from_millis(200));
    }
}
