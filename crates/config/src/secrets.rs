//! `priv/shadow.cfg` and `priv/token.cfg`: the hashes of passwords of the realm `pve`, and the secrets of tokens (api.md 2.3).

use std::collections::BTreeMap;

/// How a file of secrets is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `<user>:<hash>:`, a user by its name without realm.
    Shadow,
    /// `<user>@<realm>!<token> <secret>`
    Tokens,
}

/// Secrets by what they belong to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// The secrets.
    pub all: BTreeMap<String, String>,
    /// Lines that were not understood, in their order.
    pub kept: Vec<String>,
}

impl Secrets {
    /// Reads a file.
    #[must_use]
    pub fn parse(form: Form, raw: &[u8]) -> Self {
        let mut secrets = Self::default();
        for line in String::from_utf8_lossy(raw).lines().filter(|line| !line.trim().is_empty()) {
            let pair = match form {
                Form::Shadow => line.split_once(':').map(|(name, rest)| (name, rest.trim_end_matches(':'))),
                Form::Tokens => line.split_once(' ').map(|(name, rest)| (name, rest.trim())),
            };
            let good = |text: &str| !text.is_empty() && !text.contains([':', ' ']) && !text.starts_with('#');
            match pair {
                Some((name, secret)) if good(name) && good(secret) => {
                    secrets.all.insert(name.to_owned(), secret.to_owned());
                }
                _ => secrets.kept.push(line.to_owned()),
            }
        }
        secrets
    }

    /// The file's text.
    #[must_use]
    pub fn print(&self, form: Form) -> Vec<u8> {
        let lines = self.all.iter().map(|(name, secret)| match form {
            Form::Shadow => format!("{name}:{secret}:\n"),
            Form::Tokens => format!("{name} {secret}\n"),
        });
        lines.chain(self.kept.iter().map(|line| format!("{line}\n"))).collect::<String>().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_and_written_as_they_were() {
        for (form, text) in [
            (Form::Shadow, "ann:$5$salt$hash:\nbob:$6$x$y:\n# note\nbroken\n"),
            (Form::Tokens, "ann@pve!ci 0b1c-22\nroot@pam!x 33\n# note to all\nbroken\n"),
        ] {
            let secrets = Secrets::parse(form, text.as_bytes());
            assert_eq!((secrets.all.len(), secrets.kept.len()), (2, 2));
            assert_eq!(String::from_utf8(secrets.print(form)).unwrap(), text);
        }
        let shadow = Secrets::parse(Form::Shadow, b"ann:$5$salt$hash:");
        assert_eq!(shadow.all["ann"], "$5$salt$hash");
        let tokens = Secrets::parse(Form::Tokens, b"ann@pve!ci 0b1c-22");
        assert_eq!(tokens.all["ann@pve!ci"], "0b1c-22");
    }
}
