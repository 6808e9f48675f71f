use crate::keys::TicketKey;
use crate::{Denied, Rights, csrf, keys, ticket};
use base64ct::{Base64, Encoding};
use config::secrets::{Form, Secrets};
use model::{Layout, UserId};
use std::path::PathBuf;
use std::sync::Arc;
use store::{Cached, StoreError};
use subtle::ConstantTimeEq;

/// The users, keys and secrets of a root. Files are read when they are first needed, and again when they are other ones.
#[derive(Debug)]
pub struct Access {
    pub(crate) layout: Layout,
    pub(crate) helper: PathBuf,
    rights: Cached<Rights>,
    tokens: Cached<Secrets>,
    shadow: Cached<Secrets>,
    ticket_key: Cached<Option<TicketKey>>,
    csrf_key: Cached<ring::hmac::Key>,
}

impl Access {
    /// Those of a root. Nothing is read yet. Passwords of the realm `pam` are checked by the program that runs,
    /// called with `pam-helper`.
    #[must_use]
    pub fn open(layout: &Layout) -> Self {
        Self {
            layout: layout.clone(),
            helper: "/proc/self/exe".into(),
            rights: Cached::default(),
            tokens: Cached::default(),
            shadow: Cached::default(),
            ticket_key: Cached::default(),
            csrf_key: Cached::default(),
        }
    }

    /// Has passwords of the realm `pam` checked by another program.
    #[must_use]
    pub fn with_helper(self, helper: impl Into<PathBuf>) -> Self {
        Self { helper: helper.into(), ..self }
    }

    /// What everybody may do.
    ///
    /// # Errors
    /// `user.cfg` cannot be read.
    pub fn rights(&self) -> Result<Arc<Rights>, StoreError> {
        let path = self.layout.user_cfg();
        self.rights
            .get(&path, |raw| Ok(Rights::new(config::user_cfg::parse(&raw.unwrap_or_default()).0)))
            .map_err(|source: std::io::Error| StoreError::Io { action: "read", path, source })
    }

    /// Who holds a ticket.
    ///
    /// # Errors
    /// [`Denied::Ticket`], and [`Denied::Authentication`] for a user who may no longer log in.
    pub fn user_of_ticket(&self, ticket: &str) -> Result<UserId, Denied> {
        let parts = ticket::parse(ticket).ok_or(Denied::Ticket)?;
        let signature = Base64::decode_vec(parts.signature).map_err(|_| Denied::Ticket)?;
        if !ticket::is_valid(parts.time, ticket::now()) {
            return Err(Denied::Ticket);
        }
        let key = self.ticket_key()?;
        let signed = key.as_ref().as_ref().is_some_and(|key| key.has_signed(parts.text, &signature));
        if !signed && !keys::old_has_signed(&self.layout, parts.text, &signature) {
            return Err(Denied::Ticket);
        }
        self.check_user(&parts.user)?;
        Ok(parts.user)
    }

    /// Checks the token against forged requests that came with a ticket.
    ///
    /// # Errors
    /// [`Denied::Csrf`].
    pub fn check_csrf(&self, user: &UserId, token: &str) -> Result<(), Denied> {
        let key = self.csrf_key()?;
        if csrf::is_good(&key, user, token, ticket::now()) { Ok(()) } else { Err(Denied::Csrf) }
    }

    /// Who an API token is: `user@realm!token=secret`.
    ///
    /// # Errors
    /// [`Denied::Authentication`].
    pub fn user_of_token(&self, value: &str) -> Result<UserId, Denied> {
        let (id, secret) = value.rsplit_once('=').ok_or(Denied::Authentication)?;
        let id: UserId = id.parse().map_err(|_| Denied::Authentication)?;
        let rights = self.rights()?;
        let token = rights.cfg().token(&id).ok_or(Denied::Authentication)?;
        let secrets = self.secrets(Form::Tokens)?;
        let known = secrets.all.get(id.as_str()).ok_or(Denied::Authentication)?;
        let same = bool::from(known.as_bytes().ct_eq(secret.as_bytes()));
        if !same || is_over(token.expire) {
            return Err(Denied::Authentication);
        }
        self.check_user(&id.owner())?;
        Ok(id)
    }

    /// A user who is there, enabled, and not expired.
    pub(crate) fn check_user(&self, user: &UserId) -> Result<(), Denied> {
        match self.rights()?.cfg().users.get(user) {
            Some(found) if found.enable && (!is_over(found.expire) || *user == UserId::root()) => Ok(()),
            _ => Err(Denied::Authentication),
        }
    }

    pub(crate) fn secrets(&self, form: Form) -> Result<Arc<Secrets>, Denied> {
        let path = store::secrets_path(&self.layout, form);
        let cached = match form {
            Form::Shadow => &self.shadow,
            Form::Tokens => &self.tokens,
        };
        cached
            .get(&path, |raw| Ok(Secrets::parse(form, &raw.unwrap_or_default())))
            .map_err(|source: std::io::Error| keys::unreadable("read", &path, &source))
    }

    /// The key of tickets as it is; none where there is none yet.
    pub(crate) fn ticket_key(&self) -> Result<Arc<Option<TicketKey>>, Denied> {
        let path = self.layout.ticket_key();
        let make = |raw: Option<Vec<u8>>| {
            let Some(raw) = raw else { return Ok(None) };
            let bad = || std::io::Error::other("it holds no key that can sign: remove it to have one made");
            TicketKey::parse(&String::from_utf8_lossy(&raw)).map(Some).ok_or_else(bad)
        };
        let found = self.ticket_key.get(&path, make);
        found.map_err(|source: std::io::Error| keys::unreadable("use", &path, &source))
    }

    pub(crate) fn csrf_key(&self) -> Result<Arc<ring::hmac::Key>, Denied> {
        csrf::ensure(&self.layout)?;
        let path = self.layout.csrf_key();
        let found = self.csrf_key.get(&path, |raw| match raw {
            Some(raw) if !raw.is_empty() => Ok(csrf::key(&raw)),
            _ => Err(std::io::Error::other("it is empty")),
        });
        found.map_err(|source: std::io::Error| keys::unreadable("use", &path, &source))
    }
}

/// Whether a time, in seconds since the Unix epoch, is over; 0 never is.
fn is_over(expire: u64) -> bool {
    expire != 0 && expire <= ticket::now()
}
