use model::UserId;

/// Why something about users is not done. The texts are Proxmox VE's where it has some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The user is there already.
    #[error("create user failed: user '{0}' already exists")]
    UserExists(UserId),
    /// There is no such user.
    #[error("no such user ('{0}')")]
    NoUser(UserId),
    /// The realm is none of `domains.cfg`.
    #[error("domain '{0}' does not exist")]
    NoRealm(String),
    /// Whoever owns the root must be able to do everything.
    #[error("user 'root@pam' can be neither deleted nor disabled")]
    Root,
    /// Passwords of other realms are not ours.
    #[error("passwords of users of the realm '{0}' are not kept here: change them where they are")]
    ForeignPassword(String),
    /// The group is there already.
    #[error("create group failed: group '{0}' already exists")]
    GroupExists(String),
    /// There is no such group.
    #[error("group '{0}' does not exist")]
    NoGroup(String),
    /// The role is there already.
    #[error("create role failed: role '{0}' already exists")]
    RoleExists(String),
    /// Names that begin so are for built-in roles.
    #[error("role ID may not start with 'PVE' (case-insensitive)")]
    RoleName,
    /// There is no such role.
    #[error("role '{0}' does not exist")]
    NoRole(String),
    /// The role is built in.
    #[error("auto-generated role '{0}' cannot be modified")]
    BuiltIn(String),
    /// There is no such privilege.
    #[error("invalid privilege '{0}'")]
    NoPrivilege(String),
    /// There is no such token.
    #[error("no such token '{token}' for user '{user}'")]
    NoToken {
        /// The user.
        user: UserId,
        /// The token's name.
        token: String,
    },
    /// No random bytes are to be had.
    #[error("the system has no random bytes")]
    NoRandom,
}
