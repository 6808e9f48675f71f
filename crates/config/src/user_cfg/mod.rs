//! `/etc/pve/user.cfg`: users with their tokens, groups, pools, roles and access control lists (api.md 2.3).

mod parse;
mod print;
#[cfg(test)]
mod tests;

pub use parse::parse;
pub use print::print;

use model::{UserId, Vmid};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// All that the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserCfg {
    /// The users, with their realms. `root@pam` is always there.
    pub users: BTreeMap<UserId, User>,
    /// The groups by name.
    pub groups: BTreeMap<String, Group>,
    /// The pools by name.
    pub pools: BTreeMap<String, Pool>,
    /// The privileges of the roles that are not built in, by name.
    pub roles: BTreeMap<String, BTreeSet<String>>,
    /// The access control lists: path, who, role, and whether it holds below the path too.
    pub acl: BTreeMap<String, BTreeMap<Subject, BTreeMap<String, bool>>>,
    /// Lines that were not understood, in their order.
    pub kept: Vec<String>,
    /// SHA-1 of the raw file that was read, in lower-case hexadecimal.
    pub digest: String,
}

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// Whether it may log in.
    pub enable: bool,
    /// When it ceases to, in seconds since the Unix epoch; 0 for never.
    pub expire: u64,
    /// The first name.
    pub firstname: String,
    /// The last name.
    pub lastname: String,
    /// The address of its mail.
    pub email: String,
    /// What is noted about it.
    pub comment: String,
    /// Keys of a second factor.
    pub keys: String,
    /// Its tokens by name.
    pub tokens: BTreeMap<String, Token>,
}

/// A token of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Token {
    /// When it ceases to be valid, in seconds since the Unix epoch; 0 for never.
    pub expire: u64,
    /// Whether it has no more rights than it is given itself.
    pub privsep: bool,
    /// What is noted about it.
    pub comment: String,
}

/// A group of users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// Its members.
    pub users: BTreeSet<UserId>,
    /// What is noted about it.
    pub comment: String,
}

/// A pool of guests and storages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pool {
    /// What is noted about it.
    pub comment: String,
    /// Its guests.
    pub vms: BTreeSet<Vmid>,
    /// Its storages.
    pub storage: BTreeSet<model::StorageId>,
}

/// Whom an access control list gives a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// All members of a group.
    Group(String),
    /// A user or a token.
    User(UserId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Group(group) => write!(f, "@{group}"),
        }
    }
}

/// A line that is warned about; it displays Proxmox VE's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("user config - {problem}")]
pub struct UserWarning {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong, and that it is ignored.
    pub problem: String,
}

impl UserCfg {
    /// A user's token.
    #[must_use]
    pub fn token(&self, id: &UserId) -> Option<&Token> {
        self.users.get(&id.owner())?.tokens.get(id.token()?)
    }

    /// The groups that a user is a member of.
    pub fn groups_of<'a>(&'a self, user: &'a UserId) -> impl Iterator<Item = &'a str> {
        self.groups.iter().filter(|(_, group)| group.users.contains(user)).map(|(name, _)| name.as_str())
    }

    /// Removes a user with its tokens from everything that names it; says whether it was there.
    pub fn remove_user(&mut self, user: &UserId) -> bool {
        self.groups.values_mut().for_each(|group| {
            group.users.remove(user);
        });
        self.forget(|subject| matches!(subject, Subject::User(id) if id.owner() == *user));
        self.users.remove(user).is_some()
    }

    /// Removes a token from everything that names it; says whether it was there.
    pub fn remove_token(&mut self, id: &UserId) -> bool {
        self.forget(|subject| matches!(subject, Subject::User(other) if other == id));
        let user = self.users.get_mut(&id.owner());
        user.zip(id.token()).is_some_and(|(user, token)| user.tokens.remove(token).is_some())
    }

    /// Removes a group from everything that names it; says whether it was there.
    pub fn remove_group(&mut self, name: &str) -> bool {
        self.forget(|subject| matches!(subject, Subject::Group(group) if group == name));
        self.groups.remove(name).is_some()
    }

    /// Removes a role from all access control lists; says whether it was there.
    pub fn remove_role(&mut self, name: &str) -> bool {
        for subjects in self.acl.values_mut() {
            for roles in subjects.values_mut() {
                roles.remove(name);
            }
        }
        self.tidy();
        self.roles.remove(name).is_some()
    }

    /// Puts a guest into a pool, and out of any other.
    pub fn join_pool(&mut self, name: &str, vmid: Vmid) {
        for (other, pool) in &mut self.pools {
            if other == name {
                pool.vms.insert(vmid)
            } else {
                pool.vms.remove(&vmid)
            };
        }
    }

    /// Removes a pool and the rights on it.
    pub fn remove_pool(&mut self, name: &str) {
        self.pools.remove(name);
        self.acl.remove(&format!("/pool/{name}"));
    }

    /// Removes a guest from its pool, and the rights on it: a later one of its number is another one.
    pub fn remove_guest(&mut self, vmid: Vmid) {
        self.pools.values_mut().for_each(|pool| {
            pool.vms.remove(&vmid);
        });
        self.acl.remove(&format!("/vms/{vmid}"));
    }

    /// Gives somebody a role on a path.
    pub fn grant(&mut self, path: &str, subject: Subject, role: &str, propagate: bool) {
        let subjects = self.acl.entry(path.to_owned()).or_default();
        subjects.entry(subject).or_default().insert(role.to_owned(), propagate);
    }

    /// Takes a role on a path from somebody.
    pub fn revoke(&mut self, path: &str, subject: &Subject, role: &str) {
        if let Some(roles) = self.acl.get_mut(path).and_then(|subjects| subjects.get_mut(subject)) {
            roles.remove(role);
        }
        self.tidy();
    }

    fn forget(&mut self, which: impl Fn(&Subject) -> bool) {
        self.acl.values_mut().for_each(|subjects| subjects.retain(|subject, _| !which(subject)));
        self.tidy();
    }

    fn tidy(&mut self) {
        for subjects in self.acl.values_mut() {
            subjects.retain(|_, roles| !roles.is_empty());
        }
        self.acl.retain(|_, subjects| !subjects.is_empty());
    }
}

/// Whether a text can be the name of a group or a role: letters, digits, `.`, `-` and `_`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
}

/// Whether a user of this id can be named in lists, beside being one: `user.cfg` separates users by commas and marks groups
/// by `@`.
#[must_use]
pub fn is_listable(user: &UserId) -> bool {
    let name = user.name();
    !name.starts_with('@') && !name.contains([',', ';', '\0']) && !name.chars().any(char::is_control)
}

/// A path of access control in its one form: no empty parts, none of them with special characters, a slash at the
/// beginning, which may be missing, and none at the end. None where there is no such form.
#[must_use]
pub fn normal_path(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let plain = |part: &&str| {
        part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) && !matches!(*part, "." | "..")
    };
    (!path.is_empty() && parts.iter().all(plain)).then(|| format!("/{}", parts.join("/")))
}
