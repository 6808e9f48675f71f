use crate::{StoreError, replace};
use model::{Layout, NodeName, Vmid};
use rustix::fs::statfs;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// The type of a FUSE mount, statfs(2).
const FUSE: u64 = 0x6573_5546;

/// The greatest length of a unix socket's path, unix(7): 108 bytes with the one that ends it.
const SOCKET_PATH: usize = 107;

/// What a new root's storage configuration says: one folder for everything.
const STORAGE_CFG: &str =
    "dir: local\n\tpath /var/lib/vz\n\tcontent iso,vztmpl,backup,images,rootdir,snippets\n";

/// Folders that everybody may look into.
const FOLDERS: &[&str] = &[
    "etc/pve",
    "etc/pve/nodes",
    "var/lib/vz/images",
    "var/lib/vz/template/iso",
    "var/lib/vz/template/cache",
    "var/lib/vz/dump",
    "var/lib/vz/snippets",
    "var/lib/vz/import",
    "var/lib/lxc",
    "var/log/pve/tasks",
    "var/lock/qemu-server",
    "run/lock/lxc",
    "run/qemu-server",
    "etc/hookvisor/hooks.d",
];

/// Folders that are root's alone.
const PRIVATE: &[&str] = &[
    "etc/pve/priv",
    "var/lib/vz/private",
    "var/lib/hookvisor",
    "var/lib/hookvisor/runs",
    "var/lib/hookvisor/history",
    "var/log/hookvisor",
    "run/hookvisor",
];

/// One thing that [`init_root`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// A folder was made.
    Folder(PathBuf),
    /// A folder that others could look into is private now.
    Private(PathBuf),
    /// A link was made.
    Link(PathBuf),
    /// A file was written.
    File(PathBuf),
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "created folder '{}'", path.display()),
            Self::Private(path) => write!(f, "made folder '{}' private", path.display()),
            Self::Link(path) => write!(f, "created link '{}'", path.display()),
            Self::File(path) => write!(f, "wrote '{}'", path.display()),
        }
    }
}

/// Why a root could not be laid out.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The root is no absolute path.
    #[error("root '{}' is not an absolute path", .0.display())]
    Relative(PathBuf),
    /// The longest socket's path would not fit.
    #[error(
        "root '{}' is too long by {excess} bytes: the path of a socket such as '{}' may have {SOCKET_PATH}",
        root.display(), socket.display()
    )]
    TooLong {
        /// The root.
        root: PathBuf,
        /// The longest socket's path.
        socket: PathBuf,
        /// How many bytes it is too long.
        excess: usize,
    },
    /// The root is laid out for another node.
    #[error("'{}' leads to '{}': the root is laid out for another node, and HOOKVISOR_ROOT names another root", path.display(), target.display())]
    OtherNode {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A real Proxmox VE is on this host, or the system refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Lays out an empty root for a node, with a storage `local` that may hold everything, snippets too. What is there
/// already stays as it is, but for private folders, which are closed. Says what it did, in order.
///
/// # Errors
/// The root cannot be used, is laid out for another node, or the system refused.
pub fn init_root(layout: &Layout, node: &NodeName) -> Result<Vec<Done>, InitError> {
    if !layout.root().is_absolute() {
        return Err(InitError::Relative(layout.root().to_owned()));
    }
    refuse_real_proxmox(layout)?;
    refuse_long_root(layout)?;
    let links = links(node);
    for (name, target) in &links {
        refuse_other_node(&layout.pve().join(name), target)?;
    }

    let mut done = Vec::new();
    for path in FOLDERS {
        folder(&layout.at(path), 0o755, &mut done)?;
    }
    for path in PRIVATE {
        private_folder(&layout.at(path), &mut done)?;
    }
    let own = layout.pve().join("nodes").join(node.as_str());
    for name in ["qemu-server", "lxc"] {
        folder(&own.join(name), 0o755, &mut done)?;
    }
    private_folder(&own.join("priv"), &mut done)?;
    let storage_cfg = layout.storage_cfg();
    if !exists(&storage_cfg)? {
        replace(&storage_cfg, STORAGE_CFG.as_bytes(), 0o640)
            .map_err(|source| StoreError::io("write", &storage_cfg, source))?;
        done.push(Done::File(storage_cfg));
    }
    // Last, the links: with `local` the root counts as laid out.
    for (name, target) in &links {
        let path = layout.pve().join(name);
        if !exists(&path)? {
            symlink(target, &path).map_err(|source| StoreError::io("create the link", &path, source))?;
            done.push(Done::Link(path));
        }
    }
    Ok(done)
}

/// The links below `/etc/pve`, relative so that a root can be moved.
fn links(node: &NodeName) -> [(&'static str, PathBuf); 3] {
    let own = Path::new("nodes").join(node.as_str());
    [("qemu-server", own.join("qemu-server")), ("lxc", own.join("lxc")), ("local", own)]
}

/// Refuses the host's own root where a real Proxmox VE is: the two would manage the same guests.
///
/// # Errors
/// The sign of it that was found.
pub fn refuse_real_proxmox(layout: &Layout) -> Result<(), StoreError> {
    if !layout.is_host() {
        return Ok(());
    }
    match signs_of_proxmox(layout.root()) {
        Some(sign) => Err(StoreError::RealProxmox { sign }),
        None => Ok(()),
    }
}

fn signs_of_proxmox(root: &Path) -> Option<PathBuf> {
    let files = ["usr/bin/pmxcfs", "var/lib/pve-cluster/config.db"].map(|path| root.join(path));
    let mount = root.join("etc/pve");
    let mounted = statfs(&mount).is_ok_and(|stat| u64::try_from(stat.f_type) == Ok(FUSE));
    files.into_iter().find(|path| path.exists()).or_else(|| mounted.then_some(mount))
}

fn refuse_long_root(layout: &Layout) -> Result<(), InitError> {
    let Ok(vmid) = Vmid::try_from(999_999_999) else { return Ok(()) };
    let sockets = [
        layout.control_socket(vmid),
        layout.monitor_socket(vmid),
        layout.run_qemu_file(vmid, "serial0"),
        layout.lxc().join(vmid.to_string()).join("command"),
    ];
    let length = |path: &PathBuf| path.as_os_str().len();
    let Some(socket) = sockets.into_iter().max_by_key(length) else { return Ok(()) };
    match length(&socket).checked_sub(SOCKET_PATH) {
        None | Some(0) => Ok(()),
        Some(excess) => Err(InitError::TooLong { root: layout.root().to_owned(), socket, excess }),
    }
}

fn refuse_other_node(path: &Path, target: &Path) -> Result<(), InitError> {
    match fs::read_link(path) {
        Ok(there) if there != target => Err(InitError::OtherNode { path: path.to_owned(), target: there }),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(StoreError::io("read the link", path, source).into()),
    }
}

fn exists(path: &Path) -> Result<bool, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(StoreError::io("look at", path, source)),
    }
}

/// Makes a folder, and those above it, with this mode whatever the umask.
fn folder(path: &Path, mode: u32, done: &mut Vec<Done>) -> Result<bool, StoreError> {
    if path.is_dir() {
        return Ok(false);
    }
    if let Some(above) = path.parent() {
        folder(above, 0o755, done)?;
    }
    let failed = |source| StoreError::io("create the folder", path, source);
    fs::create_dir(path).map_err(failed)?;
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)?;
    done.push(Done::Folder(path.to_owned()));
    Ok(true)
}

fn private_folder(path: &Path, done: &mut Vec<Done>) -> Result<(), StoreError> {
    if folder(path, 0o700, done)? {
        return Ok(());
    }
    let failed = |source| StoreError::io("change the mode of", path, source);
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(mode & 0o7700)).map_err(failed)?;
        done.push(Done::Private(path.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeName {
        "pve1".parse().unwrap()
    }

    #[test]
    fn a_root_is_laid_out_once_and_the_second_time_nothing_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let done = init_root(&layout, &node()).unwrap();
        assert!(
            done.contains(&Done::File(layout.storage_cfg()))
                && done.contains(&Done::Link(layout.pve().join("local")))
        );
        assert_eq!(init_root(&layout, &node()).unwrap(), []);
        let store = crate::ConfigStore::open(layout.clone()).unwrap();
        assert_eq!(store.node(), &node());
        assert_eq!(
            fs::read_link(layout.pve().join("qemu-server")).unwrap(),
            Path::new("nodes/pve1/qemu-server")
        );
        for (path, mode) in
            [("etc/pve/priv", 0o700), ("run/hookvisor", 0o700), ("var/lib/vz/snippets", 0o755)]
        {
            assert_eq!(fs::metadata(layout.at(path)).unwrap().permissions().mode() & 0o7777, mode, "{path}");
        }
        let cfg = store.storage_cfg().unwrap();
        let local = cfg.get(&"local".parse().unwrap()).unwrap();
        assert!(!local.synthesised && local.content().contains(&model::ContentType::Snippets));
    }

    #[test]
    fn an_open_private_folder_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        init_root(&layout, &node()).unwrap();
        let private = layout.at("etc/pve/priv");
        fs::set_permissions(&private, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(init_root(&layout, &node()).unwrap(), [Done::Private(private)]);
    }

    #[test]
    fn a_root_of_another_node_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        init_root(&layout, &node()).unwrap();
        let error = init_root(&layout, &"other".parse().unwrap()).unwrap_err();
        assert!(matches!(error, InitError::OtherNode { .. }), "{error}");
        assert!(!layout.pve().join("nodes/other").exists());
    }

    #[test]
    fn a_root_too_long_for_sockets_is_refused() {
        let long = Path::new("/tmp").join("x".repeat(72));
        let error = init_root(&Layout::new(&long), &node()).unwrap_err();
        assert!(matches!(error, InitError::TooLong { .. }), "{error}");
        assert!(!long.exists());
        assert!(matches!(init_root(&Layout::new("x"), &node()), Err(InitError::Relative(_))));
    }

    #[test]
    fn a_root_without_layout_names_the_command_that_makes_one() {
        let folder = tempfile::tempdir().unwrap();
        let error = crate::ConfigStore::open(Layout::new(folder.path())).unwrap_err();
        assert!(error.to_string().contains("hookvisor init"), "{error}");
    }

    #[test]
    fn a_real_proxmox_is_seen_by_its_files() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(signs_of_proxmox(folder.path()), None);
        let sign = folder.path().join("usr/bin/pmxcfs");
        fs::create_dir_all(sign.parent().unwrap()).unwrap();
        fs::write(&sign, b"").unwrap();
        assert_eq!(signs_of_proxmox(folder.path()), Some(sign));
    }
}
