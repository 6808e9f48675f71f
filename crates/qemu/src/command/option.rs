use std::ffi::OsString;
use std::fmt::{Display, Write as _};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// A value of comma-separated settings, as most of QEMU's options take: `first,key=value,…`. A comma within a value is
/// doubled (qemu(1), "-drive").
#[derive(Debug, Clone)]
pub(super) struct Value(Vec<u8>);

impl Value {
    /// Begins with a word, or with `key=value` that needs no escape.
    pub(super) fn new(first: impl Into<String>) -> Self {
        Self(first.into().into_bytes())
    }

    /// Nothing yet.
    pub(super) fn empty() -> Self {
        Self(Vec::new())
    }

    /// Adds a setting.
    pub(super) fn set(mut self, key: &str, value: impl Display) -> Self {
        let mut text = String::new();
        let _ = write!(text, "{value}");
        self.push(key, text.as_bytes());
        self
    }

    /// Adds a setting, where there is a value.
    pub(super) fn set_some(self, key: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.set(key, value),
            None => self,
        }
    }

    /// Adds a setting that is a path.
    pub(super) fn path(mut self, key: &str, path: &Path) -> Self {
        self.push(key, path.as_os_str().as_bytes());
        self
    }

    /// Adds what is already in QEMU's form, such as `addr=0x3` or a CPU flag.
    pub(super) fn raw(mut self, text: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push(b',');
        }
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn push(&mut self, key: &str, value: &[u8]) {
        if !self.0.is_empty() {
            self.0.push(b',');
        }
        self.0.extend_from_slice(key.as_bytes());
        self.0.push(b'=');
        for &byte in value {
            if byte == b',' {
                self.0.push(b',');
            }
            self.0.push(byte);
        }
    }
}

impl From<Value> for OsString {
    fn from(value: Value) -> Self {
        Self::from_vec(value.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_a_value_is_doubled() {
        let value =
            Value::new("socket").set("id", "qmp").path("path", Path::new("/a,b/100.qmp")).raw("server=on");
        assert_eq!(OsString::from(value), "socket,id=qmp,path=/a,,b/100.qmp,server=on");
        assert_eq!(OsString::from(Value::empty().set("file", "x").set_some("size", None::<u32>)), "file=x");
    }
}
