//! Who may call a method, as data, and its evaluation (api.md 2.4, Annex A).

use crate::access::{Refused, refused};
use crate::{ApiError, Authority, Params};
use access::Rights;
use model::UserId;

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
    /// This, or what Proxmox VE does not know; without both it refuses in the words of the first.
    Besides(&'static Permission, &'static Permission),
    /// One of these.
    AnyOf(&'static [Permission]),
    /// All of these.
    AllOf(&'static [Permission]),
    /// This, where the parameter is given; it fails where it is not.
    Given(&'static str, &'static Permission),
    /// The parameter `userid` names the caller itself.
    Own,
    /// The privilege to have users in the realm of the parameter `userid`.
    Realm,
    /// Privileges on the groups of the user that the parameter `userid` names.
    Groups {
        /// The privileges' names.
        any_of: &'static [&'static str],
        /// Which groups count.
        of: Groups,
    },
    /// To hand out rights on the path that the parameter `path` names.
    Permissions,
    /// This, and not by an API token.
    Ticket(&'static Permission),
}

/// Which groups [`Permission::Groups`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// Any that the user is in.
    Present,
    /// Each one of the parameter `groups`, and there is one: the user is yet to be made.
    Asked,
    /// Any that the user is in, and each one of the parameter `groups`.
    Both,
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

/// Refuses a caller that has not what is needed. `path` is what it asked for.
///
/// # Errors
///
/// [`ApiError::NoTicket`] and [`ApiError::Denied`], with Proxmox VE's texts.
pub(crate) fn permit(
    authority: &Authority,
    needed: &Permission,
    path: &str,
    params: &Params,
) -> Result<(), ApiError> {
    match authority {
        Authority::Owner => Ok(()),
        Authority::Nobody if *needed == Permission::World => Ok(()),
        Authority::Nobody => match needed {
            Permission::Ticket(Permission::World) => Ok(()),
            _ => Err(ApiError::NoTicket),
        },
        Authority::User(user, rights) => Caller { user, rights, path, params }.permit(needed),
    }
}

/// An authenticated caller, and what it asks for.
struct Caller<'a> {
    user: &'a UserId,
    rights: &'a Rights,
    path: &'a str,
    params: &'a Params,
}

fn denied(text: impl Into<String>) -> ApiError {
    ApiError::Denied(text.into())
}

impl Caller<'_> {
    fn permit(&self, needed: &Permission) -> Result<(), ApiError> {
        let on = |good: bool| if good { Ok(()) } else { Err(denied("")) };
        match needed {
            Permission::World | Permission::User => Ok(()),
            Permission::Root if *self.user == UserId::root() => Ok(()),
            Permission::Root => Err(denied("user != root@pam")),
            Permission::Privileges { path, any_of } => self.has(&self.filled(path)?, any_of),
            Permission::Besides(usual, ours) => {
                self.permit(usual).or_else(|refused| self.permit(ours).map_err(|_| refused))
            }
            Permission::AnyOf(several) => on(several.iter().any(|one| self.permit(one).is_ok())),
            Permission::AllOf(several) => several.iter().try_for_each(|one| self.permit(one)),
            Permission::Given(name, then) if self.params.has(name) => self.permit(then),
            Permission::Given(..) => Err(denied("")),
            Permission::Own => on(self.params.text("userid") == Some(self.user.as_str())),
            Permission::Realm => {
                self.has(&format!("/access/realm/{}", self.named()?.realm()), &["Realm.AllocateUser"])
            }
            // Whoever needs nothing but this is told that the user is not there.
            Permission::Groups { any_of, of } => match self.missing(*of)? {
                Some(user) => Err(refused(Refused::NoUser(user))),
                None => on(self.groups(any_of, *of)?),
            },
            Permission::Permissions => {
                let path = self.params.text("path").unwrap_or("/access");
                self.has(path, modifies(path))
            }
            Permission::Ticket(_) if self.user.token().is_some() => {
                let Self { path, .. } = self;
                Err(denied(format!("URI '{path}' not available with API token, need proper ticket.")))
            }
            Permission::Ticket(then) => self.permit(then),
        }
    }

    fn has(&self, path: &str, any_of: &[&str]) -> Result<(), ApiError> {
        if self.rights.has_any(self.user, path, any_of) {
            return Ok(());
        }
        Err(denied(format!("{path}, {}", any_of.join("|"))))
    }

    /// A path with the caller's parameters in it.
    fn filled(&self, template: &str) -> Result<String, ApiError> {
        let mut path = String::new();
        for part in template.split('/').filter(|part| !part.is_empty()) {
            let value = match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => self.params.text(name).ok_or_else(|| denied(template))?,
                None => part,
            };
            path.push('/');
            path.push_str(value);
        }
        Ok(if path.is_empty() { "/".to_owned() } else { path })
    }

    /// The user that the call is about.
    fn named(&self) -> Result<UserId, ApiError> {
        self.params.text("userid").and_then(|id| id.parse().ok()).ok_or_else(|| denied(""))
    }

    /// The user that is asked for and that there has to be, if it is not there.
    fn missing(&self, of: Groups) -> Result<Option<UserId>, ApiError> {
        let user = self.named()?;
        let there = of == Groups::Asked || self.rights.cfg().users.contains_key(&user);
        Ok((!there).then_some(user))
    }

    fn groups(&self, any_of: &[&str], of: Groups) -> Result<bool, ApiError> {
        let user = self.named()?;
        let cfg = self.rights.cfg();
        if self.rights.has_any(self.user, "/access/groups", any_of) {
            return Ok(true);
        }
        let on = |group: &str| self.rights.has_any(self.user, &format!("/access/groups/{group}"), any_of);
        let present = || cfg.groups_of(&user).any(on);
        let asked = self.params.list("groups");
        let each = || asked.iter().all(|group| on(group));
        Ok(match of {
            Groups::Present => present(),
            Groups::Asked => !asked.is_empty() && each(),
            Groups::Both => present() && each(),
        })
    }
}

/// What lets hand out rights on a path (api.md, Annex A.1): whoever may make a thing may share it.
pub(crate) fn modifies(path: &str) -> &'static [&'static str] {
    let below = |kind: &str| path.strip_prefix(kind).is_some_and(|rest| !rest.is_empty());
    if below("/storage/") {
        &["Permissions.Modify", "Datastore.Allocate"]
    } else if below("/vms/") {
        &["Permissions.Modify", "VM.Allocate"]
    } else if below("/pool/") {
        &["Permissions.Modify", "Pool.Allocate"]
    } else {
        &["Permissions.Modify"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Given;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    const CFG: &str = "user:ann@pve:1:0::::::\nuser:bob@pve:1:0::::::\nuser:new@pve:1:0::::::\ntoken:root@pam!tt:0:0::\n\
        group:g:bob@pve::\nacl:1:/vms/100:ann@pve:PVEVMUser:\nacl:1:/access/groups/g:ann@pve:PVEUserAdmin:\n\
        acl:1:/access/realm/pve:ann@pve:PVEUserAdmin:\nacl:1:/storage/x:ann@pve:PVEDatastoreAdmin:\n";

    fn ask(who: &str, needed: &Permission, params: &[(&str, &str)]) -> String {
        let rights = Rights::new(config::user_cfg::parse(CFG.as_bytes()).0);
        let authority = match who {
            "owner" => Authority::Owner,
            "" => Authority::Nobody,
            who => Authority::User(who.parse().unwrap(), Arc::new(rights)),
        };
        let given: BTreeMap<String, Given> =
            params.iter().map(|(key, value)| ((*key).to_owned(), Given::One((*value).to_owned()))).collect();
        match permit(&authority, needed, "/the/path", &Params::unchecked(given)) {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.printed().trim_end().to_owned(),
        }
    }

    #[test]
    fn refusals_are_told_in_proxmox_ves_words() {
        const POWER: Permission = Permission::guest(&["VM.PowerMgmt"]);
        const CONFIG: Permission = Permission::guest(&["VM.Config.CPU", "VM.Config.Disk"]);
        let vm = &[("vmid", "100")];
        for (who, needed, params, answer) in [
            ("owner", Permission::Root, &[][..], "ok"),
            ("root@pam", Permission::Root, &[], "ok"),
            ("root@pam!tt", Permission::Root, &[], "403 Permission check failed (user != root@pam)"),
            ("", Permission::World, &[], "ok"),
            ("", Permission::Ticket(&Permission::World), &[], "ok"),
            ("", Permission::User, &[], "401 No ticket"),
            ("", POWER, vm, "401 No ticket"),
            ("bob@pve", Permission::User, &[], "ok"),
            ("ann@pve", POWER, vm, "ok"),
            ("ann@pve", POWER, &[("vmid", "101")], "403 Permission check failed (/vms/101, VM.PowerMgmt)"),
            (
                "ann@pve",
                POWER,
                &[("vmid", "100/../101")],
                "403 Permission check failed (/vms/100/../101, VM.PowerMgmt)",
            ),
            ("ann@pve", CONFIG, vm, "403 Permission check failed (/vms/100, VM.Config.CPU|VM.Config.Disk)"),
            ("ann@pve", Permission::AnyOf(&[CONFIG, POWER]), vm, "ok"),
            ("ann@pve", Permission::AnyOf(&[CONFIG, Permission::Root]), vm, "403 Permission check failed"),
            (
                "ann@pve",
                Permission::AllOf(&[POWER, CONFIG]),
                vm,
                "403 Permission check failed (/vms/100, VM.Config.CPU|VM.Config.Disk)",
            ),
            ("ann@pve", Permission::Given("vmid", &POWER), vm, "ok"),
            ("ann@pve", Permission::Given("pool", &POWER), vm, "403 Permission check failed"),
            (
                "root@pam!tt",
                Permission::Ticket(&Permission::World),
                &[],
                "403 Permission check failed (URI '/the/path' not available with API token, need proper ticket.)",
            ),
            ("ann@pve", Permission::Permissions, &[("path", "/storage/x")], "ok"),
            (
                "ann@pve",
                Permission::Permissions,
                &[("path", "/vms/100")],
                "403 Permission check failed (/vms/100, Permissions.Modify|VM.Allocate)",
            ),
        ] {
            assert_eq!(ask(who, &needed, params), answer, "{who} {needed:?}");
        }
    }

    #[test]
    fn users_are_managed_by_realm_and_groups() {
        let groups = |of| Permission::Groups { any_of: &["User.Modify"], of };
        for (who, needed, params, good) in [
            ("ann@pve", Permission::Own, &[("userid", "ann@pve")][..], true),
            ("bob@pve", Permission::Own, &[("userid", "ann@pve")], false),
            ("ann@pve", Permission::Realm, &[("userid", "bob@pve")], true),
            ("ann@pve", Permission::Realm, &[("userid", "bob@pam")], false),
            ("ann@pve", groups(Groups::Present), &[("userid", "bob@pve")], true),
            ("ann@pve", groups(Groups::Present), &[("userid", "new@pve")], false),
            ("ann@pve", groups(Groups::Present), &[("userid", "none@pve")], false),
            ("root@pam!tt", groups(Groups::Present), &[("userid", "none@pve")], false),
            ("root@pam!tt", groups(Groups::Present), &[("userid", "new@pve")], true),
            ("ann@pve", groups(Groups::Asked), &[("userid", "x@pve")], false),
            ("ann@pve", groups(Groups::Asked), &[("userid", "x@pve"), ("groups", "g")], true),
            ("ann@pve", groups(Groups::Asked), &[("userid", "x@pve"), ("groups", "g,h")], false),
            ("ann@pve", groups(Groups::Both), &[("userid", "bob@pve"), ("groups", "g")], true),
            ("ann@pve", groups(Groups::Both), &[("userid", "bob@pve"), ("groups", "h")], false),
        ] {
            assert_eq!(ask(who, &needed, params) == "ok", good, "{who} {needed:?} {params:?}");
        }
        // Where it is all that is needed, a user who is not there is told as such.
        let none = &[("userid", "none@pve")];
        assert_eq!(ask("ann@pve", &groups(Groups::Present), none), "no such user ('none@pve')");
    }
}
