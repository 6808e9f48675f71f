//! The server's certificate: where it lies, how one of our own is made, and how a new one is noticed.

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use store::ConfigStore;

/// What marks a certificate that we may make anew.
const OURS: &str = "hookvisor self-signed";

/// How long one of ours is valid: clients that trust it by its fingerprint should not have to do so again.
const VALID: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Clocks differ.
const EARLIER: Duration = Duration::from_secs(86_400);

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The chain, in PEM.
    pub certificate: PathBuf,
    /// The key, in PEM.
    pub key: PathBuf,
}

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file.
    #[error("cannot {what} '{}'", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file that is none in PEM, or has not in it what it is for.
    #[error("'{}' holds no {what} in PEM", path.display())]
    Pem {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: pem::Error,
    },
    /// A certificate and key that cannot be used together.
    #[error("cannot serve with the certificate '{}' and the key '{}'", certificate.display(), key.display())]
    Unusable {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
    /// One of our own could not be made.
    #[error("cannot make a certificate with the key '{}'", path.display())]
    Make {
        /// The key.
        path: PathBuf,
        /// Why not.
        source: rcgen::Error,
    },
}

impl Files {
    /// Where Proxmox VE has them: the administrator's own, else the node's, which is made here where it is missing or,
    /// if it is one of ours, does not carry a name that is served.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub(crate) fn of_root(store: &ConfigStore, names: &[String]) -> Result<Self, CertificateError> {
        let folder = store.layout().pve().join("nodes").join(store.node().as_str());
        let at = |stem: &str| Self {
            certificate: folder.join(format!("{stem}.pem")),
            key: folder.join(format!("{stem}.key")),
        };
        let own = at("pveproxy-ssl");
        if own.certificate.exists() && own.key.exists() {
            return Ok(own);
        }
        let files = at("pve-ssl");
        // Two servers that begin at once must not mix their keys and certificates.
        let guard = File::open(&folder).map_err(failed("open", &folder))?;
        guard.lock().map_err(failed("lock", &folder))?;
        if !files.serves(names) {
            files.make(names)?;
        }
        Ok(files)
    }

    /// Whether what is there needs not be made anew.
    fn serves(&self, names: &[String]) -> bool {
        let Ok(der) = CertificateDer::from_pem_file(&self.certificate) else {
            return self.certificate.exists();
        };
        if !contains(&der, OURS.as_bytes()) {
            return true;
        }
        let Ok(parsed) = ParsedCertificate::try_from(&der) else { return true };
        let mut names = names.iter().filter_map(|name| ServerName::try_from(name.as_str()).ok());
        names.all(|name| verify_server_name(&parsed, &name).is_ok()) && self.load().is_ok()
    }

    /// Makes the certificate, and the key before it where there is none. Dying in between leaves a key without a
    /// certificate, for which the next one makes it.
    fn make(&self, names: &[String]) -> Result<(), CertificateError> {
        let made = |source| CertificateError::Make { path: self.key.clone(), source };
        let key = match fs::read_to_string(&self.key) {
            Ok(text) => KeyPair::from_pem(&text).map_err(made)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = KeyPair::generate().map_err(made)?;
                let pem = key.serialize_pem();
                store::replace(&self.key, pem.as_bytes(), 0o600).map_err(failed("write", &self.key))?;
                key
            }
            Err(source) => return Err(failed("read", &self.key)(source)),
        };
        let usable = names.iter().filter(|name| ServerName::try_from(name.as_str()).is_ok()).cloned();
        let mut params = CertificateParams::new(usable.collect::<Vec<_>>()).map_err(made)?;
        let now = SystemTime::now();
        params.not_before = (now - EARLIER).into();
        params.not_after = (now + VALID).into();
        params.distinguished_name.push(DnType::OrganizationName, OURS);
        let first =
            names.iter().find(|name| name.parse::<std::net::IpAddr>().is_err() && *name != "localhost");
        let common = first.map_or("localhost", String::as_str);
        params.distinguished_name.push(DnType::CommonName, common);
        let pem = params.self_signed(&key).map_err(made)?.pem();
        store::replace(&self.certificate, pem.as_bytes(), 0o640).map_err(failed("write", &self.certificate))
    }

    fn load(&self) -> Result<ServerConfig, CertificateError> {
        let unreadable = |what, path: &Path| {
            let path = path.to_owned();
            move |error| match error {
                pem::Error::Io(source) => CertificateError::File { what: "read", path, source },
                source => CertificateError::Pem { what, path, source },
            }
        };
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
            .map_err(unreadable("certificate", &self.certificate))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(unreadable("key", &self.key))?;
        let unusable = |source| CertificateError::Unusable {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            source,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(unusable)?;
        // Later versions of HTTP have no reason phrase, in which clients look for what went wrong.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// What is another one as soon as either file is another one.
    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|path| {
            let meta = fs::metadata(path).ok()?;
            let (modified, changed) = ((meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec()));
            Some((meta.dev(), meta.ino(), meta.size(), modified, changed))
        })
    }
}

type Stamp = [Option<(u64, u64, u64, (i64, i64), (i64, i64))>; 2];

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CertificateError {
    let path = path.to_owned();
    move |source| CertificateError::File { what, path, source }
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

/// What connections are served with. Looked at anew for each of them: a file that changed is loaded, and one that
/// cannot be used leaves what was there before.
pub(crate) struct Certificates {
    files: Files,
    loaded: Mutex<(Stamp, Arc<ServerConfig>)>,
}

impl Certificates {
    /// Loads them.
    ///
    /// # Errors
    /// Files that cannot be served with.
    pub(crate) fn open(files: Files) -> Result<Self, CertificateError> {
        let stamp = files.stamp();
        let config = Arc::new(files.load()?);
        Ok(Self { files, loaded: Mutex::new((stamp, config)) })
    }

    /// What to serve a connection with; `complain` is told once of files that cannot be used.
    pub(crate) fn current(&self, complain: impl Fn(&CertificateError)) -> Arc<ServerConfig> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.files.stamp();
        if loaded.0 != stamp {
            loaded.0 = stamp;
            match self.files.load() {
                Ok(config) => loaded.1 = Arc::new(config),
                Err(error) => complain(&error),
            }
        }
        loaded.1.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Layout;
    use std::os::unix::fs::PermissionsExt;

    fn root() -> (tempfile::TempDir, ConfigStore) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        store::init_root(&layout, &"pve1".parse().unwrap()).unwrap();
        (folder, ConfigStore::open(layout).unwrap())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn ours_is_made_once_and_again_when_a_name_is_missing() {
        let (_folder, store) = root();
        let files = Files::of_root(&store, &names(&["127.0.0.1", "pve1"])).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&files.key), mode(&files.certificate)), (0o600, 0o640));
        let (first, key) = (fs::read(&files.certificate).unwrap(), fs::read(&files.key).unwrap());
        Files::of_root(&store, &names(&["pve1"])).unwrap();
        assert_eq!(fs::read(&files.certificate).unwrap(), first);
        Files::of_root(&store, &names(&["192.0.2.1", "not_a name"])).unwrap();
        assert_ne!(fs::read(&files.certificate).unwrap(), first);
        assert_eq!(fs::read(&files.key).unwrap(), key);
        files.load().unwrap();
    }

    #[test]
    fn what_an_administrator_put_there_is_left_alone() {
        let (_folder, store) = root();
        let files = Files::of_root(&store, &names(&["pve1"])).unwrap();
        fs::write(&files.certificate, "mine").unwrap();
        Files::of_root(&store, &names(&["192.0.2.1"])).unwrap();
        assert_eq!(fs::read(&files.certificate).unwrap(), b"mine");
        let error = Certificates::open(files).err().unwrap();
        assert!(error.to_string().ends_with("pve-ssl.pem' holds no certificate in PEM"), "{error}");
    }

    #[test]
    fn a_new_certificate_is_noticed_and_a_broken_one_keeps_the_old() {
        let (_folder, store) = root();
        let files = Files::of_root(&store, &names(&["pve1"])).unwrap();
        let certificates = Certificates::open(files.clone()).unwrap();
        let fine = |error: &CertificateError| panic!("{error}");
        let first = certificates.current(fine);
        assert!(Arc::ptr_eq(&first, &certificates.current(fine)));
        Files::of_root(&store, &names(&["192.0.2.1"])).unwrap();
        let second = certificates.current(fine);
        assert!(!Arc::ptr_eq(&first, &second));
        fs::write(&files.key, "broken").unwrap();
        let complaints = std::cell::Cell::new(0);
        let count = |_: &CertificateError| complaints.set(complaints.get() + 1);
        assert!(Arc::ptr_eq(&second, &certificates.current(count)));
        assert!(Arc::ptr_eq(&second, &certificates.current(count)));
        assert_eq!(complaints.get(), 1);
    }
}
