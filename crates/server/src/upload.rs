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
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long nothing may come of a file.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest value of a parameter that is no file, in bytes.
const LONGEST_VALUE: usize = 64 << 10;

/// The most parts of a form.
const MOST_PARTS: usize = 32;

/// How many pieces of a file wait for the disk.
const AHEAD: usize = 8;

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

/// Receives a form with its file.
///
/// # Errors
/// What is wrong with the form, or that the file cannot be written. Nothing of it stays then.
pub(crate) async fn receive(
    body: &mut Incoming,
    boundary: String,
    layout: &Layout,
) -> Result<(Parameters, Option<Received>), Failure> {
    let mut form = Multipart::new(BodyDataStream::new(body), boundary);
    let (mut parameters, mut received) = (Parameters::default(), None);
    for _ in 0..MOST_PARTS {
        let Some(mut field) = patiently(form.next_field()).await? else { return Ok((parameters, received)) };
        let name = field.name().unwrap_or_default().to_owned();
        if name == FILE && received.is_none() {
            let given = field.file_name().unwrap_or_default().to_owned();
            let (path, file) = create(layout).map_err(|error| unwritable(&error))?;
            // From here on it is removed whatever happens.
            let passed = format!("/{}", path.strip_prefix(layout.root()).unwrap_or(&path).display());
            received = Some(Received { path });
            write(&mut field, file).await?;
            parameters.put(FILE, given);
            parameters.put("tmpfilename", passed);
        } else if !name.is_empty() && name != "tmpfilename" {
            parameters.put(&name, value(&mut field).await?);
        }
    }
    Err(Failure::new(400, "too many parts"))
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

/// Writes a part to a file, on a thread of its own: a disk that hangs holds up this request alone.
async fn write(field: &mut Field<'_>, mut file: File) -> Result<(), Failure> {
    let (pieces, mut waiting) = mpsc::channel::<bytes::Bytes>(AHEAD);
    let writing = spawn_blocking(move || -> io::Result<()> {
        while let Some(piece) = waiting.blocking_recv() {
            file.write_all(&piece)?;
        }
        Ok(())
    });
    let mut result = Ok(());
    loop {
        match patiently(field.chunk()).await {
            Ok(Some(piece)) => {
                // Why the writer takes no more is heard below.
                if pieces.send(piece).await.is_err() {
                    break;
                }
            }
            Ok(None) => break,
            Err(failure) => {
                result = Err(failure);
                break;
            }
        }
    }
    drop(pieces);
    let written = writing.await.map_err(io::Error::other).and_then(|written| written);
    result.and(written.map_err(|error| unwritable(&error)))
}

/// Makes the file, for its owner alone, under a name that nobody can guess.
fn create(layout: &Layout) -> io::Result<(PathBuf, File)> {
    let folder = layout.at("var/tmp");
    DirBuilder::new().recursive(true).mode(0o1777).create(&folder)?;
    let path = folder.join(format!("pveupload-{:016x}{:016x}", random(), random()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    Ok((path, file))
}

fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // Seeded by the kernel for each process; `create_new` sees to the rest.
    std::hash::RandomState::new().build_hasher().finish()
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::new(500, format!("cannot write what is uploaded: {error}\n"))
}
