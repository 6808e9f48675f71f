//! Files of sections: what is not changed stays as it is, and what is taken out is gone.

use config::sections::Sections;

/// A file.
pub(crate) fn files(raw: &[u8]) {
    let text = String::from_utf8_lossy(raw);
    let sections = Sections::parse(raw);
    assert_eq!(sections.print(), text);
    let first = sections.heads().next().map(|(kind, id)| (kind.to_owned(), id.to_owned()));
    let mut changed = sections.clone();
    changed.remove_word("vmid", "100", true);
    let mut again = changed.clone();
    again.remove_word("vmid", "100", true);
    assert_eq!(again, changed);
    assert_eq!(Sections::parse(changed.print().as_bytes()).print(), changed.print());
    if let Some((kind, id)) = first {
        let mut without = sections.clone();
        without.remove(|other, own| (other, own) == (kind.as_str(), id.as_str()));
        assert!(without.heads().all(|head| head != (kind.as_str(), id.as_str())));
        assert!(without.print().len() < text.len());
    }
}
