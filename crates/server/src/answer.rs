//! Answers: the envelope, the error map and the message in the reason phrase (api.md 1.3, 1.4).

use crate::target::Format;
use access::Denied;
use api::ApiError;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http_body_util::Full;
use hyper::body::{Frame, SizeHint};
use hyper::ext::ReasonPhrase;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};
use std::convert::Infallible;
use std::io::Write;
use std::pin::Pin;
use std::task::Poll;
use std::time::SystemTime;
use tokio::sync::mpsc;

/// A body as hyper sends it.
pub(crate) enum Body {
    /// All of it.
    Whole(Full<Bytes>),
    /// Piece by piece, as they come.
    Pieces(mpsc::Receiver<Bytes>),
}

impl Body {
    /// One that is there.
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Full::new(bytes.into()))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(task),
            Self::Pieces(pieces) => pieces.poll_recv(task).map(|piece| Some(Ok(Frame::data(piece?)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Pieces(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}

/// An answer without an end: server-sent events (HTML Living Standard, 9.2).
pub(crate) fn stream(pieces: mpsc::Receiver<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::Pieces(pieces));
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::SERVER, SERVER);
    set(header::CACHE_CONTROL, "no-store");
    set(header::CONTENT_TYPE, "text/event-stream;charset=UTF-8");
    response
}

/// What Proxmox VE's server calls itself.
const SERVER: &str = "pve-api-daemon/3.0";

/// Bodies beyond this many bytes are compressed for those who take that.
const WORTH_COMPRESSING: usize = 1024;

/// Why a request was not carried out.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    /// The whole text; its first line is the reason phrase.
    pub(crate) message: String,
    /// What is wrong with which parameter.
    pub(crate) errors: Vec<(String, String)>,
    /// Whether the body stays empty, as that of a refusal before anything was looked at.
    pub(crate) bare: bool,
}

impl Failure {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: Vec::new(), bare: false }
    }

    /// Nobody who may come in.
    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self { bare: true, ..Self::new(401, message) }
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        let bare = denied.status() == 401;
        Self { bare, ..Self::new(denied.status(), denied.to_string()) }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let errors = match &error {
            ApiError::Parameters(errors) => errors.0.clone().into_iter().collect(),
            _ => Vec::new(),
        };
        let mut message = error.told();
        if !message.ends_with('\n') {
            message.push('\n');
        }
        Self { errors, ..Self::new(error.manner().status, message) }
    }
}

/// What a method gave.
#[derive(Debug, Default)]
pub(crate) struct Success {
    pub(crate) data: Value,
    /// What stands beside the data: `total`.
    pub(crate) beside: Map<String, Value>,
}

/// An answer without its headers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    reason: Option<String>,
    content_type: &'static str,
    body: Vec<u8>,
    encoding: Option<&'static str>,
}

impl Answer {
    pub(crate) fn new(result: Result<Success, Failure>, format: Format) -> Self {
        let mut object = Map::new();
        let (status, reason) = match result {
            Ok(success) => {
                object.insert("data".into(), success.data);
                object.extend(success.beside);
                (200, None)
            }
            Err(failure) if failure.bare => return Self::bare(&failure),
            Err(failure) => {
                object.insert("data".into(), Value::Null);
                if !failure.errors.is_empty() {
                    let errors = failure.errors.into_iter().map(|(name, text)| (name, Value::from(text)));
                    object.insert("errors".into(), Value::Object(errors.collect()));
                }
                object.insert("message".into(), Value::from(failure.message.as_str()));
                (failure.status, Some(failure.message))
            }
        };
        if format == Format::Json {
            return Self::json(status, reason, &Value::Object(object));
        }
        object.insert("success".into(), json!(u8::from(reason.is_none())));
        if reason.is_some() {
            object.insert("status".into(), json!(status));
        }
        let answer = Self::json(200, None, &Value::Object(object));
        match format {
            Format::Htmljs => Self {
                content_type: "text/html;charset=UTF-8",
                body: escape(&String::from_utf8_lossy(&answer.body)).into_bytes(),
                ..answer
            },
            _ => answer,
        }
    }

    fn json(status: u16, reason: Option<String>, value: &Value) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self { status, reason, content_type: "application/json;charset=UTF-8", body, encoding: None }
    }

    fn bare(failure: &Failure) -> Self {
        Self { reason: Some(failure.message.clone()), ..Self::empty(failure.status) }
    }

    fn empty(status: u16) -> Self {
        Self { status, reason: None, content_type: "", body: Vec::new(), encoding: None }
    }

    /// Compresses a long body for a client that takes it so.
    pub(crate) fn compressed(mut self, accepted: Encoding) -> Self {
        if self.body.len() <= WORTH_COMPRESSING {
            return self;
        }
        let packed = match accepted {
            Encoding::Plain => return self,
            Encoding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(&self.body).and_then(|()| encoder.finish())
            }
            Encoding::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(&self.body).and_then(|()| encoder.finish())
            }
        };
        if let Ok(packed) = packed {
            self.body = packed;
            self.encoding = Some(if accepted == Encoding::Gzip { "gzip" } else { "deflate" });
        }
        self
    }

    /// How many bytes its body has.
    pub(crate) fn length(&self) -> usize {
        self.body.len()
    }

    /// With its headers. What went wrong closes the connection.
    pub(crate) fn response(self) -> Response<Body> {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::new(Body::whole(self.body));
        *response.status_mut() = status;
        if let Some(phrase) = self.reason.as_deref().and_then(phrase) {
            response.extensions_mut().insert(phrase);
        }
        let headers = response.headers_mut();
        let now = httpdate::fmt_http_date(SystemTime::now());
        if let Ok(now) = HeaderValue::from_str(&now) {
            headers.insert(header::DATE, now.clone());
            headers.insert(header::EXPIRES, now);
        }
        let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
        set(header::SERVER, SERVER);
        set(header::CACHE_CONTROL, "max-age=0");
        set(header::PRAGMA, "no-cache");
        if !self.content_type.is_empty() {
            set(header::CONTENT_TYPE, self.content_type);
        }
        if let Some(encoding) = self.encoding {
            set(header::CONTENT_ENCODING, encoding);
        }
        if self.status >= 400 {
            set(header::CONNECTION, "close");
        }
        response
    }
}

/// The first line of a text as a reason phrase; none where nothing is left of it.
fn phrase(text: &str) -> Option<ReasonPhrase> {
    let line = text.trim_start().lines().next().unwrap_or_default().trim_end();
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    ReasonPhrase::try_from(line.into_bytes()).ok().filter(|phrase| !phrase.as_bytes().is_empty())
}

/// Text that a web page shows as it is.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// How a client takes long bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    Gzip,
    Deflate,
}

impl Encoding {
    /// The best of what is accepted; `q=0` says that something is not.
    pub(crate) fn accepted(headers: &HeaderMap) -> Self {
        let mut best = Self::Plain;
        for value in headers.get_all(header::ACCEPT_ENCODING) {
            for word in value.to_str().unwrap_or_default().split(',') {
                let (name, weight) = word.split_once(';').unwrap_or((word, ""));
                let weight = weight.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok());
                match name.trim().to_ascii_lowercase().as_str() {
                    _ if weight == Some(0.0) => {}
                    "gzip" | "x-gzip" => return Self::Gzip,
                    "deflate" => best = Self::Deflate,
                    _ => {}
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(answer: &Answer) -> String {
        String::from_utf8(answer.body.clone()).unwrap()
    }

    fn reason(answer: Answer) -> Option<String> {
        let response = answer.response();
        let phrase = response.extensions().get::<ReasonPhrase>()?;
        Some(String::from_utf8_lossy(phrase.as_bytes()).into_owned())
    }

    fn refused() -> Result<Success, Failure> {
        Err(ApiError::parameter("vmid", "type check ('integer') failed - got 'x'").into())
    }

    #[test]
    fn what_is_wrong_stands_in_the_reason_and_in_the_body() {
        let answer = Answer::new(refused(), Format::Json);
        let errors = r#""errors":{"vmid":"type check ('integer') failed - got 'x'"}"#;
        let want = format!(r#"{{"data":null,{errors},"message":"Parameter verification failed.\n"}}"#);
        assert_eq!((answer.status, text(&answer)), (400, want));
        assert_eq!(reason(answer).as_deref(), Some("Parameter verification failed."));
        let answer = Answer::new(Err(Failure::unauthorized("No ticket")), Format::Extjs);
        assert_eq!((answer.status, text(&answer).as_str()), (401, ""));
        assert_eq!(reason(answer).as_deref(), Some("No ticket"));
    }

    #[test]
    fn extjs_is_always_200_and_says_in_the_body_how_it_went() {
        let answer = Answer::new(refused(), Format::Extjs);
        assert_eq!(answer.status, 200);
        assert!(text(&answer).ends_with(r#""success":0,"status":400}"#), "{}", text(&answer));
        let beside = [("total".to_owned(), json!(3))].into_iter().collect();
        let success = Success { data: json!(["<b>"]), beside };
        let answer = Answer::new(Ok(success), Format::Htmljs);
        let want = "{&quot;data&quot;:[&quot;&lt;b&gt;&quot;],&quot;total&quot;:3,&quot;success&quot;:1}";
        assert_eq!(text(&answer), want);
    }

    #[test]
    fn only_the_first_line_is_the_reason_whatever_it_has() {
        for (message, want) in [
            ("storage 'x' does not exist\nmore\n", Some("storage 'x' does not exist")),
            ("tab\tand \u{1b}[1m\r\n", Some("tab and  [1m")),
            ("Größe", Some("Größe")),
            ("\n", None),
        ] {
            let answer = Answer::new(Err(Failure::new(500, message)), Format::Json);
            assert_eq!(reason(answer).as_deref(), want, "{message:?}");
        }
    }

    #[test]
    fn long_bodies_are_compressed_for_those_who_take_it() {
        let accepted = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(text));
            Encoding::accepted(&headers)
        };
        assert_eq!(accepted("deflate, GZIP;q=0.5"), Encoding::Gzip);
        assert_eq!(accepted("gzip;q=0, deflate"), Encoding::Deflate);
        assert_eq!(accepted("identity, br"), Encoding::Plain);
        let long = || Success { data: json!("x".repeat(5000)), ..Success::default() };
        let answer = Answer::new(Ok(long()), Format::Json);
        assert_eq!(answer.compressed(Encoding::Plain).length(), 5011);
        for encoding in [Encoding::Gzip, Encoding::Deflate] {
            assert!(Answer::new(Ok(long()), Format::Json).compressed(encoding).length() < 100);
        }
        let short = Answer::new(Ok(Success::default()), Format::Json).compressed(Encoding::Gzip);
        assert_eq!(text(&short), r#"{"data":null}"#);
    }
}
