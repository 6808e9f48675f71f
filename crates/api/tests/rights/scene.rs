//! A root with a few guests and users.

use access::Rights;
use api::{ApiError, Authority, Context, Given, Origin, Output, Verb};
use config::secrets::Form;
use model::{Layout, Stream};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use store::ConfigStore;

pub(crate) const USERS: &str = "user:root@pam:1:0::::::\nuser:admin@pve:1:0::::::\nuser:auditor@pve:1:0::::::\n\
    user:ann@pve:1:0::::::\nuser:bob@pve:1:0::::::\n\
    token:root@pam!full:0:0::\ntoken:ann@pve!full:0:0::\ntoken:ann@pve!separate:0:1::\n\
    group:g:ann@pve::\nrole:Hooks:VM.Audit,VM.Config.Hookscript:\n\
    acl:1:/:admin@pve:Administrator:\nacl:1:/:auditor@pve:PVEAuditor:\n\
    acl:1:/vms/100:ann@pve:PVEVMUser:\nacl:1:/vms/100:ann@pve!separate:PVEAuditor:\n";

pub(crate) struct Scene {
    pub(crate) store: ConfigStore,
    _folder: tempfile::TempDir,
}

struct Silent;

impl Output for Silent {
    fn write(&mut self, _: Stream, _: &[u8]) {}
}

impl Scene {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        store::init_root(&layout, &"pve1".parse().unwrap()).unwrap();
        fs::write(layout.user_cfg(), USERS).unwrap();
        let own = layout.pve().join("nodes/pve1");
        fs::write(
            own.join("qemu-server/100.conf"),
            "cores: 1\nide2: none,media=cdrom\nmemory: 32\nserial0: socket\n",
        )
        .unwrap();
        fs::write(own.join("qemu-server/101.conf"), "memory: 32\n").unwrap();
        fs::write(
            own.join("lxc/200.conf"),
            "arch: amd64\nmemory: 32\nrootfs: local:200/vm-200-disk-0.raw\nunprivileged: 1\n",
        )
        .unwrap();
        let store = ConfigStore::open(layout).unwrap();
        let lock = store.lock_access().unwrap();
        let hash = access::password::hash("ann-secret").unwrap();
        lock.change_secrets(Form::Shadow, |secrets| {
            secrets.all.insert("ann".to_owned(), hash);
        })
        .unwrap();
        drop(lock);
        Self { store, _folder: folder }
    }

    /// Gives somebody a role.
    pub(crate) fn grant(&self, line: &str) {
        let path = self.store.layout().user_cfg();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}{line}\n")).unwrap();
    }

    /// Puts a hookscript there.
    pub(crate) fn script(&self, name: &str, text: &str) {
        let path = self.store.layout().at("var/lib/vz/snippets").join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What somebody may do; nothing for no name, everything for `owner`.
    pub(crate) fn authority(&self, who: &str) -> Authority {
        match who {
            "" => Authority::Nobody,
            "owner" => Authority::Owner,
            who => {
                let rights = Rights::new(self.store.user_cfg().unwrap().0);
                Authority::User(who.parse().unwrap(), Arc::new(rights))
            }
        }
    }

    pub(crate) fn with<T>(&self, who: &str, call: impl FnOnce(&Context<'_>) -> T) -> T {
        let mut silent = Silent;
        call(&Context::new(&self.store, self.authority(who), Origin::Server, &mut silent))
    }

    pub(crate) fn call(
        &self,
        who: &str,
        verb: Verb,
        path: &str,
        given: &[(&str, &str)],
    ) -> Result<Value, ApiError> {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), Given::One((*value).to_owned())));
        self.with(who, |context| api::call(context, verb, path, given))
    }

    /// How a call is refused, or `ok`.
    pub(crate) fn told(&self, who: &str, verb: Verb, path: &str, given: &[(&str, &str)]) -> String {
        match self.call(who, verb, path, given) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.printed().trim_end().to_owned(),
        }
    }
}
