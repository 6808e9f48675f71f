//! A script's file: its text, its first line, its language.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What a script is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// `sh`, `bash` and their like.
    Shell,
    Perl,
    Python,
    /// A program, compiled.
    Program,
    /// Something that is not read here.
    Other,
}

/// How much of a script is read, in bytes.
const MOST: u64 = 4 * 1024 * 1024;

/// A script's file.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) bytes: Vec<u8>,
    /// The text, with other bytes replaced.
    pub(crate) text: String,
    pub(crate) language: Language,
    /// The permission bits.
    pub(crate) mode: u32,
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// Whatever the file system says; something that is no regular file; one that is too long to be a script.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let bytes = if meta.len() > MOST { first_bytes(path)? } else { fs::read(path)? };
        Ok(Self::new(
            bytes,
            path.extension().and_then(|end| end.to_str()),
            meta.mode(),
            meta.uid(),
            meta.gid(),
        ))
    }

    /// One with these bytes.
    pub(crate) fn new(bytes: Vec<u8>, extension: Option<&str>, mode: u32, user: u32, group: u32) -> Self {
        let language = language(&bytes, extension);
        let text = if language == Language::Program {
            String::new()
        } else {
            String::from_utf8_lossy(&bytes).into_owned()
        };
        // The grammars take a carriage return for a part of a word.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n");
        Self { bytes, text, language, mode, user, group }
    }

    /// What stands behind `#!`: the interpreter and the rest of the line.
    pub(crate) fn interpreter(&self) -> Option<(String, String)> {
        let rest = self.bytes.strip_prefix(b"#!")?;
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let line = line.trim_matches([' ', '\t']);
        let (program, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        Some((program.to_owned(), rest.trim().to_owned()))
    }

    /// The interpreter's name without its folder; that of `env` is the one that it looks for.
    pub(crate) fn interpreter_name(&self) -> Option<String> {
        named(&self.bytes)
    }
}

/// The name of the interpreter that stands behind `#!`.
fn named(bytes: &[u8]) -> Option<String> {
    let rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).strip_prefix(b"#!")?;
    let line = String::from_utf8_lossy(rest.split(|byte| *byte == b'\n').next().unwrap_or_default());
    let words = line.split([' ', '\t', '\r']).filter(|word| !word.is_empty());
    let mut names = words.map(|word| word.rsplit('/').next().unwrap_or(word));
    names.find(|word| *word != "env" && !word.starts_with('-') && !word.contains('=')).map(str::to_owned)
}

fn first_bytes(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn language(bytes: &[u8], extension: Option<&str>) -> Language {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.starts_with(b"#!") {
        return named(bytes).map_or(Language::Other, |name| by_name(&name));
    }
    if bytes.starts_with(b"\x7fELF") || bytes.iter().take(8192).any(|byte| *byte == 0) {
        return Language::Program;
    }
    match extension {
        Some("py") => Language::Python,
        Some("pl" | "pm") => Language::Perl,
        Some("js" | "ts" | "rb" | "lua" | "php" | "rs" | "go" | "c") => Language::Other,
        // Without a first line it is run by /bin/sh.
        _ => Language::Shell,
    }
}

fn by_name(name: &str) -> Language {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    match stem {
        "sh" | "bash" | "dash" | "ash" | "ksh" | "zsh" | "busybox" => Language::Shell,
        "python" | "pypy" => Language::Python,
        "perl" => Language::Perl,
        _ => Language::Other,
    }
}
