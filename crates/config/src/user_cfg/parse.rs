use super::{Group, Pool, Subject, Token, User, UserCfg, UserWarning, is_name, normal_path};
use crate::text::{percent_decode, split_list};
use model::UserId;
use std::collections::BTreeSet;

/// Reads the file. A line that is not understood is warned about and kept; a part of one that names what is not there is
/// warned about and left out, because whoever gets that name later must not get what it had.
#[must_use]
pub fn parse(raw: &[u8]) -> (UserCfg, Vec<UserWarning>) {
    let text = String::from_utf8_lossy(raw);
    let mut reader = Reader { cfg: UserCfg::default(), warnings: Vec::new(), line: 0 };
    reader.cfg.digest = crate::digest(raw);
    for (index, line) in text.split('\n').enumerate() {
        reader.line = index + 1;
        if !line.trim().is_empty() && reader.read(line.trim_end()).is_none() {
            reader.warn(format!("ignore config line: {line}"));
            reader.cfg.kept.push(line.to_owned());
        }
    }
    let Reader { mut cfg, warnings, .. } = reader;
    // Nobody can lock root out.
    cfg.users.entry(UserId::root()).or_default().enable = true;
    (cfg, warnings)
}

struct Reader {
    cfg: UserCfg,
    warnings: Vec<UserWarning>,
    line: usize,
}

impl Reader {
    fn warn(&mut self, problem: String) {
        self.warnings.push(UserWarning { line: self.line, problem });
    }

    /// Reads a line; none where it is not understood.
    fn read(&mut self, line: &str) -> Option<()> {
        let fields: Vec<&str> = line.split(':').collect();
        let field = |index: usize| fields.get(index).copied().unwrap_or_default();
        let told = |index: usize| percent_decode(field(index).as_bytes());
        match field(0) {
            "user" => {
                let id: UserId = field(1).parse().ok().filter(|id: &UserId| id.token().is_none())?;
                let (enable, expire) = (flag(field(2))?, number(field(3))?);
                let tokens = self.cfg.users.remove(&id).unwrap_or_default().tokens;
                let user = User {
                    enable,
                    expire,
                    firstname: told(4),
                    lastname: told(5),
                    email: field(6).to_owned(),
                    comment: told(7),
                    keys: field(8).to_owned(),
                    tokens,
                };
                self.cfg.users.insert(id, user);
            }
            "token" => {
                let id: UserId = field(1).parse().ok()?;
                let name = id.token()?.to_owned();
                let token = Token { expire: number(field(2))?, privsep: flag(field(3))?, comment: told(4) };
                if !self.is_known(&id.owner()) {
                    // Kept, it would be written behind all users, and be one's token then.
                    self.warn(format!("ignore token '{id}' - no such user"));
                    return Some(());
                }
                self.cfg.users.entry(id.owner()).or_default().tokens.insert(name, token);
            }
            "group" => {
                let name = Some(field(1)).filter(|name| is_name(name))?;
                let mut users = BTreeSet::new();
                for word in split_list(field(2)) {
                    match word.parse::<UserId>() {
                        Ok(user) if self.is_known(&user) && user.token().is_none() => {
                            users.insert(user);
                        }
                        _ => self.warn(format!("ignore invalid group member '{word}'")),
                    }
                }
                self.cfg.groups.insert(name.to_owned(), Group { users, comment: told(3) });
            }
            "pool" => {
                let name = Some(field(1)).filter(|name| normal_path(&format!("/{name}")).is_some())?;
                let mut pool = Pool { comment: told(2), ..Pool::default() };
                for word in split_list(field(3)) {
                    match word.parse() {
                        Ok(vmid) if self.cfg.pools.values().all(|other| !other.vms.contains(&vmid)) => {
                            pool.vms.insert(vmid);
                        }
                        Ok(_) => self.warn(format!("ignore duplicate vmid '{word}' in pool '{name}'")),
                        Err(_) => self.warn(format!("ignore invalid vmid '{word}' in pool '{name}'")),
                    }
                }
                for word in split_list(field(4)) {
                    match word.parse() {
                        Ok(storage) => {
                            pool.storage.insert(storage);
                        }
                        Err(_) => self.warn(format!("ignore invalid storage '{word}' in pool '{name}'")),
                    }
                }
                self.cfg.pools.insert(name.to_owned(), pool);
            }
            "role" => {
                let name = Some(field(1)).filter(|name| is_name(name))?;
                let privileges = split_list(field(2)).map(str::to_owned).collect();
                self.cfg.roles.insert(name.to_owned(), privileges);
            }
            "acl" => {
                let propagate = flag(field(1))?;
                let path = normal_path(field(2))?;
                if fields.len() < 5 || field(3).is_empty() || field(4).is_empty() {
                    return None;
                }
                for word in split_list(field(3)) {
                    match self.subject(word) {
                        Some(subject) => {
                            for role in split_list(field(4)) {
                                self.cfg.grant(&path, subject.clone(), role, propagate);
                            }
                        }
                        None => self.warn(format!("ignore invalid acl member '{word}'")),
                    }
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// One member of an access control list that is there.
    fn subject(&self, word: &str) -> Option<Subject> {
        match word.strip_prefix('@') {
            Some(group) => self.cfg.groups.contains_key(group).then(|| Subject::Group(group.to_owned())),
            None => word.parse().ok().filter(|id| self.is_known(id)).map(Subject::User),
        }
    }

    /// Whether a user or token is there.
    fn is_known(&self, id: &UserId) -> bool {
        match id.token() {
            Some(_) => self.cfg.token(id).is_some(),
            None => *id == UserId::root() || self.cfg.users.contains_key(id),
        }
    }
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" | "" => Some(false),
        _ => None,
    }
}

fn number(text: &str) -> Option<u64> {
    if text.is_empty() { Some(0) } else { text.parse().ok() }
}
