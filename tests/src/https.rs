//! HTTP/1.1 by TLS on a connection that is kept: what measures the server, or speaks for a client's types, sends its
//! requests with this.

use crate::Server;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

type Stream = BufReader<StreamOwned<ClientConnection, TcpStream>>;

/// A client of a server, which trusts the server's certificate alone.
#[derive(Debug)]
pub struct Https {
    config: Arc<ClientConfig>,
    address: String,
    stream: Option<Stream>,
}

/// A body with its type.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// The `Content-Type`.
    pub kind: &'a str,
    /// What is sent.
    pub bytes: &'a [u8],
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// What stands beside it.
    pub reason: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Https {
    /// A client that has not connected yet.
    ///
    /// # Panics
    /// If the server's certificate cannot be read.
    #[must_use]
    pub fn new(server: &Server<'_>) -> Self {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(server.certificate()).expect("a certificate");
        roots.add(certificate).expect("a certificate that can be trusted");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { config: Arc::new(config), address: server.address.clone(), stream: None }
    }

    fn connect(&self) -> Stream {
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let connection = ClientConnection::new(self.config.clone(), name).expect("a connection");
        let stream = TcpStream::connect(&self.address).expect("the server takes connections");
        stream.set_nodelay(true).expect("an option");
        BufReader::new(StreamOwned::new(connection, stream))
    }

    /// Sends a request and waits for the whole answer. `path` begins behind the format: `/version`.
    ///
    /// # Panics
    /// If there is no answer, or none of HTTP.
    pub fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: Option<Sent<'_>>,
    ) -> Reply {
        let mut stream = self.stream.take().unwrap_or_else(|| self.connect());
        let mut request = format!("{method} /api2/json{path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(Sent { kind, bytes }) = body {
            request.push_str(&format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", bytes.len()));
        }
        request.push_str("\r\n");
        let bytes = [request.as_bytes(), body.map_or(&[][..], |body| body.bytes)].concat();
        stream.get_mut().write_all(&bytes).expect("a request can be sent");
        let (reply, is_last) = read(&mut stream);
        if !is_last {
            self.stream = Some(stream);
        }
        reply
    }
}

/// Reads an answer, and whether it is the last one on its connection.
fn read(stream: &mut Stream) -> (Reply, bool) {
    let mut line = String::new();
    stream.read_line(&mut line).expect("an answer");
    let mut words = line.trim_end().splitn(3, ' ').skip(1);
    let status = words.next().and_then(|word| word.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no answer of HTTP: {line:?}"));
    let reason = words.next().unwrap_or_default().to_owned();
    let (mut length, mut is_last) = (0, false);
    loop {
        line.clear();
        stream.read_line(&mut line).expect("a head");
        let header = line.trim_end().to_ascii_lowercase();
        match header.split_once(": ") {
            Some(("content-length", number)) => length = number.parse().expect("a length"),
            Some(("connection", "close")) => is_last = true,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    (Reply { status, reason, body }, is_last)
}
