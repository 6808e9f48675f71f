use model::{StorageId, Vmid, VolumeId};
use std::io;
use std::path::{Path, PathBuf};

/// Why a storage or a volume cannot be used.
///
/// The texts are what clients of Proxmox VE see, where it has one (lifecycle.md 1.1, api.md 5.5 and 6.1).
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The storage configuration cannot be read.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// What would be cut off could be in use.
    #[error("shrinking disks is not supported")]
    Shrinks,
    /// No storage has this id.
    #[error("storage '{0}' does not exist")]
    NoStorage(StorageId),
    /// The storage is switched off by `disable`.
    #[error("storage '{0}' is disabled")]
    Disabled(StorageId),
    /// The storage's `nodes` does not name this host.
    #[error("storage '{storage}' is not available on node '{node}'")]
    NotOnNode {
        /// The storage.
        storage: StorageId,
        /// This host.
        node: String,
    },
    /// A property of the storage in `storage.cfg` makes no sense.
    #[error("storage '{storage}' has an invalid {property}: '{value}'")]
    BadProperty {
        /// The storage.
        storage: StorageId,
        /// The property.
        property: &'static str,
        /// What it says.
        value: String,
    },
    /// Storages of this type can be named in `storage.cfg`, but this cannot be done with them.
    #[error("storage '{storage}' is of type '{kind}': {what} is not supported")]
    Unsupported {
        /// The storage.
        storage: StorageId,
        /// Its type.
        kind: &'static str,
        /// What was asked for.
        what: &'static str,
    },
    /// The storage's folder is not there, or does not answer.
    #[error(
        "unable to activate storage '{storage}' - directory '{}' does not exist or is unreachable",
        path.display()
    )]
    Unreachable {
        /// The storage.
        storage: StorageId,
        /// Its folder.
        path: PathBuf,
    },
    /// The storage is to be used only where something is mounted, and nothing is.
    #[error(
        "unable to activate storage '{storage}' - directory is expected to be a mount point but is not mounted: '{}'",
        path.display()
    )]
    NotMounted {
        /// The storage.
        storage: StorageId,
        /// Where the mount is expected.
        path: PathBuf,
    },
    /// Two content types lead to the same folder.
    #[error("storage '{storage}' uses directory {} for multiple content types", path.display())]
    SharedFolder {
        /// The storage.
        storage: StorageId,
        /// The folder.
        path: PathBuf,
    },

    /// The name is none that a storage of folders and files knows.
    #[error("unable to parse directory volume name '{0}'")]
    DirectoryName(String),
    /// The name is that of an image by its place, but not by its form.
    #[error("unable to parse volume filename '{0}'")]
    FileName(String),
    /// The name is none that a storage of this family knows.
    #[error("unable to parse {family} volume name '{name}'")]
    BlockName {
        /// `lvm`, `zfs`, `rbd`, `iscsi` or `PBS`.
        family: &'static str,
        /// The volume name.
        name: String,
    },
    /// The name is none that an ESXi storage knows.
    #[error("failed to parse volname '{0}'")]
    EsxiName(String),
    /// The volume's file is not there.
    #[error("volume '{0}' does not exist")]
    NoVolume(VolumeId),
    /// The volume is an empty file.
    #[error("volume '{0}' has size zero")]
    SizeZero(VolumeId),
    /// The image is not of the format that its name says, or cannot be read as one.
    #[error("image '{}' is not a valid {format} image: {why}", path.display())]
    BadImage {
        /// The image.
        path: PathBuf,
        /// The format that its name says.
        format: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The volume is of another content type than the one asked for.
    #[error("volume '{volume}' is not of content type '{wanted}'")]
    WrongContent {
        /// The volume.
        volume: VolumeId,
        /// The content type that was asked for.
        wanted: model::ContentType,
    },

    /// The storage does not hold this content type.
    #[error("storage '{storage}' does not support '{content}' content")]
    Content {
        /// The storage.
        storage: StorageId,
        /// The content type.
        content: model::ContentType,
    },
    /// There is a volume of that name.
    #[error("volume '{0}' already exists")]
    VolumeExists(VolumeId),
    /// What was copied is not what it should be.
    #[error("{0}")]
    Checksum(String),

    /// The text is no size.
    #[error("unable to parse size '{0}'")]
    Size(String),
    /// The text is no image format.
    #[error("unable to parse image format '{0}'")]
    Format(String),
    /// The format does not fit the name's extension.
    #[error("illegal name '{name}' - wrong extension for format ('{extension} != '{format}')")]
    WrongExtension {
        /// The name asked for.
        name: String,
        /// Its extension.
        extension: &'static str,
        /// The format asked for.
        format: &'static str,
    },
    /// The name does not belong to the guest.
    #[error("illegal name '{name}' - should be '{prefix}-{vmid}-*'")]
    WrongOwner {
        /// The name asked for.
        name: String,
        /// `vm`, or `subvol` for folders.
        prefix: &'static str,
        /// The guest.
        vmid: Vmid,
    },
    /// There is such an image already.
    #[error("disk image '{}' already exists", .0.display())]
    Exists(PathBuf),
    /// A folder takes no size.
    #[error("storage does not support subvol quotas")]
    SubvolQuota,
    /// All numbers are taken.
    #[error("unable to allocate an image name for VM {vmid} in storage '{storage}'")]
    NoFreeName {
        /// The guest.
        vmid: Vmid,
        /// The storage.
        storage: StorageId,
    },
    /// Linked clones read from the image.
    #[error("base volume '{0}' is still in use by linked clones")]
    BaseInUse(String),
    /// Something is mounted within the folder.
    #[error("unable to remove '{}' - '{}' is mounted within it", path.display(), mount.display())]
    MountedWithin {
        /// The folder.
        path: PathBuf,
        /// The mount.
        mount: PathBuf,
    },
    /// A backup with protection.
    #[error("cannot remove protected volume '{name}' on '{storage}'")]
    Protected {
        /// The volume name.
        name: String,
        /// The storage.
        storage: StorageId,
    },
    /// Another process holds the storage's lock.
    #[error("can't lock file '{}' - got timeout", .0.display())]
    LockTimeout(PathBuf),

    /// A program that is needed is not installed.
    #[error("unable to run '{program}', which comes with the package '{package}': {source}")]
    NoProgram {
        /// The program.
        program: &'static str,
        /// The package that has it on Debian.
        package: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A program failed.
    #[error("{action} '{}': {program} {why}", path.display())]
    Program {
        /// What was tried: `unable to create image` or alike.
        action: &'static str,
        /// The file it was about.
        path: PathBuf,
        /// The program.
        program: &'static str,
        /// How it ended and what it wrote.
        why: String,
    },
    /// The system refused.
    #[error("{action} '{}': {source}", path.display())]
    Io {
        /// What was tried: `unable to create folder` or alike.
        action: &'static str,
        /// The file it was about.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl StorageError {
    /// For `map_err` on a system call about `path`.
    pub(crate) fn io<E: Into<io::Error>>(action: &'static str, path: &Path) -> impl FnOnce(E) -> Self {
        move |error| Self::Io { action, path: path.to_owned(), source: error.into() }
    }
}
