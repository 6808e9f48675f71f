//! A root to call methods in, for tests.

use crate::{Authority, Context, Given, Origin, Output, Verb, call};
use access::Rights;
use model::{Layout, Stream};
use serde_json::Value;
use std::sync::Arc;
use store::ConfigStore;
use tempfile::TempDir;

/// An empty root with its store.
pub(crate) struct Scene {
    pub(crate) store: ConfigStore,
    cfg: String,
    _root: TempDir,
}

/// What a call printed.
struct Printed(Vec<u8>);

impl Output for Printed {
    fn write(&mut self, _: Stream, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl Scene {
    /// A root where users have the rights that `cfg` says in the grammar of `user.cfg`.
    pub(crate) fn new(cfg: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        store::init_root(&layout, &"pve1".parse().unwrap()).unwrap();
        let store = ConfigStore::open(layout).unwrap();
        Self { store, cfg: cfg.to_owned(), _root: root }
    }

    /// A file's path below the root.
    pub(crate) fn at(&self, path: &str) -> std::path::PathBuf {
        self.store.layout().at(path)
    }

    /// Calls a method as `who`, the root's owner where that is empty; gives its answer with what it printed, or the
    /// error as it is printed, without the last line's end.
    pub(crate) fn call(
        &self,
        who: &str,
        verb: Verb,
        path: &str,
        given: &[(&str, &str)],
    ) -> Result<(Value, String), String> {
        let (authority, origin) = match who {
            "" => (Authority::Owner, Origin::Command("pvesh")),
            who => {
                let rights = Rights::new(config::user_cfg::parse(self.cfg.as_bytes()).0);
                (Authority::User(who.parse().unwrap(), Arc::new(rights)), Origin::Server)
            }
        };
        let mut printed = Printed(Vec::new());
        let context = Context::new(&self.store, authority, origin, &mut printed);
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), Given::One((*value).to_owned())));
        let answer = call(&context, verb, path, given);
        drop(context);
        let text = String::from_utf8_lossy(&printed.0).into_owned();
        answer.map(|value| (value, text)).map_err(|error| error.printed().trim_end().to_owned())
    }
}
