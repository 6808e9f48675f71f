//! What is there to read and to type with: manual pages, completions, the journal's catalog, the documents.

use crate::debian::{Debian, NEW};
use e2e::pages::{IN_A_DEBIAN, matches, steps};
use e2e::suite::Need::{DebianPackage, Root};
use e2e::suite::Test;

pub(crate) fn tests() -> Vec<Test> {
    e2e::tests!(bare [Root, DebianPackage]:
        manual_pages_are_read_without_a_warning, each_shell_completes, the_journal_explains, links_in_the_documents_lead_on,
        what_pages_show_of_the_package_is_so)
}

fn manual_pages_are_read_without_a_warning() {
    let debian = Debian::with(NEW);
    let pages = "/usr/share/man/man1/hookvisor*.1.gz /usr/share/hookvisor/names/usr/share/man/man1/*.1.gz";
    debian
        .sh(&format!("for page in {pages}; do zcat $page | mandoc -T lint -W warning || echo $page; done"))
        .ok()
        .prints_exactly("");
    let warned =
        format!("for page in {pages}; do man --warnings -E UTF-8 -l -Tutf8 -Z \"$page\" >/dev/null; done");
    let warned = debian.sh(&warned).ok();
    assert_eq!(warned.err(), "");
    for page in ["hookvisor", "hookvisor-hooks-check", "qm", "qm-start", "pct", "pvesh", "pvesm"] {
        debian.sh(&format!("man {page} | col -b")).ok().prints("SYNOPSIS");
    }
    debian.sh("whatis qm-start").ok().prints("qm-start (1)");
}

fn each_shell_completes() {
    let debian = Debian::with(NEW);
    let bash = "bash -c 'for name in qm hookvisor; do . /usr/share/bash-completion/completions/$name; done; \
                COMP_LINE=\"qm sho\"; COMP_POINT=6; _hookvisor; echo ${COMPREPLY[*]}; complete -p hookvisor'";
    debian.sh(bash).ok().prints_exactly("showcmd\ncomplete -o default -F _hookvisor hookvisor\n");
    let zsh = "zsh -fc 'autoload -U compinit; compinit -u -D; print $_comps[qm] $_comps[hookvisor]'";
    debian.sh(zsh).ok().prints_exactly("_qm _hookvisor\n");
    debian.sh("fish -c 'complete -C \"qm sho\"'").ok().prints_exactly("showcmd\n");
    let values = "bash -c '. /usr/share/bash-completion/completions/qm; for COMP_LINE in \"qm set 100 --onboot \" \
                  \"qm set 100 --ostype=l2\"; do COMP_POINT=${#COMP_LINE}; _hookvisor; echo ${COMPREPLY[*]}; done'";
    debian.sh(values).ok().prints_exactly("0 1\nl24 l26\n");
    let values = "fish -c 'complete -C \"qm set 100 --onboot \"; complete -C \"qm set 100 --ostype=l2\"'";
    debian.sh(values).ok().prints_exactly("0\n1\n--ostype=l24\n--ostype=l26\n");
}

fn the_journal_explains() {
    let debian = Debian::with(NEW);
    let list = debian.sh("journalctl --list-catalog | grep -c ' hookvisor: '").ok().out();
    let catalog = debian.sh("grep -c '^-- ' /usr/lib/systemd/catalog/hookvisor.catalog").ok().out();
    assert_eq!(list, catalog);
    debian.journal();
    debian
        .sh("set -e; cd /var/lib/vz/snippets; printf '#!/bin/sh\\nexit 3\\n' >no.sh; chmod +x no.sh\n\
               qm create 100 --memory 16 --kvm 0 --hookscript local:snippets/no.sh")
        .ok();
    debian.sh("qm start 100").fails();
    let run = debian.sh("journalctl -o cat --output-fields RUN_ID -n 1 HOOK_PHASE=pre-start").ok().out();
    let told = debian.sh("journalctl --catalog --no-pager GUEST_VMID=100").ok();
    told.prints("Subject: A hookscript keeps a guest from starting")
        .prints("local:snippets/no.sh ended with \"exit code 3\" in the phase pre-start of the guest 100")
        .prints(&format!("hookvisor hooks show {}", run.trim()))
        .prints("100 pre-start' failed: exit code 3.\n");
    debian
        .sh("printf '#!/bin/sh\n# hookvisor: timeout=1s\nexec sleep 1000\n' >/var/lib/vz/snippets/no.sh; qm start 100")
        .fails();
    let told = debian.sh("journalctl --catalog --no-pager GUEST_VMID=100").ok();
    told.prints("Subject: A hookscript was ended at its limit")
        .prints("limit was 1 s ('timeout' in the script).\n");
    debian
        .sh("set -e; printf '#!/bin/sh\\n[ $2 != pre-start ] || exec sleep 1000\\n' >/var/lib/vz/snippets/no.sh; qm start 100 >/dev/null 2>&1 &\n\
             until hookvisor hooks abort 100 >/dev/null 2>&1; do sleep 0.1; done; wait")
        .ok();
    let told = debian.sh("journalctl --catalog --no-pager GUEST_VMID=100").ok();
    told.prints("Subject: A hookscript was aborted");
    debian.sh("dpkg --remove hookvisor").ok();
    debian.sh("journalctl --list-catalog | grep ' hookvisor: '").fails();
}

fn links_in_the_documents_lead_on() {
    let debian = Debian::with(NEW);
    let lost = r#"
import os, re
top = "/usr/share/doc/hookvisor"
for folder, _, names in os.walk(top):
    for name in names:
        if not name.endswith(".md"): continue
        for link in re.findall(r"\]\(([^)#:]+)[^):]*\)", open(f"{folder}/{name}").read()):
            if not os.path.exists(os.path.join(folder, link)): print(f"{folder}/{name}: {link}")
"#;
    debian.sh(&format!("cat >/lost.py <<'EOF'\n{lost}\nEOF\npython3 /lost.py")).ok().prints_exactly("");
}

fn what_pages_show_of_the_package_is_so() {
    let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (page, heading) in ["README.md", "docs/installing.md", "docs/installing.md"].iter().zip(IN_A_DEBIAN) {
        let text = std::fs::read_to_string(top.join(page)).expect("a page can be read");
        let steps = steps(&text, |found| found == heading);
        assert!(!steps.is_empty(), "{page}, {heading}");
        let debian = Debian::new();
        debian.journal();
        for step in steps {
            let command =
                step.command.replace("apt install ./hookvisor_*.deb", "dpkg --install /packages/new.deb");
            let command = command.replace(" hookvisor-*-linux", " /packages/hookvisor-*-linux");
            let text = debian.sh(&format!("exec 2>&1\n{command}")).out();
            let seen: Vec<&str> = text.lines().map(str::trim_end).collect();
            let wanted: Vec<&str> = step.output.iter().map(|line| line.trim_end()).collect();
            assert!(matches(&wanted, &seen), "{page}:{}: $ {}\n{text}", step.line, step.command);
        }
    }
}
