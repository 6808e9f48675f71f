//! The tables of `pvesm` (api.md 5.5; oracle.md, transcript A), with the headings of release 9.2.

use crate::{ContentItem, StorageStatus};
use std::fmt::Write as _;

/// The output of `pvesm status`: sizes in KiB.
#[must_use]
pub fn status_table(storages: &[StorageStatus]) -> String {
    let width = storages.iter().map(|s| s.storage.as_str().len()).max().unwrap_or(0) + 1;
    let mut out = String::new();
    let mut row = |name: &str, kind: &str, state: &str, [total, used, available]: [&str; 3], share: &str| {
        // Writing to a String does not fail.
        let _ = writeln!(
            out,
            "{name:<width$} {kind:>10} {state:>10} {total:>15} {used:>15} {available:>15} {share:>8}"
        );
    };
    row("Name", "Type", "Status", ["Total (KiB)", "Used (KiB)", "Available (KiB)"], "%");
    for s in storages {
        let state = match (s.enabled, s.active) {
            (false, _) => "disabled",
            (true, false) => "inactive",
            (true, true) => "active",
        };
        let share = if s.total > 0 { s.used as f64 * 100.0 / s.total as f64 } else { 0.0 };
        let share = if s.enabled { format!("{:>7}%", format!(" {share:.2}")) } else { "N/A".to_owned() };
        let [total, used, available] = [s.total, s.used, s.available].map(|bytes| (bytes >> 10).to_string());
        row(s.storage.as_str(), s.kind, state, [&total, &used, &available], &share);
    }
    out
}

/// The output of `pvesm list`: first what belongs to guests, then the rest by format. Sizes in bytes.
#[must_use]
pub fn content_table(items: &[ContentItem]) -> String {
    let names: Vec<String> = items.iter().map(|item| item.volume.to_string()).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let digits = items.iter().map(|item| item.size).max().unwrap_or(0).to_string().len();
    let row = |name: &str, format: &str, content: &str, size: &str| {
        format!("{name:<width$} {format:<7} {content:<9} {size:>digits$}")
    };
    let mut out = format!("{} VMID\n", row("Volid", "Format", "Type", "Size"));
    let line = |at: usize| {
        row(&names[at], &items[at].format, items[at].content.as_str(), &items[at].size.to_string())
    };
    for (at, item) in items.iter().enumerate() {
        if let Some(vmid) = item.vmid {
            let _ = writeln!(out, "{} {vmid}", line(at));
        }
    }
    let mut rest: Vec<usize> = (0..items.len()).filter(|at| items[*at].vmid.is_none()).collect();
    rest.sort_by_key(|at| items[*at].format.as_str());
    for at in rest {
        let _ = writeln!(out, "{}", line(at));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::ContentType;

    fn status(id: &str, enabled: bool, active: bool, kib: [u64; 3]) -> StorageStatus {
        let [total, used, available] = kib.map(|kib| kib << 10);
        StorageStatus {
            storage: id.parse().unwrap(),
            kind: "dir",
            content: Vec::new(),
            shared: false,
            enabled,
            active,
            total,
            used,
            available,
            problem: None,
        }
    }

    #[test]
    fn status_as_observed() {
        // Transcript A; the headings are those of 9.2 (oracle.md 2.7, item 5), which have the same widths.
        let expected = "\
Name          Type     Status     Total (KiB)      Used (KiB) Available (KiB)        %
local          dir     active       264212084        18484084        76801804    7.00%
nosnip         dir     active       264212084        18484096        76801792    7.00%
off            dir   disabled               0               0               0      N/A
other          dir   disabled               0               0               0      N/A
";
        let rows = [
            status("local", true, true, [264_212_084, 18_484_084, 76_801_804]),
            status("nosnip", true, true, [264_212_084, 18_484_096, 76_801_792]),
            status("off", false, false, [0; 3]),
            status("other", false, false, [0; 3]),
        ];
        assert_eq!(status_table(&rows), expected);
    }

    #[test]
    fn status_of_a_storage_that_is_not_there_and_of_a_full_one() {
        let rows = [status("a0", true, false, [0; 3]), status("b0", true, true, [3, 3, 0])];
        let table = status_table(&rows);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines[1],
            "a0         dir   inactive               0               0               0    0.00%"
        );
        assert_eq!(
            lines[2],
            "b0         dir     active               3               3               0  100.00%"
        );
    }

    fn item(volume: &str, content: ContentType, format: &str, size: u64, vmid: Option<u32>) -> ContentItem {
        ContentItem {
            volume: volume.parse().unwrap(),
            content,
            format: format.to_owned(),
            size,
            used: None,
            parent: None,
            ctime: 0,
            vmid: vmid.map(|id| id.try_into().unwrap()),
            notes: None,
            protected: false,
        }
    }

    fn snippets() -> Vec<ContentItem> {
        [("hook.sh", 61), ("link.sh", 61), ("noexec.sh", 17), ("user.yaml", 14)]
            .map(|(name, size)| {
                item(&format!("local:snippets/{name}"), ContentType::Snippets, "snippet", size, None)
            })
            .to_vec()
    }

    #[test]
    fn lists_as_observed() {
        assert_eq!(
            content_table(&snippets()),
            "\
Volid                    Format  Type      Size VMID
local:snippets/hook.sh   snippet snippets  61
local:snippets/link.sh   snippet snippets  61
local:snippets/noexec.sh snippet snippets  17
local:snippets/user.yaml snippet snippets  14
"
        );
        let mut all = snippets();
        all.push(item("local:iso/x.iso", ContentType::Iso, "iso", 1_048_576, None));
        assert_eq!(
            content_table(&all),
            "\
Volid                    Format  Type         Size VMID
local:iso/x.iso          iso     iso       1048576
local:snippets/hook.sh   snippet snippets       61
local:snippets/link.sh   snippet snippets       61
local:snippets/noexec.sh snippet snippets       17
local:snippets/user.yaml snippet snippets       14
"
        );
    }

    #[test]
    fn what_belongs_to_guests_comes_first() {
        let items = [
            item("local:iso/x.iso", ContentType::Iso, "iso", 5, None),
            item("local:100/vm-100-disk-0.raw", ContentType::Images, "raw", 1024, Some(100)),
        ];
        assert_eq!(
            content_table(&items),
            "\
Volid                       Format  Type      Size VMID
local:100/vm-100-disk-0.raw raw     images    1024 100
local:iso/x.iso             iso     iso          5
"
        );
        assert_eq!(content_table(&[]), "Volid Format  Type      Size VMID\n");
    }
}
