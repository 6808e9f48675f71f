//! `pvesm`, for storages (api.md 5.5).

use super::print::{field, plain, text};
use crate::cli::{Answer, Command, Program};
use api::nodes::storage::{content, status, upload};
use api::{ApiError, Given, storage_cfg};
use serde_json::Value;
use std::fmt::Write as _;

/// `pvesm`
pub(crate) static PVESM: Program = Program {
    name: "pvesm",
    about: "Storages: what they hold and where it lies.",
    example: "path",
    commands: &[
        Command::new("add", &storage_cfg::ADD, &["type", "storage"])
            .example("pvesm add dir fast --path /srv/fast --content images,snippets"),
        Command::new("alloc", &content::ALLOC, &["storage", "vmid", "filename", "size"])
            .example("pvesm alloc local 100 vm-100-disk-1.qcow2 4G --format qcow2")
            .print(allocated),
        Command::new("free", &content::FREE, &["volume"]).example("pvesm free local:100/vm-100-disk-1.qcow2"),
        Command::new("list", &content::LIST, &["storage"])
            .example("pvesm list local --content snippets")
            .print(list),
        Command::new("path", &content::PATH, &["volume"])
            .example("pvesm path local:snippets/hook.sh")
            .print(text),
        Command::new("remove", &storage_cfg::REMOVE, &["storage"]).example("pvesm remove fast"),
        Command::new("set", &storage_cfg::SET, &["storage"])
            .example("pvesm set fast --content images,rootdir,snippets"),
        Command::new("status", &status::STATUS, &[]).example("pvesm status").print(storages),
        Command::new("upload", &upload::UPLOAD, &["storage", "tmpfilename"])
            .example("pvesm upload local ./hook.sh")
            .fix(name_upload),
    ],
    aliases: &[],
    undone: &[
        "apiinfo",
        "cifsscan",
        "export",
        "extractconfig",
        "glusterfsscan",
        "import",
        "iscsiscan",
        "lvmscan",
        "lvmthinscan",
        "nfsscan",
        "pbsscan",
        "prune-backups",
        "scan",
        "zfsscan",
    ],
};

/// A file's own name and extension say what it is, where nothing else is given.
fn name_upload(mut given: Vec<(String, Given)>) -> Result<Vec<(String, Given)>, ApiError> {
    let find = |name: &str| given.iter().find(|(key, _)| key == name).map(|(_, value)| value.joined());
    let path = find("tmpfilename").unwrap_or_default();
    let whole = std::path::absolute(&path).map_err(|source| ApiError::File {
        what: "unable to read",
        path: path.clone().into(),
        source,
    })?;
    let name = find("filename").unwrap_or_else(|| path.rsplit('/').next().unwrap_or_default().to_owned());
    let mut more = vec![("filename", name.clone())];
    if find("content").is_none() {
        more.push(("content", content_of(&name).to_owned()));
    }
    given.retain(|(key, _)| key != "filename" && key != "tmpfilename");
    given.push(("tmpfilename".to_owned(), Given::One(whole.to_string_lossy().into_owned())));
    given.extend(more.into_iter().map(|(key, value)| (key.to_owned(), Given::One(value))));
    Ok(given)
}

fn content_of(name: &str) -> &'static str {
    let name = name.to_ascii_lowercase();
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    if ends(&[".iso", ".img"]) {
        "iso"
    } else if ends(&[".tar", ".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2"]) {
        "vztmpl"
    } else if ends(&[".ova", ".ovf", ".qcow2", ".raw", ".vmdk"]) {
        "import"
    } else {
        "snippets"
    }
}

fn allocated(answer: &Answer<'_>) -> (String, u8) {
    (format!("successfully created '{}'\n", plain(answer.value)), 0)
}

fn storages(answer: &Answer<'_>) -> (String, u8) {
    let rows: Vec<&Value> = answer.value.as_array().into_iter().flatten().collect();
    let width = rows.iter().map(|row| field(row, "storage").len() + 1).max().unwrap_or(0);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:<width$} {:>10} {:>10} {:>15} {:>15} {:>15} {:>8}",
        "Name", "Type", "Status", "Total (KiB)", "Used (KiB)", "Available (KiB)", "%"
    );
    for row in rows {
        let number = |key: &str| row[key].as_u64().unwrap_or(0);
        let state = match (number("enabled"), number("active")) {
            (0, _) => "disabled",
            (_, 0) => "inactive",
            _ => "active",
        };
        let (total, used) = (number("total"), number("used"));
        let share = if total > 0 { used as f64 * 100.0 / total as f64 } else { 0.0 };
        let percent = if number("enabled") == 1 { format!("{share:7.2}%") } else { "N/A".to_owned() };
        let _ = writeln!(
            text,
            "{:<width$} {:>10} {state:>10} {:>15} {:>15} {:>15} {percent:>8}",
            field(row, "storage"),
            field(row, "type"),
            total / 1024,
            used / 1024,
            number("avail") / 1024,
        );
    }
    (text, 0)
}

fn list(answer: &Answer<'_>) -> (String, u8) {
    let rows: Vec<&Value> = answer.value.as_array().into_iter().flatten().collect();
    let widest = |key: &str| rows.iter().map(|row| field(row, key).len()).max().unwrap_or(0);
    let (volid, size) = (widest("volid").max("Volid".len()), widest("size"));
    let kind = 9;
    let mut text = String::new();
    let _ = writeln!(text, "{:<volid$} {:<7} {:<kind$} {:>size$} VMID", "Volid", "Format", "Type", "Size");
    let owned = rows.iter().filter(|row| row.get("vmid").is_some());
    let mut free: Vec<_> = rows.iter().filter(|row| row.get("vmid").is_none()).collect();
    free.sort_by_key(|row| field(row, "format"));
    for row in owned.chain(free) {
        let line = format!(
            "{:<volid$} {:<7} {:<kind$} {:>size$} {}",
            field(row, "volid"),
            field(row, "format"),
            field(row, "content"),
            field(row, "size"),
            field(row, "vmid"),
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    (text, 0)
}
