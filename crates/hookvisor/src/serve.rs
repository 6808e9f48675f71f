//! `hookvisor serve`: the command that is the server.

use crate::cli::Command;
use crate::local::told;
use api::{Output, Params};
use config::schema::Property;
use model::{Layout, Stream};
use serde_json::Value;
use server::{Files, Options};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use store::ConfigStore;

static PARAMETERS: &[&[Property]] = &[&[
    Property::string("certificate").optional().requires("key").describe(
        "A file with the certificate and its chain in PEM; else that of the root, made at first use.",
    ),
    Property::string("key").optional().requires("certificate").describe("The file with its key in PEM."),
    Property::string("listen").default("127.0.0.1:8006").typetext("<address>:<port> | none").describe(
        "Where HTTPS is served; [::]:8006 is every address of the host, none is only the unix socket.",
    ),
    Property::string("socket")
        .optional()
        .describe("The path of the unix socket; else /run/hookvisor/api.sock in the root."),
]];

/// `hookvisor serve`
pub(crate) const SERVE: Command = Command::local(
    "serve",
    "Serves the REST API by HTTPS, and by a unix socket for the root's owner.",
    PARAMETERS,
    &[],
    serve,
)
.example("hookvisor serve --listen [::]:8006");

fn serve(layout: &Layout, params: &Params, out: &mut dyn Output) -> Result<Value, String> {
    let listen = params.text("listen").unwrap_or("127.0.0.1:8006");
    let listen: Option<SocketAddr> = match listen {
        "none" => None,
        address => Some(address.parse().map_err(|_| {
            format!(
                "--listen '{address}' is no address with a port, as 127.0.0.1:8006 or [::]:8006, nor none"
            )
        })?),
    };
    let path = |name| params.text(name).map(|path| absolute(Path::new(path)));
    let files = path("certificate").zip(path("key"));
    let options = Options {
        listen,
        socket: path("socket"),
        certificate: files.map(|(certificate, key)| Files { certificate, key }),
    };
    let store = ConfigStore::open(layout.clone()).map_err(|error| told(&error))?;
    let ready = |line: &str| out.write(Stream::Stdout, format!("{line}\n").as_bytes());
    server::serve(store, &options, ready).map_err(|error| told(&error))?;
    Ok(Value::Null)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
