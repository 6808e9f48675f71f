//! The privileges there are, and the roles that are built in (api.md 2.4).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// One kind of thing, with the privileges on it by the kind of role that has them.
struct Category {
    name: &'static str,
    /// Only `Administrator` has these.
    root: &'static [&'static str],
    admin: &'static [&'static str],
    user: &'static [&'static str],
    audit: &'static [&'static str],
}

const CATEGORIES: &[Category] = &[
    Category {
        name: "VM",
        // The one privilege that Proxmox VE does not have.
        root: &["VM.Config.Hookscript"],
        admin: &[
            "VM.Allocate",
            "VM.Clone",
            "VM.Config.CPU",
            "VM.Config.Disk",
            "VM.Config.HWType",
            "VM.Config.Memory",
            "VM.Config.Network",
            "VM.Config.Options",
            "VM.GuestAgent.FileRead",
            "VM.GuestAgent.FileSystemMgmt",
            "VM.GuestAgent.FileWrite",
            "VM.GuestAgent.Unrestricted",
            "VM.Migrate",
            "VM.Replicate",
            "VM.Snapshot",
            "VM.Snapshot.Rollback",
        ],
        user: &["VM.Backup", "VM.Config.CDROM", "VM.Config.Cloudinit", "VM.Console", "VM.PowerMgmt"],
        audit: &["VM.Audit", "VM.GuestAgent.Audit"],
    },
    Category {
        name: "Sys",
        root: &["Sys.AccessNetwork", "Sys.Incoming", "Sys.Modify", "Sys.PowerMgmt"],
        admin: &["Permissions.Modify", "Sys.Console", "Sys.Syslog"],
        user: &[],
        audit: &["Sys.Audit"],
    },
    Category {
        name: "Datastore",
        root: &[],
        admin: &["Datastore.Allocate", "Datastore.AllocateTemplate"],
        user: &["Datastore.AllocateSpace"],
        audit: &["Datastore.Audit"],
    },
    Category { name: "SDN", root: &[], admin: &["SDN.Allocate"], user: &["SDN.Use"], audit: &["SDN.Audit"] },
    Category {
        name: "User",
        root: &["Realm.Allocate"],
        admin: &["Group.Allocate", "Realm.AllocateUser", "User.Modify"],
        user: &[],
        audit: &[],
    },
    Category {
        name: "Pool",
        root: &[],
        admin: &["Pool.Allocate"],
        user: &["Pool.Audit"],
        audit: &["Pool.Audit"],
    },
    Category {
        name: "Mapping",
        root: &[],
        admin: &["Mapping.Modify"],
        user: &["Mapping.Use"],
        audit: &["Mapping.Audit"],
    },
];

/// The privilege to set an approved hookscript.
pub const HOOKSCRIPT: &str = "VM.Config.Hookscript";

/// The role that takes all rights away.
pub const NO_ACCESS: &str = "NoAccess";

/// The role of all rights.
pub const ADMINISTRATOR: &str = "Administrator";

/// All privileges.
pub static PRIVILEGES: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    let each = CATEGORIES.iter().flat_map(|kind| [kind.root, kind.admin, kind.user, kind.audit]);
    each.flatten().copied().collect()
});

/// The privileges of the roles that are built in.
pub static BUILT_IN: LazyLock<BTreeMap<String, BTreeSet<&'static str>>> = LazyLock::new(|| {
    let mut roles: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    let mut add = |role: String, privileges: &[&[&'static str]]| {
        roles.entry(role).or_default().extend(privileges.iter().copied().flatten());
    };
    for Category { name, root, admin, user, audit } in CATEGORIES {
        add(ADMINISTRATOR.to_owned(), &[root, admin, user, audit]);
        add("PVEAdmin".to_owned(), &[admin, user, audit]);
        add("PVEAuditor".to_owned(), &[audit]);
        add(format!("PVE{name}Admin"), &[admin, user, audit]);
        if !user.is_empty() {
            add(format!("PVE{name}User"), &[user, audit]);
        }
    }
    add(NO_ACCESS.to_owned(), &[]);
    add("PVETemplateUser".to_owned(), &[&["VM.Audit", "VM.Clone"]]);
    roles
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roles_are_proxmox_ves() {
        let names: Vec<&str> = BUILT_IN.keys().map(String::as_str).collect();
        let want = [
            "Administrator",
            "NoAccess",
            "PVEAdmin",
            "PVEAuditor",
            "PVEDatastoreAdmin",
            "PVEDatastoreUser",
            "PVEMappingAdmin",
            "PVEMappingUser",
            "PVEPoolAdmin",
            "PVEPoolUser",
            "PVESDNAdmin",
            "PVESDNUser",
            "PVESysAdmin",
            "PVETemplateUser",
            "PVEUserAdmin",
            "PVEVMAdmin",
            "PVEVMUser",
        ];
        assert_eq!(names, want);
        assert_eq!(BUILT_IN[ADMINISTRATOR], *PRIVILEGES);
        assert!(BUILT_IN[NO_ACCESS].is_empty());
        for (role, privilege, has) in [
            ("PVEAdmin", "Sys.PowerMgmt", false),
            ("PVEAdmin", "Permissions.Modify", true),
            ("PVEAdmin", HOOKSCRIPT, false),
            ("PVEVMAdmin", HOOKSCRIPT, false),
            ("PVEVMUser", "VM.PowerMgmt", true),
            ("PVEVMUser", "VM.Config.CPU", false),
            ("PVEAuditor", "VM.Audit", true),
            ("PVEAuditor", "VM.PowerMgmt", false),
        ] {
            assert_eq!(BUILT_IN[role].contains(privilege), has, "{role} {privilege}");
        }
    }
}
