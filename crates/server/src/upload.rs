//! A file that comes as a part of a form: it goes to a temporary file as it comes, and the method is told where that is
//! (api.md 3.3).

use crate::answer::Failure;
use crate::parameters::Parameters;
use http_body_util::BodyDataStream;
use hyper::body::Incoming;
use model::Layout;
use multer::{Field, Multipart};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long nothing may come of a file.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest value of a parameter that is no file, in bytes.
const LONGEST_VALUE: usize = 64 << 10;

/// The most parts of a form.
const MOST_PARTS: usize = 32;

/// How much of a file is gathered before it is written, in bytes.
const GATHERED: usize = 256 << 10;

/// Files that are received at the same time; who comes later waits for as long as a piece may take to come.
const FILES: usize = 64;

/// Of them, those that are written to at this instant: a disk that hangs takes no more threads than these.
pub(crate) const WRITERS: usize = 8;

/// Turns of those who receive files.
pub(crate) struct Uploads {
    files: Semaphore,
    writers: Arc<Semaphore>,
}

impl Uploads {
    pub(crate) fn new() -> Self {
        Self { files: Semaphore::new(FILES), writers: Arc::new(Semaphore::new(WRITERS)) }
    }
}

/// The part that is the file; its name is a parameter of the same name.
const FILE: &str = "filename";

/// A file that was received. It is removed when this is dropped, where its method has not done so.
pub(crate) struct Received {
    path: PathBuf,
}

impl Drop for Received {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What `Content-Type` says is between the parts of a form with files; none for other bodies.
pub(crate) fn boundary(content_type: Option<&str>) -> Option<String> {
    multer::parse_boundary(content_type?).ok()
}

impl Uploads {
    /// Receives a form with its file.
    ///
    /// # Errors
    /// What is wrong with the form, or that the file cannot be written. Nothing of it stays then.
    pub(crate) async fn receive(
        &self,
        body: &mut Incoming,
        boundary: String,
        layout: &Layout,
    ) -> Result<(Parameters, Option<Received>), Failure> {
        let busy = |_| Failure::new(503, "too many files are being uploaded\n");
        let _place = timeout(PATIENCE, self.files.acquire()).await.map_err(busy)?;
        let mut form = Multipart::new(BodyDataStream::new(body), boundary);
        let (mut parameters, mut received) = (Parameters::default(), None);
        for _ in 0..MOST_PARTS {
            let Some(mut field) = patiently(form.next_field()).await? else {
                return Ok((parameters, received));
            };
            let name = field.name().unwrap_or_default().to_owned();
            if name == FILE && received.is_none() {
                let given = field.file_name().unwrap_or_default().to_owned();
                let place = layout.clone();
                let (made, file) = self.on_disk(move || create(&place)).await?;
                let path = made.path.strip_prefix(layout.root()).unwrap_or(&made.path);
                let passed = format!("/{}", path.display());
                received = Some(made);
                self.write(&mut field, file).await?;
                parameters.put(FILE, given);
                parameters.put("tmpfilename", passed);
            } else if !name.is_empty() && name != "tmpfilename" {
                parameters.put(&name, value(&mut field).await?);
            }
        }
        Err(Failure::new(400, "too many parts"))
    }

    /// Writes a part to a file. A thread is taken for what has been gathered, never for the time that a client takes.
    async fn write(&self, field: &mut Field<'_>, mut file: File) -> Result<(), Failure> {
        let mut gathered = Vec::new();
        loop {
            let piece = patiently(field.chunk()).await?;
            let last = piece.is_none();
            gathered.extend_from_slice(&piece.unwrap_or_default());
            if !last && gathered.len() < GATHERED {
                continue;
            }
            let bytes = std::mem::take(&mut gathered);
            file = self.on_disk(move || file.write_all(&bytes).map(|()| file)).await?;
            if last {
                return Ok(());
            }
        }
    }

    /// Does something to a file, in its turn and in time.
    async fn on_disk<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let late = |_| Failure::new(500, "cannot write what is uploaded: got timeout\n");
        let done = async {
            let turn = self.writers.clone().acquire_owned().await;
            let acted = spawn_blocking(move || {
                let _turn = turn;
                act()
            });
            acted.await.map_err(io::Error::other).and_then(|acted| acted)
        };
        timeout(PATIENCE, done).await.map_err(late)?.map_err(|error| unwritable(&error))
    }
}

async fn patiently<T>(part: impl Future<Output = multer::Result<T>>) -> Result<T, Failure> {
    match timeout(PATIENCE, part).await {
        Ok(Ok(part)) => Ok(part),
        Ok(Err(error)) => Err(Failure::new(400, format!("the form cannot be read: {error}"))),
        Err(_) => Err(Failure::new(408, "the body took too long")),
    }
}

async fn value(field: &mut Field<'_>) -> Result<String, Failure> {
    let mut value = Vec::new();
    while let Some(piece) = patiently(field.chunk()).await? {
        value.extend_from_slice(&piece);
        if value.len() > LONGEST_VALUE {
            return Err(Failure::new(400, "a value is too long"));
        }
    }
    String::from_utf8(value).map_err(|_| Failure::new(400, "a value is no text"))
}

/// Makes the file, for its owner alone, under a name that nobody can guess.
fn create(layout: &Layout) -> io::Result<(Received, File)> {
    let folder = layout.at("var/tmp");
    DirBuilder::new().recursive(true).mode(0o1777).create(&folder)?;
    let path = folder.join(format!("pveupload-{:016x}{:016x}", random(), random()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    Ok((Received { path }, file))
}

fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // Seeded by the kernel for each process; `create_new` sees to the rest.
    std::hash::RandomState::new().build_hasher().finish()
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::new(500, format!("cannot write what is uploaded: {error}\n"))
}
