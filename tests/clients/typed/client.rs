//! How the crate `proxmox-api` reaches the server: its requests are sent as its own client sends them, by a form.

use e2e::Server;
use e2e::https::{Https, Sent};
use proxmox_api::client::{Client, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Why there is no answer of the type that the crate has for it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server refused.
    Refused { status: u16, message: String },
    /// The answer is none of the crate's type.
    Untyped { what: String, error: serde_json::Error, answer: String },
}

/// Somebody who has logged in.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    https: Rc<RefCell<Https>>,
    credentials: Vec<(String, String)>,
    called: Rc<RefCell<BTreeSet<String>>>,
}

impl Caller {
    /// Nobody yet.
    pub(crate) fn nobody(server: &Server<'_>) -> Self {
        Self {
            https: Rc::new(RefCell::new(Https::new(server))),
            credentials: Vec::new(),
            called: Rc::default(),
        }
    }

    /// With headers that say who.
    pub(crate) fn with(&self, credentials: Vec<(String, String)>) -> Self {
        Self { credentials, ..self.clone() }
    }

    /// With a ticket, which is had for the password.
    pub(crate) fn logged_in(&self, user: &str, password: &str) -> Self {
        use proxmox_api::access::AccessClient;
        let params = params(json!({ "username": user, "password": password }));
        let session = now(AccessClient::new(self.clone()).ticket().post(params)).expect("a ticket");
        assert_eq!(session.username, user);
        let ticket = session.ticket.expect("a ticket").replace('%', "%25").replace('+', "%2B");
        let csrf = session.csrfpreventiontoken.expect("a token");
        let cookie = format!("PVEAuthCookie={}", ticket.replace('=', "%3D"));
        self.with(vec![("Cookie".to_owned(), cookie), ("CSRFPreventionToken".to_owned(), csrf)])
    }

    /// Sends a file in a form, for which the crate has no call.
    pub(crate) fn upload(&self, path: &str, fields: &[(&str, &str)], name: &str, file: &str) -> String {
        let mut form = String::new();
        for (field, value) in fields {
            form.push_str(&format!(
                "--b\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
            ));
        }
        form.push_str(&format!(
            "--b\r\nContent-Disposition: form-data; name=\"filename\"; filename=\"{name}\"\r\n\r\n{file}\r\n--b--\r\n"
        ));
        let sent = Sent { kind: "multipart/form-data; boundary=b", bytes: form.as_bytes() };
        self.send("POST", path, Some(sent)).expect("the upload begins")
    }

    /// The calls so far that were answered well: `GET /version`.
    pub(crate) fn called(&self) -> BTreeSet<String> {
        self.called.borrow().clone()
    }

    fn send<R: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<Sent<'_>>,
    ) -> Result<R, Failure> {
        let reply = self.https.borrow_mut().call(method, path, &self.credentials, body);
        let answer = String::from_utf8_lossy(&reply.body).into_owned();
        let mut object: Value = serde_json::from_str(&answer).unwrap_or_default();
        if reply.status != 200 {
            let message = object["message"].as_str().unwrap_or(&reply.reason).trim_end().to_owned();
            assert!(message.starts_with(&reply.reason), "{}: {answer}", reply.reason);
            return Err(Failure::Refused { status: reply.status, message });
        }
        let bare = path.split('?').next().unwrap_or_default();
        self.called.borrow_mut().insert(format!("{method} {bare}"));
        // From the text: numbers that a text of JSON tells from others are told here, too.
        let data = object["data"].take().to_string();
        serde_json::from_str(&data).map_err(|error| Failure::Untyped {
            what: format!("{method} {path}"),
            error,
            answer,
        })
    }
}

impl Client for Caller {
    type Error = Failure;

    async fn request_with_body_and_query<B, Q, R>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
        query: Option<&Q>,
    ) -> Result<R, Failure>
    where
        B: Serialize,
        Q: Serialize,
        R: DeserializeOwned,
    {
        let query = query.map(form).filter(|text| !text.is_empty());
        let path = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        let body = body.map(form);
        // Without a Content-Type, as theirs.
        let sent = body.as_ref().map(|text| Sent { kind: "", bytes: text.as_bytes() });
        self.send(&method.to_string(), &path, sent)
    }
}

/// A struct of the crate's as a form.
fn form<T: Serialize>(fields: &T) -> String {
    let fields = serde_json::to_value(fields).expect("fields");
    let pairs = fields.as_object().into_iter().flatten().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{}={}", escaped(name), escaped(&text))
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let escape = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(escape).collect()
}

/// Parameters of the crate's from their names.
pub(crate) fn params<T: DeserializeOwned>(fields: Value) -> T {
    serde_json::from_str(&fields.to_string()).expect("parameters of the crate's type")
}

/// What a call comes to; the client waits for each answer, so no call is ever pending.
pub(crate) fn now<T>(call: impl Future<Output = T>) -> T {
    match std::pin::pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => unreachable!("the client waits for each answer"),
    }
}
