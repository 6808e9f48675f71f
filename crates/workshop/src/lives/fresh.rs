//! Names that are other ones in each call: with a date, a process id, or what mktemp(1) fills in.

/// Whether two names may be the same file's, of two lives: they differ in one place, and there by numbers or by letters and digits
/// as nobody chooses them.
pub(super) fn same(one: &str, other: &str) -> bool {
    let front = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let in_number = one.as_bytes()[..front].last().is_some_and(u8::is_ascii_digit);
    let (one, other) = (cut(one, front, 0), cut(other, front, 0));
    let back = one.bytes().rev().zip(other.bytes().rev()).take_while(|(a, b)| a == b).count();
    // A name is compared within its folder, and whole where it is cut in a letter of several bytes.
    let (one, other) = (cut(one, 0, back), cut(other, 0, back));
    let number = |text: &str| {
        (in_number || !text.is_empty())
            && text.bytes().all(|byte| byte.is_ascii_digit() || b"-_:.T".contains(&byte))
    };
    let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let chosen = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let made_up = one.len() == other.len() && one.len() >= 3 && word(one) && word(other);
    one == other || number(one) && number(other) || made_up && !(chosen(one) && chosen(other))
}

fn cut(text: &str, front: usize, back: usize) -> &str {
    text.get(front..text.len() - back).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn what_changes_with_each_call_is_no_other_file() {
        for (one, other) in [
            ("/run/x", "/run/x"),
            ("/tmp/tmp.IW9pGCtqSx", "/tmp/tmp.aXb82kEuRq"),
            ("/tmp/tmp8x_k2f1q", "/tmp/tmpq0zw71ab"),
            ("/var/log/hook-20261123-134455.log", "/var/log/hook-20261123-134501.log"),
            ("/var/log/hook-2026-11-23T13:44:55.log", "/var/log/hook-2026-11-23T13:45:01.log"),
            ("/tmp/hook.998", "/tmp/hook.1001"),
            ("/tmp/hook.31.out", "/tmp/hook.47.out"),
            ("/tmp/hook.31.out", "/tmp/hook.312.out"),
            ("/run/2f1c9a0e-1d00-4d53-8a63-1b1f5d7c0a11", "/run/91ce0b1f-77aa-4d1e-9d0f-00aa51c2e9b3"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("/run/started", "/run/stopped"),
            ("/run/taken", "/run/left"),
            ("/run/a/1", "/run/b/1"),
            ("/run/vm", "/run/vm1"),
            ("/run/x-100/lock", "/run/x-100/other"),
            ("/run/\u{e4}", "/run/\u{f6}"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }
}
