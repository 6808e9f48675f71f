//! Connections: TLS or plain, HTTP/1.1, and an end when the server ends.

use crate::answer::Body;
use crate::certificate::Certificates;
use crate::handle::{Handler, Peer};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HOST, HeaderValue, LOCATION};
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// How long a client may take for the first byte and the handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a client may take for the head of a request, and how long a connection may rest between two.
const HEAD: Duration = Duration::from_secs(15);

/// How long a client may take nothing of what is sent to it, in milliseconds; the kernel sees to it.
const STUCK: u32 = 30_000;

/// The head of a request has no more lines and no more bytes (api.md 1.1).
const HEAD_LINES: usize = 64;
const HEAD_BYTES: usize = 8 << 10;

/// The first byte of a handshake of TLS, RFC 8446, 5.1.
const TLS_HANDSHAKE: u8 = 22;

/// What connections share.
#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) handler: Arc<Handler>,
    /// True once the server ends.
    pub(crate) closing: watch::Receiver<bool>,
}

impl Connections {
    /// Serves a connection to its end. Whatever is wrong with it is the client's own affair.
    pub(crate) async fn tcp(
        self,
        stream: TcpStream,
        address: SocketAddr,
        certificates: Arc<Certificates>,
        _place: OwnedSemaphorePermit,
    ) {
        let _ = stream.set_nodelay(true);
        let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, STUCK);
        let mut first = [0];
        match timeout(HANDSHAKE, stream.peek(&mut first)).await {
            Ok(Ok(1)) => {}
            _ => return,
        }
        if first[0] != TLS_HANDSHAKE {
            return self.http(stream, service_fn(|request| async move { Ok(redirect(&request)) })).await;
        }
        let config = certificates.current(crate::serve::complain);
        if let Ok(Ok(stream)) = timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream)).await {
            let peer = Peer { address: Some(address.ip().to_string()), owner: false };
            self.serve(stream, peer).await;
        }
    }

    /// Serves a connection on the unix socket.
    pub(crate) async fn unix(self, stream: UnixStream, owner: u32, _place: OwnedSemaphorePermit) {
        let peer = stream.peer_cred().map(|peer| peer.uid());
        let owner = peer.is_ok_and(|uid| uid == 0 || uid == owner);
        self.serve(stream, Peer { address: None, owner }).await;
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin, peer: Peer) {
        let handler = self.handler.clone();
        let service = service_fn(|request| {
            let (handler, peer) = (&handler, &peer);
            async move { Ok(handler.handle(request, peer).await) }
        });
        self.http(stream, service).await;
    }

    async fn http<S>(self, stream: impl AsyncRead + AsyncWrite + Unpin, service: S)
    where
        S: HttpService<Incoming, ResBody = Body, Error = Infallible>,
    {
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD).title_case_headers(true);
        builder.max_headers(HEAD_LINES).max_buf_size(HEAD_BYTES);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut closing = self.closing.clone();
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = closing.wait_for(|closing| *closing) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}

/// Who speaks plain HTTP is sent to HTTPS.
fn redirect(request: &Request<Incoming>) -> Response<Body> {
    let mut response = Response::new(Body::whole(""));
    let look = matches!(*request.method(), Method::GET | Method::HEAD);
    let status = if look { StatusCode::MOVED_PERMANENTLY } else { StatusCode::PERMANENT_REDIRECT };
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let target = host.map(|host| HeaderValue::from_str(&format!("https://{host}{path}")));
    match target {
        Some(Ok(target)) => {
            *response.status_mut() = status;
            response.headers_mut().insert(LOCATION, target);
        }
        _ => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
