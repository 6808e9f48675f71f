//! A root with guests and users, and calls as one of them.

use access::Rights;
use api::{ApiError, Authority, Context, Given, Origin, Output, Verb};
use config::user_cfg;
use model::{Layout, Stream};
use serde_json::Value;
use std::fs;
use std::sync::Arc;
use store::ConfigStore;

/// The users of the scene: `admin@pve` may do everything, `auditor@pve` look at everything, `ann@pve` use guest 100,
/// and `nobody@pve` nothing.
pub(crate) const USERS: &str = "\
user:admin@pve:1:0::::::\nuser:auditor@pve:1:0::::::\nuser:ann@pve:1:0::::::\nuser:none@pve:1:0::::::\n\
token:ann@pve!ci:0:0::\npool:web:the web:100,200:local:\n\
acl:1:/:admin@pve:Administrator:\nacl:1:/:auditor@pve:PVEAuditor:\nacl:1:/vms/100:ann@pve:PVEVMUser:\n";

pub(crate) struct Scene {
    _folder: tempfile::TempDir,
    pub(crate) store: ConfigStore,
}

struct Silence;

impl Output for Silence {
    fn write(&mut self, _: Stream, _: &[u8]) {}
}

impl Scene {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        store::init_root(&layout, &"pve1".parse().unwrap()).unwrap();
        let store = ConfigStore::open(layout).unwrap();
        fs::write(store.layout().pve().join("user.cfg"), USERS).unwrap();
        Self { _folder: folder, store }
    }

    /// With a virtual machine 100 and a container 200, both stopped.
    pub(crate) fn with_guests() -> Self {
        let scene = Self::new();
        scene.write(
            "qemu-server/100.conf",
            "name: t100\nmemory: 64\nide0: local:100/vm-100-disk-0.raw,size=1M\n",
        );
        scene.write(
            "lxc/200.conf",
            "hostname: ct200\nmemory: 64\ncores: 1\ntags: a;b\nrootfs: local:200/x,size=2G\n",
        );
        scene
    }

    /// Writes a file of the node.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.store.layout().pve().join("nodes/pve1").join(name);
        fs::write(path, text).unwrap();
    }

    pub(crate) fn layout(&self) -> &Layout {
        self.store.layout()
    }

    pub(crate) fn as_user(&self, who: &str) -> Authority {
        match who {
            "" => Authority::Nobody,
            "owner" => Authority::Owner,
            who => {
                let raw = fs::read(self.layout().pve().join("user.cfg")).unwrap();
                let rights = Arc::new(Rights::new(user_cfg::parse(&raw).0));
                Authority::User(who.parse().unwrap(), rights)
            }
        }
    }

    /// The answer, with the total that stands beside it.
    pub(crate) fn answer(
        &self,
        who: &str,
        verb: Verb,
        path: &str,
        given: &[(&str, &str)],
    ) -> Result<(Value, Option<u64>), ApiError> {
        let mut silence = Silence;
        let context = Context::new(&self.store, self.as_user(who), Origin::Server, &mut silence);
        let given = given.iter().map(|(key, value)| ((*key).to_owned(), Given::One((*value).to_owned())));
        let value = api::call(&context, verb, path, given)?;
        Ok((value, context.total()))
    }

    pub(crate) fn call(&self, who: &str, verb: Verb, path: &str, given: &[(&str, &str)]) -> Value {
        self.answer(who, verb, path, given).unwrap_or_else(|error| panic!("{path}: {}", error.printed())).0
    }

    pub(crate) fn get(&self, who: &str, path: &str) -> Value {
        self.call(who, Verb::Get, path, &[])
    }

    /// What a refused call says.
    pub(crate) fn refused(&self, who: &str, verb: Verb, path: &str, given: &[(&str, &str)]) -> String {
        match self.answer(who, verb, path, given) {
            Ok((value, _)) => panic!("{path} answered {value}"),
            Err(error) => error.printed().trim_end().to_owned(),
        }
    }
}

/// The values of a key in a list of objects.
pub(crate) fn column(list: &Value, key: &str) -> Vec<String> {
    let rows = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    rows.iter().map(|row| row[key].as_str().map_or_else(|| row[key].to_string(), str::to_owned)).collect()
}

/// The keys of an object, sorted.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
