//! Root's login, written to files without running anything of the container's.

use super::{CreateError, Inside};
use sha_crypt::{PasswordHasher, ShaCrypt};
use std::fs::File;
use std::io::{self, Read};

/// Sets root's password: its SHA-512 hash, shadow(5) and crypt(5).
pub(super) fn set(root: &Inside, password: &str) -> Result<(), CreateError> {
    let path = "etc/shadow";
    let within = || CreateError::file("cannot set the password in", path);
    let shadow = root.read(path).map_err(within())?;
    let shadow = shadow
        .ok_or(CreateError::Login("cannot set a password: the root file system has no 'etc/shadow'"))?;
    let hash = hash(password).map_err(within())?;
    let text = with_hash(&String::from_utf8_lossy(&shadow), &hash);
    root.write(path, text.as_bytes(), 0o640).map_err(within())
}

fn hash(password: &str) -> io::Result<String> {
    let mut salt = [0; 12];
    File::open("/dev/urandom")?.read_exact(&mut salt)?;
    let hash =
        ShaCrypt::SHA512.hash_password_with_salt(password.as_bytes(), &salt).map_err(io::Error::other)?;
    Ok(hash.to_string())
}

fn with_hash(shadow: &str, hash: &str) -> String {
    let mut found = false;
    let mut text: String = shadow
        .lines()
        .map(|line| {
            let mut fields: Vec<&str> = line.split(':').collect();
            if fields.len() > 1 && fields[0] == "root" {
                found = true;
                fields[1] = hash;
            }
            format!("{}\n", fields.join(":"))
        })
        .collect();
    if !found {
        text.insert_str(0, &format!("root:{hash}:::0:99999:7:::\n").replacen(":::0", "::0", 1));
    }
    text
}

/// Lets these keys log in as root.
pub(super) fn authorize(root: &Inside, keys: &str) -> Result<(), CreateError> {
    let (folder, path) = ("root/.ssh", "root/.ssh/authorized_keys");
    let within = || CreateError::file("cannot write", path);
    if keys.chars().any(|c| c.is_control() && c != '\n' && c != '\r' && c != '\t') {
        return Err(CreateError::Login("the SSH public keys hold a control character"));
    }
    root.make_folder("root", 0o700).map_err(within())?;
    root.make_folder(folder, 0o700).map_err(within())?;
    let mut text =
        String::from_utf8_lossy(&root.read(path).map_err(within())?.unwrap_or_default()).into_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for key in keys.lines().map(str::trim).filter(|key| !key.is_empty()) {
        if !text.lines().any(|have| have == key) {
            text.push_str(&format!("{key}\n"));
        }
    }
    root.write(path, text.as_bytes(), 0o600).map_err(within())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha_crypt::PasswordVerifier;

    #[test]
    fn a_hash_is_one_that_crypt_understands() {
        let text = hash("geheim ü").unwrap();
        assert!(text.starts_with("$6$"), "{text}");
        assert_ne!(text, hash("geheim ü").unwrap());
        let parsed = sha_crypt::PasswordHash::new(&text).unwrap();
        assert!(ShaCrypt::SHA512.verify_password("geheim ü".as_bytes(), &parsed).is_ok());
        assert!(ShaCrypt::SHA512.verify_password(b"other", &parsed).is_err());
    }

    #[test]
    fn only_roots_line_changes() {
        let shadow = "daemon:*:1:0:99999:7:::\nroot:*:19000:0:99999:7:::\nrooter:x:::::::\n";
        assert_eq!(
            with_hash(shadow, "$6$x"),
            "daemon:*:1:0:99999:7:::\nroot:$6$x:19000:0:99999:7:::\nrooter:x:::::::\n"
        );
        let added = with_hash("", "$6$x");
        assert_eq!((added.split(':').count(), added.starts_with("root:$6$x:")), (9, true), "{added}");
    }

    #[test]
    fn keys_are_added_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = Inside::open(folder.path(), rustix::process::getuid().as_raw()).unwrap();
        for _ in 0..2 {
            authorize(&root, "ssh-ed25519 AAAA me\r\n\nssh-rsa BBBB you").unwrap();
        }
        let keys = std::fs::read_to_string(folder.path().join("root/.ssh/authorized_keys")).unwrap();
        assert_eq!(keys, "ssh-ed25519 AAAA me\nssh-rsa BBBB you\n");
        assert!(authorize(&root, "a\u{1b}[31m").is_err());
    }
}
