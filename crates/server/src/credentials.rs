//! Who calls: by the connection, a ticket or a token (api.md 2.1, 2.2).

use crate::answer::Failure;
use crate::target::percent_decode;
use access::Access;
use api::{ApiError, Authority};
use hyper::header::{AUTHORIZATION, COOKIE, HeaderMap};

/// The cookie of a ticket, and its name in a header of its own.
const TICKET: &str = "PVEAuthCookie";
/// The name of a token in its header.
const TOKEN: &str = "PVEAPIToken";
/// The header that guards against requests that a foreign web page makes.
const CSRF: &str = "CSRFPreventionToken";

/// What a caller shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    /// A ticket, with the token against forged requests where there is one.
    Ticket(String, Option<String>),
    /// An API token with its secret.
    Token(String),
    Nothing,
}

impl Shown {
    /// Looks at the headers in Proxmox VE's order: cookie, then ticket, then token.
    pub(crate) fn by(headers: &HeaderMap) -> Self {
        let csrf = || headers.get(CSRF).and_then(|value| Some(value.to_str().ok()?.to_owned()));
        if let Some(ticket) = cookie(headers) {
            return Self::Ticket(ticket, csrf());
        }
        let text = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if let Some(ticket) = value_of(text, TICKET) {
            return Self::Ticket(ticket, csrf());
        }
        value_of(text, TOKEN).map_or(Self::Nothing, Self::Token)
    }

    /// What that lets a caller do. `changes` asks for the token against forged requests.
    ///
    /// # Errors
    /// 401, with what is wrong.
    pub(crate) fn authority(&self, access: &Access, changes: bool) -> Result<Authority, Failure> {
        let user = match self {
            Self::Nothing => return Err(Failure::unauthorized("No ticket")),
            Self::Token(value) => access.user_of_token(value)?,
            Self::Ticket(ticket, csrf) => {
                let user = access.user_of_ticket(ticket)?;
                if changes {
                    access.check_csrf(&user, csrf.as_deref().unwrap_or_default())?;
                }
                user
            }
        };
        let rights = access.rights().map_err(ApiError::from)?;
        Ok(Authority::User(user, rights))
    }
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    pairs.find_map(|pair| {
        percent_decode(pair.trim().strip_prefix(TICKET)?.trim_start().strip_prefix('=')?.trim())
    })
}

/// `NAME=value` or `NAME value`, up to a `;`.
fn value_of(text: &str, name: &str) -> Option<String> {
    let rest = text.trim_start().strip_prefix(name)?.strip_prefix(['=', ' '])?;
    percent_decode(rest.split(';').next()?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn shown(pairs: &[(&'static str, &'static str)]) -> Shown {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        Shown::by(&headers)
    }

    #[test]
    fn a_ticket_comes_in_a_cookie_or_a_header_and_a_token_in_a_header() {
        let ticket =
            |csrf: Option<&str>| Shown::Ticket("PVE:root@pam:65::a+b/c=".to_owned(), csrf.map(str::to_owned));
        for (headers, want) in [
            (
                &[("cookie", "x=1; PVEAuthCookie=PVE%3Aroot%40pam%3A65%3A%3Aa%2Bb%2Fc%3D; y=2")][..],
                ticket(None),
            ),
            (
                &[("cookie", "PVEAuthCookie=PVE:root@pam:65::a+b/c="), ("csrfpreventiontoken", "65:x")][..],
                ticket(Some("65:x")),
            ),
            (&[("authorization", "PVEAuthCookie=PVE:root@pam:65::a+b/c=")][..], ticket(None)),
            (
                &[("authorization", "PVEAPIToken=root@pam!t=0-1; x")][..],
                Shown::Token("root@pam!t=0-1".into()),
            ),
            (&[("authorization", "PVEAPIToken root@pam!t=0-1")][..], Shown::Token("root@pam!t=0-1".into())),
            (&[("authorization", "Bearer x"), ("cookie", "PVEAuthCookies=1")][..], Shown::Nothing),
        ] {
            assert_eq!(shown(headers), want, "{headers:?}");
        }
    }
}
