//! Ids: what is accepted prints as it was given, and a task's log lies where it belongs.

use config::text;
use model::{Layout, NodeName, RunId, Script, StorageId, Upid, UserId, Vmid, VolumeId};
use std::fmt::{Debug, Display};
use std::str::FromStr;
use storage::VolumeName;

/// A text, as each kind of id and of small value.
pub(crate) fn texts(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    printed_as_given::<Vmid>(text);
    printed_as_given::<NodeName>(text);
    printed_as_given::<RunId>(text);
    printed_as_given::<UserId>(text);
    printed_as_given::<StorageId>(text);
    printed_as_given::<VolumeId>(text);
    printed_as_given::<Script>(text);
    printed_as_given::<Upid>(text);
    if let Ok(name) = VolumeName::parse(text) {
        assert_eq!(name.to_string(), text);
    }
    if let Ok(upid) = text.parse::<Upid>() {
        task_log(&upid);
    }
    if let Some(size) = text::parse_size(text) {
        assert_eq!(text::parse_size(&text::format_size(size)), Some(size), "{text:?}");
    }
    assert_eq!(text::percent_decode(text::percent_encode(text).as_bytes()), text);
    assert!(text::split_list(text).all(|item| !item.is_empty()));
    let _ = (config::format::startup(text), config::format::new_volume(text), text::parse_boolean(text));
}

fn printed_as_given<T: FromStr<Err: Display> + Display + Debug>(text: &str) {
    match text.parse::<T>() {
        Ok(id) => assert_eq!(id.to_string(), text),
        Err(error) => assert!(error.to_string().contains(text), "{error} does not name {text:?}"),
    }
}

/// The log of a task is a file that any file system can have, in a folder of its own tasks'.
fn task_log(upid: &Upid) {
    let layout = Layout::new("/srv/root");
    let path = layout.task_log(upid);
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    assert_eq!(name, upid.to_string());
    assert!(name.len() <= 255 && !name.chars().any(char::is_control), "{name:?} is no name of a file");
    assert_eq!(path.parent().and_then(std::path::Path::parent), Some(layout.tasks().as_path()));
}
