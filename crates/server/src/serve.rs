//! The server's life: what it listens to, what it does when it is told something, and its end.

use crate::access_log::AccessLog;
use crate::certificate::{CertificateError, Certificates, Files};
use crate::connection::Connections;
use crate::events::Events;
use crate::handle::{Bodies, Handler};
use crate::lanes::THREADS;
use crate::names;
use crate::upload::Uploads;
use crate::work::Work;
use access::Access;
use rustix::process::{Resource, Rlimit};
use sd_notify::NotifyState;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::ConfigStore;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

/// Connections at the same time.
const CONNECTIONS: u32 = 2048;

/// How long connections may take to end when the server does.
const FAREWELL: Duration = Duration::from_secs(10);

/// How long to wait before trying again where no connection can be accepted: a limit of the host, which tells nobody when
/// there is room again.
const REST: Duration = Duration::from_millis(100);

/// What threads that wait for the next call are kept for.
const IDLE: Duration = Duration::from_secs(10);

/// Where and with what to serve.
#[derive(Debug)]
pub struct Options {
    /// The address for HTTPS; none for the unix socket alone.
    pub listen: Option<SocketAddr>,
    /// The unix socket; none for `/run/hookvisor/api.sock`.
    pub socket: Option<PathBuf>,
    /// The certificate; none for the root's own.
    pub certificate: Option<Files>,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened at.
    #[error("cannot listen at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The unix socket cannot be made.
    #[error("cannot listen at '{}'", path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no certificate to serve with.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The system gives no threads or signals.
    #[error("cannot begin to serve")]
    System(#[from] io::Error),
}

/// Serves until SIGTERM or SIGINT; what has been asked by then is answered. `ready` gets a line once everybody can
/// connect.
///
/// # Errors
/// Where it cannot begin.
pub fn serve(store: ConfigStore, options: &Options, ready: impl FnOnce(&str)) -> Result<(), ServeError> {
    raise_file_limit();
    crate::memory::keep_freed();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |count| count.get().min(4)))
        .max_blocking_threads(THREADS)
        .thread_keep_alive(IDLE)
        .enable_all()
        .build()?;
    let ended = runtime.block_on(run(store, options, ready));
    // A call that hangs must not hold up the end.
    runtime.shutdown_background();
    ended
}

async fn run(store: ConfigStore, options: &Options, ready: impl FnOnce(&str)) -> Result<(), ServeError> {
    let network = match options.listen {
        Some(address) => Some(Network::open(address, &store, options.certificate.as_ref()).await?),
        None => None,
    };
    let socket =
        Socket::bind(&options.socket.clone().unwrap_or_else(|| store.layout().run().join("api.sock")))?;
    let owner = owner(&store);
    let log = AccessLog::open(store.layout())?;
    let access = Arc::new(Access::open(store.layout()));
    let (close, closing) = watch::channel(false);
    let events = Events::new(store.layout(), access.clone(), closing.clone());
    let work = Work::new(Arc::new(store));
    let (uploads, bodies) = (Uploads::new(), Bodies::new());
    let handler = Arc::new(Handler { access, work, events, uploads, bodies, log });
    let connections = Connections { handler: handler.clone(), closing };
    let mut told = Told::new()?;
    let address = network.as_ref().map(|network| format!("https://{} and ", network.address));
    let serving = format!("serving {}'{}'", address.unwrap_or_default(), socket.path.display());
    ready(&serving);
    let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&serving)]);

    let places = Arc::new(Semaphore::new(CONNECTIONS as usize));
    loop {
        tokio::select! {
            (accepted, place) = accept(&places, || Network::accept(network.as_ref())) => match accepted {
                Ok((stream, peer, certificates)) => {
                    drop(tokio::spawn(connections.clone().tcp(stream, peer, certificates, place)));
                }
                Err(_) => sleep(REST).await,
            },
            (accepted, place) = accept(&places, || socket.listener.accept()) => match accepted {
                Ok((stream, _)) => drop(tokio::spawn(connections.clone().unix(stream, owner, place))),
                Err(_) => sleep(REST).await,
            },
            ends = told.ends() => match &network {
                _ if ends => break,
                Some(network) => drop(network.certificates.current(complain)),
                None => {}
            },
        }
    }
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    drop((network, socket));
    let _ = close.send(true);
    let _ = timeout(FAREWELL, places.acquire_many(CONNECTIONS)).await;
    handler.log.close();
    Ok(())
}

/// Where HTTPS is served, and with what.
struct Network {
    address: SocketAddr,
    listener: TcpListener,
    certificates: Arc<Certificates>,
}

impl Network {
    async fn open(
        address: SocketAddr,
        store: &ConfigStore,
        certificate: Option<&Files>,
    ) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let files = match certificate {
            Some(files) => files.clone(),
            None => Files::of_root(store, &names::served(store.node(), address.ip()))?,
        };
        let certificates = Arc::new(Certificates::open(files)?);
        Ok(Self { address, listener, certificates })
    }

    /// The next connection; never one where nothing is served.
    async fn accept(this: Option<&Self>) -> io::Result<(TcpStream, SocketAddr, Arc<Certificates>)> {
        let Some(this) = this else { return std::future::pending().await };
        let (stream, peer) = this.listener.accept().await?;
        Ok((stream, peer, this.certificates.clone()))
    }
}

/// The next connection, once there is a place for it.
async fn accept<T, F: Future<Output = io::Result<T>>>(
    places: &Arc<Semaphore>,
    next: impl FnOnce() -> F,
) -> (io::Result<T>, OwnedSemaphorePermit) {
    let place = places.clone().acquire_owned().await.expect("the places are never closed");
    (next().await, place)
}

/// What the server itself has to say, for the journal.
pub(crate) fn complain(error: &CertificateError) {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    eprintln!("the certificate is not changed: {error}{cause}");
}

/// The user whose root it is, and who so is root@pam on the unix socket.
fn owner(store: &ConfigStore) -> u32 {
    fs::metadata(store.layout().pve()).map_or_else(|_| rustix::process::geteuid().as_raw(), |meta| meta.uid())
}

/// Every connection is a file; the usual limit is for programs that poll by select(2). Children get the usual one.
fn raise_file_limit() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let _ = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// The signals that mean something.
struct Told {
    reload: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Told {
    fn new() -> io::Result<Self> {
        Ok(Self {
            reload: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one; whether it asks for the end.
    async fn ends(&mut self) -> bool {
        tokio::select! {
            _ = self.reload.recv() => false,
            _ = self.terminate.recv() => true,
            _ = self.interrupt.recv() => true,
        }
    }
}

/// The unix socket. Its file is gone with it, unless another server has put its own there.
struct Socket {
    path: PathBuf,
    file: (u64, u64),
    listener: UnixListener,
}

impl Socket {
    /// Makes it beside its place and puts it there, for its owner alone.
    fn bind(path: &Path) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Socket { path: path.to_owned(), source };
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            let why = "another server listens there; --socket names another place";
            return Err(failed(io::Error::new(io::ErrorKind::AddrInUse, why)));
        }
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        let _ = fs::remove_file(&beside);
        let listener = UnixListener::bind(&beside).map_err(failed)?;
        let placed = fs::set_permissions(&beside, fs::Permissions::from_mode(0o600))
            .and_then(|()| fs::metadata(&beside))
            .and_then(|meta| fs::rename(&beside, path).map(|()| (meta.dev(), meta.ino())));
        match placed {
            Ok(file) => Ok(Self { path: path.to_owned(), file, listener }),
            Err(source) => {
                let _ = fs::remove_file(&beside);
                Err(failed(source))
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if fs::metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
