use model::Vmid;

/// Why something about pools is not done. The texts are Proxmox VE's where it has some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The pool is there already.
    #[error("create pool failed: pool '{0}' already exists")]
    Exists(String),
    /// What it should be in is not there.
    #[error("create pool failed: parent '{parent}' of pool '{pool}' does not exist")]
    NoParent {
        /// The pool.
        pool: String,
        /// The one around it.
        parent: String,
    },
    /// There is no such pool to be changed.
    #[error("update pools failed: pool '{0}' does not exist")]
    NoPool(String),
    /// There is no such pool to be removed.
    #[error("delete pool failed: pool '{0}' does not exist")]
    NotThere(String),
    /// It has that already.
    #[error("update pools failed: {0} is already a pool member")]
    Member(String),
    /// It does not have that.
    #[error("update pools failed: {0} is not a pool member")]
    NoMember(String),
    /// The guest is in another pool.
    #[error("update pools failed: VM {vmid} belongs already to pool '{pool}' and 'allow-move' is not set")]
    Elsewhere {
        /// The guest.
        vmid: Vmid,
        /// Its pool.
        pool: String,
    },
    /// Something is in it.
    #[error("delete pool failed: pool '{pool}' is not empty (contains {member})")]
    NotEmpty {
        /// The pool.
        pool: String,
        /// What is in it.
        member: String,
    },
}
