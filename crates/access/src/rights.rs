//! What a user or token may do where: the evaluation of `user.cfg` (api.md 2.4).
//!
//! A path is walked from `/` down. At each level the entry for the token goes before that for the user, and that before
//! those for its groups; what is found replaces what came from above, of which only propagating entries come down.
//! `NoAccess` takes all away. Pools add to guests and storages. A token with privilege separation has what both it and
//! its user have.

use crate::roles::{ADMINISTRATOR, BUILT_IN, NO_ACCESS};
use config::user_cfg::{Subject, UserCfg, normal_path};
use model::UserId;
use std::collections::BTreeMap;

/// What everybody may do, as one `user.cfg` says.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    cfg: UserCfg,
}

/// Roles, and whether each holds below too.
type Roles<'a> = BTreeMap<&'a str, bool>;

impl Rights {
    /// What a `user.cfg` says.
    #[must_use]
    pub fn new(cfg: UserCfg) -> Self {
        Self { cfg }
    }

    /// The file that it is from.
    #[must_use]
    pub fn cfg(&self) -> &UserCfg {
        &self.cfg
    }

    /// Whether somebody has at least one of these privileges on a path.
    #[must_use]
    pub fn has_any(&self, who: &UserId, path: &str, privileges: &[&str]) -> bool {
        let there = self.privileges(who, path);
        privileges.iter().any(|privilege| there.contains_key(*privilege))
    }

    /// All privileges of somebody on a path, and whether each holds below it too. A path that cannot be one has none.
    #[must_use]
    pub fn privileges(&self, who: &UserId, path: &str) -> BTreeMap<String, bool> {
        let Some(path) = normal_path(path) else { return BTreeMap::new() };
        let owner = who.owner();
        if who.token().is_none() {
            return self.expand(&self.roles_with_pools(&owner, &path));
        }
        let Some(token) = self.cfg.token(who) else { return BTreeMap::new() };
        let mut there = self.expand(&self.roles_with_pools(&owner, &path));
        if token.privsep {
            let own = self.expand(&self.roles_with_pools(who, &path));
            there.retain(|privilege, _| own.contains_key(privilege));
            for (privilege, propagate) in &mut there {
                *propagate &= own[privilege];
            }
        }
        there
    }

    /// The paths that access control lists name for anybody, and those of guests and storages in pools.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = self.cfg.acl.keys().cloned().collect();
        for (name, pool) in &self.cfg.pools {
            paths.push(format!("/pool/{name}"));
            paths.extend(pool.vms.iter().map(|vmid| format!("/vms/{vmid}")));
            paths.extend(pool.storage.iter().map(|storage| format!("/storage/{storage}")));
        }
        paths.sort();
        paths.dedup();
        paths
    }

    /// The privileges of a role; none where there is no such role.
    pub fn role(&self, name: &str) -> Option<Vec<&str>> {
        match BUILT_IN.get(name) {
            Some(there) => Some(there.iter().copied().collect()),
            None => self.cfg.roles.get(name).map(|there| there.iter().map(String::as_str).collect()),
        }
    }

    fn expand(&self, roles: &Roles<'_>) -> BTreeMap<String, bool> {
        let mut privileges: BTreeMap<String, bool> = BTreeMap::new();
        for (role, propagate) in roles {
            for privilege in self.role(role).unwrap_or_default() {
                *privileges.entry(privilege.to_owned()).or_default() |= propagate;
            }
        }
        privileges
    }

    fn roles_with_pools(&self, who: &UserId, path: &str) -> Roles<'_> {
        let mut roles = self.roles(who, path);
        if roles.contains_key(NO_ACCESS) {
            return Roles::from([(NO_ACCESS, true)]);
        }
        for pool in self.pools_with(path) {
            let added = self.roles(who, &format!("/pool/{pool}"));
            if added.contains_key(NO_ACCESS) {
                return Roles::from([(NO_ACCESS, true)]);
            }
            added.into_keys().for_each(|role| {
                roles.entry(role).or_insert(true);
            });
        }
        roles
    }

    /// The pools that the guest or storage of a path is in.
    fn pools_with(&self, path: &str) -> impl Iterator<Item = &str> {
        let vmid = path.strip_prefix("/vms/").and_then(|vmid| vmid.parse().ok());
        let storage = path.strip_prefix("/storage/").and_then(|storage| storage.parse().ok());
        let holds = move |pool: &config::user_cfg::Pool| {
            vmid.is_some_and(|vmid| pool.vms.contains(&vmid))
                || storage.as_ref().is_some_and(|storage| pool.storage.contains(storage))
        };
        self.cfg.pools.iter().filter(move |(_, pool)| holds(pool)).map(|(name, _)| name.as_str())
    }

    /// The roles of a user or of a token itself on a path, without those by pools.
    fn roles(&self, who: &UserId, path: &str) -> Roles<'_> {
        if *who == UserId::root() {
            return Roles::from([(ADMINISTRATOR, true)]);
        }
        if !self.cfg.users.get(&who.owner()).is_some_and(|user| user.enable) {
            return Roles::new();
        }
        let groups: Vec<&str> = match who.token() {
            Some(_) => Vec::new(),
            None => {
                let member = |(_, group): &(&String, &config::user_cfg::Group)| group.users.contains(who);
                self.cfg.groups.iter().filter(member).map(|(name, _)| name.as_str()).collect()
            }
        };
        let mut roles = Roles::new();
        for level in levels(path) {
            let Some(subjects) = self.cfg.acl.get(level) else { continue };
            let counts = |propagate: bool| propagate || level == path;
            let of = |subject: &Subject| -> Roles<'_> {
                let there = subjects.get(subject).into_iter().flatten();
                there
                    .filter(|(_, propagate)| counts(**propagate))
                    .map(|(role, propagate)| (role.as_str(), *propagate))
                    .collect()
            };
            let mut found = of(&Subject::User(who.clone()));
            if found.is_empty() {
                for group in &groups {
                    for (role, propagate) in of(&Subject::Group((*group).to_owned())) {
                        *found.entry(role).or_default() |= propagate;
                    }
                }
            }
            if !found.is_empty() {
                roles = found;
            }
        }
        roles
    }
}

/// `/`, `/vms`, `/vms/100`
fn levels(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').skip(1).map(|(end, _)| end).chain(Some(path.len()));
    std::iter::once("/").chain(ends.filter(|end| *end > 1).map(|end| &path[..end]))
}

#[cfg(test)]
mod tests;
