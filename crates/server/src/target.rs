//! What a request's first line asks for: `/api2/<format>/<path>` (api.md 1.1).

use api::Verb;
use hyper::Method;

/// How an answer is put (api.md 1.3, 1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The status says how it went.
    Json,
    /// Always 200: the body says how it went.
    Extjs,
    /// As [`Format::Extjs`], as text of a web page.
    Htmljs,
}

/// A method of the API that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) verb: Verb,
    pub(crate) format: Format,
    /// Decoded, without empty segments: `/nodes/pve1/qemu`.
    pub(crate) path: String,
}

impl Target {
    /// Reads it.
    ///
    /// # Errors
    /// Proxmox VE's text, which goes with the status 501.
    pub(crate) fn read(method: &Method, raw: &str) -> Result<Self, String> {
        let verb = match method.as_str() {
            "GET" => Verb::Get,
            "PUT" => Verb::Put,
            "POST" => Verb::Post,
            "DELETE" => Verb::Delete,
            other => return Err(format!("method '{other}' not available")),
        };
        let no_such = || format!("no such uri '{raw}'");
        let path = percent_decode(raw).ok_or_else(no_such)?;
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        if segments.next() != Some("api2") {
            return Err(format!("no such file '{raw}'"));
        }
        let format = match segments.next().ok_or_else(no_such)? {
            "json" => Format::Json,
            "extjs" => Format::Extjs,
            "htmljs" => Format::Htmljs,
            _ => return Err(format!("no formatter for uri '{raw}'")),
        };
        let path: String = segments.flat_map(|segment| ["/", segment]).collect();
        Ok(Self { verb, format, path: if path.is_empty() { "/".to_owned() } else { path } })
    }
}

/// Turns `%XX` into bytes; none where what comes out is no UTF-8 or has a NUL.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = |at: usize| char::from(*tail.get(at)?).to_digit(16);
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high << 4 | low).ok()?);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains('\0')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_and_its_empty_segments_are_left_out() {
        let read = |raw: &str| Target::read(&Method::GET, raw).unwrap();
        let target = read("/api2/json/nodes//pve1/tasks/UPID%3Apve1%3a0001/status/");
        assert_eq!(target.path, "/nodes/pve1/tasks/UPID:pve1:0001/status");
        assert_eq!((target.format, target.verb), (Format::Json, Verb::Get));
        assert_eq!((read("/api2/extjs").path.as_str(), read("/api2/extjs/").format), ("/", Format::Extjs));
        assert_eq!(read("/api2/json/a%2Fb").path, "/a/b");
        assert_eq!(read("/api2/json/a%zz%").path, "/a%zz%");
    }

    #[test]
    fn what_is_no_method_of_the_api_is_refused_in_proxmox_ves_words() {
        for (method, raw, text) in [
            (Method::GET, "/", "no such file '/'"),
            (Method::GET, "/api2", "no such uri '/api2'"),
            (Method::GET, "/api2/xml/version", "no formatter for uri '/api2/xml/version'"),
            (Method::GET, "/api2/json/%ff", "no such uri '/api2/json/%ff'"),
            (Method::PATCH, "/api2/json/version", "method 'PATCH' not available"),
            (Method::HEAD, "/api2/json/version", "method 'HEAD' not available"),
        ] {
            assert_eq!(Target::read(&method, raw), Err(text.to_owned()));
        }
    }
}
