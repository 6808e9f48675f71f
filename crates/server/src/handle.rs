//! One request from its first line to its answer.

use crate::access_log::{AccessLog, Entry};
use crate::answer::{Answer, Body, Encoding, Failure};
use crate::credentials::Shown;
use crate::events::{Events, wants_stream};
use crate::parameters::{BodyForm, Parameters};
use crate::target::{Format, Target};
use crate::upload::{self, Uploads};
use crate::work::{Call, Work};
use access::Access;
use api::{ApiError, Authority, Permission, Verb};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

/// The longest body, in bytes (api.md 1.1).
const LONGEST_BODY: u64 = 512 << 10;

/// The longest body of somebody who has not logged in: a ticket and a password fit.
const LONGEST_BODY_OF_NOBODY: u64 = 16 << 10;

/// How long a body may take to come.
const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// How much of the body of a request that is refused is taken all the same, and for how long: a connection that is closed
/// with something unread takes the answer along.
const LEFT_BODY: usize = 1 << 20;
const LEFT_PATIENCE: Duration = Duration::from_secs(2);

/// How long somebody waits who may not come in: it makes guessing slow.
const PENALTY: Duration = Duration::from_secs(3);

/// What all bodies that are being read may be together, in KiB; short ones do not count.
const BODIES: usize = 64 << 10;

/// The room for bodies that are being read.
pub(crate) struct Bodies(Semaphore);

impl Bodies {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(BODIES))
    }

    /// Room for one, when there is some.
    async fn room_for(&self, length: u64) -> Result<Option<SemaphorePermit<'_>>, Failure> {
        if length <= LONGEST_BODY_OF_NOBODY {
            return Ok(None);
        }
        let kibibytes = u32::try_from(length.div_ceil(1024)).unwrap_or(u32::MAX);
        let busy = |_| Failure::new(503, "too many long requests come at the same time\n");
        let room = timeout(BODY_PATIENCE, self.0.acquire_many(kibibytes)).await.map_err(busy)?;
        Ok(room.ok())
    }
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Its address; none on the unix socket.
    pub(crate) address: Option<String>,
    /// Whether it is the root's owner, as a unix socket tells.
    pub(crate) owner: bool,
}

/// What requests are answered with.
pub(crate) struct Handler {
    pub(crate) access: Arc<Access>,
    pub(crate) work: Work,
    pub(crate) events: Events,
    pub(crate) uploads: Uploads,
    pub(crate) bodies: Bodies,
    pub(crate) log: AccessLog,
}

impl Handler {
    /// Answers a request, whatever it is, and notes it.
    pub(crate) async fn handle(&self, request: Request<Incoming>, peer: &Peer) -> Response<Body> {
        let (method, uri, version) = (request.method().clone(), request.uri().clone(), request.version());
        let mut user = None;
        let entry = |user: Option<String>, status, length| {
            self.log.add(&Entry {
                peer: peer.address.as_deref().unwrap_or("local"),
                user: user.as_deref(),
                method: method.as_str(),
                path: uri.path(),
                query: uri.query(),
                version,
                status,
                length,
            });
        };
        let answer = match Target::read(&method, uri.path()) {
            Err(message) => Answer::new(Err(Failure::new(501, message)), Format::Json),
            Ok(target) => {
                let format = target.format;
                let (head, mut body) = request.into_parts();
                match self.prepare(target, &head, &mut body, peer, &mut user).await {
                    Ok(call) if wants_stream(&call, &head.headers) => {
                        match self.events.open(self.work.store(), call, &head.headers).await {
                            Ok(response) => {
                                entry(user, 200, 0);
                                return response;
                            }
                            Err(failure) => Answer::new(Err(failure), format),
                        }
                    }
                    Ok(call) => self.work.carry_out(call).await,
                    Err(failure) => {
                        let _ = timeout(LEFT_PATIENCE, Limited::new(body, LEFT_BODY).collect()).await;
                        Answer::new(Err(failure), format)
                    }
                }
            }
        };
        if answer.status == 401 {
            sleep(PENALTY).await;
        }
        entry(user, answer.status, answer.length());
        answer.response()
    }

    /// Sees who calls, before any of the body is read, and reads what for.
    async fn prepare(
        &self,
        target: Target,
        head: &Parts,
        body: &mut Incoming,
        peer: &Peer,
        user: &mut Option<String>,
    ) -> Result<Call, Failure> {
        let changes = matches!(target.verb, Verb::Post | Verb::Put);
        let length =
            head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if head.headers.contains_key(TRANSFER_ENCODING) {
            return Err(Failure::new(501, "chunked transfer encoding not supported"));
        }
        if !changes && length.is_some_and(|length| length > 0) {
            return Err(Failure::new(501, format!("Unexpected content for method '{}'", target.verb)));
        }
        let (authority, shown) = self.authority(&target, &head.headers, peer).await?;
        if !matches!(authority, Authority::Nobody) {
            *user = Some(authority.user().to_string());
        }
        let longest =
            if matches!(authority, Authority::Nobody) { LONGEST_BODY_OF_NOBODY } else { LONGEST_BODY };
        let content_type = head.headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
        let boundary = upload::boundary(content_type).filter(|_| is_upload(&target));
        if boundary.is_none() && length.is_some_and(|length| length > longest) {
            return Err(Failure::new(501, "for data too large"));
        }
        let query = Parameters::form(head.uri.query().unwrap_or_default().as_bytes())?;
        let mut received = None;
        let parameters = if let Some(boundary) = boundary {
            self.work.permits(&target, &authority).await?;
            let form = self.uploads.receive(body, boundary, self.work.layout()).await?;
            received = form.1;
            form.0.overridden_by(no_file_of_ones_own(&target, query)?)
        } else if changes && length.is_some_and(|length| length > 0) {
            let form = BodyForm::of(content_type).map_err(|text| Failure::new(506, text))?;
            let _room = self.bodies.room_for(length.unwrap_or(0)).await?;
            let bytes = read(body, longest).await?;
            let body = match form {
                BodyForm::Form => Parameters::form(&bytes)?,
                BodyForm::Json => Parameters::json(&bytes)?,
            };
            no_file_of_ones_own(&target, body.overridden_by(query))?
        } else {
            no_file_of_ones_own(&target, query)?
        };
        if let Some(shown) = shown.clone().filter(|_| is_upload(&target) && parameters.has("mode")) {
            // Any page that a browser shows may send a form, but not a file that is to be run.
            let access = self.access.clone();
            let looked = spawn_blocking(move || shown.authority(&access, true)).await;
            looked.unwrap_or_else(|_| Err(Failure::new(500, "internal error\n")))?;
        }
        let encoding = Encoding::accepted(&head.headers);
        let given = parameters.given();
        Ok(Call { target, given, authority, shown, peer: peer.address.clone(), encoding, received })
    }

    /// What the caller may do, and what it showed for it. Files may have to be read for it, so a thread does it.
    async fn authority(
        &self,
        target: &Target,
        headers: &hyper::HeaderMap,
        peer: &Peer,
    ) -> Result<(Authority, Option<Shown>), Failure> {
        let shown = Shown::by(headers);
        if peer.owner && shown == Shown::Nothing {
            return Ok((Authority::Owner, None));
        }
        let open =
            api::find(target.verb, &target.path).is_some_and(|found| is_open(&found.method.permission));
        // Who asks for a ticket may show one that is no longer good; a token is told that it is of no use there.
        if open && !matches!(shown, Shown::Token(_)) {
            return Ok((Authority::Nobody, None));
        }
        let changes = target.verb != Verb::Get && !is_upload(target);
        let (access, from) = (self.access.clone(), peer.address.clone());
        let looked = spawn_blocking(move || match (shown.authority(&access, changes), &shown) {
            (Ok(authority), _) => Ok((authority, Some(shown))),
            (Err(failure), Shown::Token(value)) if failure.status == 401 => {
                let id = value.rsplit_once('=').map_or("", |(id, _)| id);
                access.record_failure(from.as_deref(), id, "no such API token, or another secret");
                Err(failure)
            }
            (Err(failure), _) => Err(failure),
        })
        .await;
        looked.unwrap_or_else(|_| Err(Failure::new(500, "internal error\n")))
    }
}

fn is_open(permission: &Permission) -> bool {
    match permission {
        Permission::World => true,
        Permission::Ticket(then) => is_open(then),
        _ => false,
    }
}

/// Browsers send uploads by a form, which has no such header.
fn is_upload(target: &Target) -> bool {
    target.verb == Verb::Post && target.path.starts_with("/nodes/") && target.path.ends_with("/upload")
}

/// Where an uploaded file lies is the server's to say: a caller could name what another one sends.
fn no_file_of_ones_own(target: &Target, parameters: Parameters) -> Result<Parameters, Failure> {
    if is_upload(target) && parameters.has("tmpfilename") {
        let text = "a file is sent as a part of the form, multipart/form-data";
        return Err(ApiError::parameter("tmpfilename", text).into());
    }
    Ok(parameters)
}

async fn read(body: &mut Incoming, longest: u64) -> Result<Bytes, Failure> {
    let limited = Limited::new(body, usize::try_from(longest).unwrap_or(usize::MAX));
    match timeout(BODY_PATIENCE, limited.collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(Failure::new(400, "the body could not be read")),
        Err(_) => Err(Failure::new(408, "the body took too long")),
    }
}
