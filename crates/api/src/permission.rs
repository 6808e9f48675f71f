//! Who may call a method, as data (api.md 2.4, Annex A). The command line acts as root@pam, which may call all of
//! them; a server evaluates these for its users.

/// What a caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Nothing, not even a ticket.
    World,
    /// Any authenticated user; the method itself filters or checks further.
    User,
    /// The user root@pam alone.
    Root,
    /// Privileges on a path with `{parameters}` in it.
    Privileges {
        /// The path of the access control list.
        path: &'static str,
        /// The privileges' names.
        any_of: &'static [&'static str],
    },
}

impl Permission {
    /// Any of these privileges on the guest that the path names.
    pub(crate) const fn guest(any_of: &'static [&'static str]) -> Self {
        Self::Privileges { path: "/vms/{vmid}", any_of }
    }

    /// Any of these privileges on the storage that the path names.
    pub(crate) const fn storage(any_of: &'static [&'static str]) -> Self {
        Self::Privileges { path: "/storage/{storage}", any_of }
    }
}
