//! `pvesm`, for storages (api.md 5.5).

use super::print::{field, plain, text};
use crate::cli::{Answer, Command, Program};
use api::nodes::storage::{content, status};
use serde_json::Value;
use std::fmt::Write as _;

/// `pvesm`
pub(crate) static PVESM: Program = Program {
    name: "pvesm",
    about: "Storages: what they hold and where it lies.",
    commands: &[
        Command::new("alloc", &content::ALLOC, &["storage", "vmid", "filename", "size"]).print(allocated),
        Command::new("free", &content::FREE, &["volume"]),
        Command::new("list", &content::LIST, &["storage"]).print(list),
        Command::new("path", &content::PATH, &["volume"]).print(text),
        Command::new("status", &status::STATUS, &[]).print(storages),
    ],
    aliases: &[],
};

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
