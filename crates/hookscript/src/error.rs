use std::fmt::Display;
use std::path::Path;

/// Why a hookscript gives up: any error, and any text (`Err("no such device".into())`).
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What the parts of a hookscript return.
pub type Result<T> = std::result::Result<T, Error>;

/// What could not be done with a file, and why.
pub(crate) fn at<E: Display>(what: &str, path: &Path) -> impl FnOnce(E) -> Error {
    move |error| format!("cannot {what} '{}': {error}", path.display()).into()
}

/// An error with what it comes of, on one line.
pub(crate) fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}
