use super::*;

const FILE: &str = "# made by hand\ndir: local\n\tpath /var/lib/vz\n\tcontent iso,vztmpl,backup,snippets\n\n\
    nfs: share\n\tcomment two words\n\tdisable\n\texport /srv\n\tpath /mnt/pve/share\n\tserver 10.0.0.1\n\tcontent images\n\tnodes pve1,pve2\n\n\
    zfspool: tank\n\tpool rpool/data\n\tcontent images,rootdir\n\tsparse 1\n";

fn id(text: &str) -> StorageId {
    text.parse().unwrap()
}

#[test]
fn a_file_as_proxmox_writes_it_comes_back_byte_by_byte() {
    let (cfg, warnings) = parse(FILE.as_bytes());
    assert_eq!(warnings, []);
    assert_eq!(String::from_utf8(print(&cfg)).unwrap(), FILE);
    let share = cfg.get(&id("share")).unwrap();
    assert!(share.disabled() && share.shared() && share.on_node(&"pve2".parse().unwrap()));
    assert!(!share.on_node(&"pve3".parse().unwrap()));
    assert_eq!(share.content(), [ContentType::Images]);
    assert_eq!(cfg.get(&id("tank")).unwrap().get("sparse"), Some("1"));
}

#[test]
fn local_is_there_in_any_case_and_on_every_node() {
    let (cfg, _) = parse(b"");
    let local = cfg.get(&id("local")).unwrap();
    assert_eq!((local.path(), local.synthesised), (Some("/var/lib/vz"), true));
    assert!(local.content().contains(&ContentType::Snippets));
    assert_eq!(print(&cfg), b"");

    let (cfg, _) = parse(b"dir: local\n\tpath /tmp/root/var/lib/vz\n\tcontent iso\n\tnodes other\n");
    let local = cfg.get(&id("local")).unwrap();
    assert_eq!(
        (local.path(), local.get("nodes"), local.synthesised),
        (Some("/tmp/root/var/lib/vz"), None, false)
    );

    let (cfg, _) = parse(b"lvm: local\n\tvgname x\n");
    assert_eq!(cfg.get(&id("local")).unwrap().kind, "dir");
    assert_eq!(print(&cfg), b"lvm: local\n\tvgname x\n");
}

#[test]
fn what_is_not_understood_is_warned_about_and_kept() {
    let file = "dir: a1\n\tpath /a\n\tcolour blue\n\tpath /b\nnot indented\n\t# why\n\nstray line\n\nglusterx: g1\n\tvolume v\n\n# of c1\ndir: c1\n\tpath /c\n\ndir: b-\n\tpath /c\n";
    let (cfg, warnings) = parse(file.as_bytes());
    let texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "file /etc/pve/storage.cfg line 3 (section 'a1') - unable to parse value of 'colour': unexpected property 'colour'",
            "file /etc/pve/storage.cfg line 4 (section 'a1') - unable to parse value of 'path': duplicate attribute",
            "file /etc/pve/storage.cfg line 5 (section 'a1') - ignore config line: not indented",
            "file /etc/pve/storage.cfg line 8 - ignore config line: stray line",
            "file /etc/pve/storage.cfg line 10 (skip section 'g1'): unknown section type 'glusterx'",
            "file /etc/pve/storage.cfg line 17 (skip section 'b-'): storage ID 'b-' contains illegal characters",
        ]
    );
    assert_eq!(cfg.get(&id("a1")).unwrap().path(), Some("/a"));
    let printed = print(&cfg);
    let (again, warned_again) = parse(&printed);
    assert_eq!((again.sections, warned_again.len()), (cfg.sections, warnings.len()));
    assert_eq!(print(&parse(&printed).0), printed);
    for line in file.lines().filter(|line| !line.is_empty()) {
        assert!(String::from_utf8_lossy(&printed).lines().any(|printed| printed == line), "{line}");
    }
}

#[test]
fn content_folders_can_be_set() {
    let (cfg, _) = parse(b"dir: d1\n\tpath /d\n\tcontent-dirs snippets=hooks,iso=images/iso\n");
    assert_eq!(cfg.get(&id("d1")).unwrap().content_dir(ContentType::Snippets), Some("hooks"));
    assert_eq!(cfg.get(&id("d1")).unwrap().content_dir(ContentType::Backup), None);
}

proptest::proptest! {
    #[test]
    fn any_text_can_be_read_and_what_is_printed_reads_back(text in r"(((dir|lvm|what)?: ?(local|a1|b2|c-)?|\t(path|nodes|disable|x)?( /a| p1)?|# c|#|.{0,9})\n{1,2}){0,12}") {
        let printed = print(&parse(text.as_bytes()).0);
        proptest::prop_assert_eq!(print(&parse(&printed).0), printed);
    }
}
