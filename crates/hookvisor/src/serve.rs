//! `hookvisor serve`: the command that is the server.

use crate::cli::Command;
use crate::local::told;
use crate::run::Failure;
use api::{Output, Params};
use config::listen::{address, setting};
use config::schema::Property;
use model::{Layout, Stream};
use serde_json::Value;
use server::{Files, Options, ServeError};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use store::ConfigStore;

/// What brings a server back whose settings have been put right.
const RESTART: &str = "with that put right 'systemctl restart hookvisor' serves again";

static PARAMETERS: &[&[Property]] = &[&[
    Property::string("certificate").optional().requires("key").describe(
        "A file with the certificate and its chain in PEM; else that of the root, made at first use.",
    ),
    Property::string("key").optional().requires("certificate").describe("The file with its key in PEM."),
    Property::string("listen").default("127.0.0.1:8006").typetext("<address>:<port> | none").describe(
        "Where HTTPS is served; [::]:8006 is every address of the host, none is only the unix socket.",
    ),
    Property::string("settings").optional().typetext("<file>").describe(
        "A file that is read where it is there; LISTEN=<address>:<port> in it goes before --listen.",
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

fn serve(layout: &Layout, params: &Params, out: &mut dyn Output) -> Result<Value, Failure> {
    let path = |name| params.text(name).map(|path| absolute(Path::new(path)));
    let listen = Listen::read(params.text("listen").unwrap_or("127.0.0.1:8006"), path("settings"))
        .map_err(|why| Failure::Configuration(format!("{why}\n")))?;
    let files = path("certificate").zip(path("key"));
    let options = Options {
        listen: listen.address,
        socket: path("socket"),
        certificate: files.map(|(certificate, key)| Files { certificate, key }),
    };
    let store = ConfigStore::open(layout.clone()).map_err(|error| told(&error))?;
    let ready = |line: &str| out.write(Stream::Stdout, format!("{line}\n").as_bytes());
    let served = server::serve(store, &options, ready);
    served.map_err(|error| format!("{}{}", told(&error), listen.mend(&error)))?;
    Ok(Value::Null)
}

/// Where HTTPS is to be served, and who says so.
struct Listen {
    address: Option<SocketAddr>,
    /// The file that says it; none for the option.
    file: Option<PathBuf>,
}

impl Listen {
    /// What the file of settings says, where it is there and does; else the option.
    fn read(option: &str, file: Option<PathBuf>) -> Result<Self, String> {
        let value = file.as_deref().map(Self::in_file).transpose()?.flatten();
        match (value, file) {
            (Some(value), Some(file)) => match address(&value) {
                Ok(address) => Ok(Self { address, file: Some(file) }),
                Err(why) => Err(format!("LISTEN={value} in '{}' {why}; {RESTART}", file.display())),
            },
            _ => match address(option) {
                Ok(address) => Ok(Self { address, file: None }),
                Err(why) => Err(format!("--listen '{option}' {why}")),
            },
        }
    }

    fn in_file(path: &Path) -> Result<Option<String>, String> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| format!("cannot read '{}': {error}; {RESTART}", path.display()))?,
        };
        // What is no text is no setting either, and told as such with its line.
        let text = String::from_utf8_lossy(&bytes);
        setting(&text).map_err(|(line, why)| format!("line {line} of '{}': {why}; {RESTART}", path.display()))
    }

    /// What helps against an address that cannot be had, behind the reason.
    fn mend(&self, error: &ServeError) -> String {
        let ServeError::Listen { address, source } = error else { return String::new() };
        let port = address.port();
        let said = match &self.file {
            Some(file) => format!("LISTEN in '{}'", file.display()),
            None => "--listen".to_owned(),
        };
        match source.kind() {
            io::ErrorKind::AddrInUse => {
                format!("; 'ss -ltnp sport = :{port}' shows who has it, and {said} may name another port")
            }
            io::ErrorKind::AddrNotAvailable => {
                format!(
                    "; 'ip address' shows those of this host, and {said} may name one of them, or [::]:{port} for all"
                )
            }
            io::ErrorKind::PermissionDenied => {
                format!(
                    "; ports such as {port} are root's (net.ipv4.ip_unprivileged_port_start), and {said} may name another"
                )
            }
            _ => String::new(),
        }
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
