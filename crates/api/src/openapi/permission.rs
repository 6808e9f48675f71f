//! Who may call a method, in words.

use crate::{Groups, Permission};

/// Whether nobody has to log in for it.
pub(super) fn is_world(permission: &Permission) -> bool {
    matches!(permission, Permission::World | Permission::Ticket(Permission::World))
}

/// The permission as a text: `VM.PowerMgmt on /vms/{vmid}`.
#[must_use]
pub fn told(permission: &Permission) -> String {
    let several = |list: &[Permission], word: &str| {
        let parts: Vec<String> = list.iter().map(|one| format!("({})", told(one))).collect();
        parts.join(word)
    };
    match permission {
        Permission::World => "everybody, without log-in".to_owned(),
        Permission::User => "every user; what it shows or does goes by the user's rights".to_owned(),
        Permission::Root => "root@pam alone".to_owned(),
        Permission::Privileges { path, any_of } => format!("{} on {path}", any_of.join(" or ")),
        Permission::Besides(first, other) => format!("({}) or ({})", told(first), told(other)),
        Permission::AnyOf(list) => several(list, " or "),
        Permission::AllOf(list) => several(list, " and "),
        Permission::Given(name, then) => format!("with the parameter {name}: {}", told(then)),
        Permission::Own => "the user that userid names".to_owned(),
        Permission::Realm => "Realm.AllocateUser on /access/realm/{realm of userid}".to_owned(),
        Permission::Groups { any_of, of } => {
            let which = match of {
                Groups::Present => "a group that the user is in",
                Groups::Asked => "each group of the parameter groups",
                Groups::Both => "a group that the user is in, and each of the parameter groups",
            };
            format!("{} on {which}", any_of.join(" or "))
        }
        Permission::Permissions => {
            "Permissions.Modify on the path, or the privilege to make what stands there".to_owned()
        }
        Permission::Ticket(then) => format!("{}; not by an API token", told(then)),
    }
}
