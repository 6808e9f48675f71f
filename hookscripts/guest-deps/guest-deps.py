#!/usr/bin/env python3
"""Other guests of this node: those that this one needs, comes after, or cannot run beside. README.md has the settings."""
# hookvisor: phases=pre-start,post-stop
# hookvisor: params=deps_needs=,deps_after=,deps_conflicts=,deps_limit=120,deps_start=yes,deps_on_conflict=refuse,deps_tags=yes

import contextlib
import fcntl
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.environ.get("HOOKVISOR_ROOT", "/")
STATE = os.path.join(ROOT, "run/hookscript/guest-deps")
# hookvisor calls, and not Proxmox VE: it reads priorities, and has read the settings.
TOLD = "HOOKVISOR_RUN_ID" in os.environ
# What a command that only looks may take, in seconds.
LOOK = 30
# A host that came up no longer ago than this, in seconds, is still starting its guests.
BOOT = 600


class Refusal(Exception):
    """Why the guest is not started."""


def say(text):
    print(f"guest-deps: {text}", flush=True)


def warn(text):
    print(f"guest-deps: {text}", file=sys.stderr, flush=True)


# --- guests and their settings ---------------------------------------------------------------------------------------


def pairs(text):
    """The pairs of NAME=VALUE,NAME="VALUE, WITH COMMAS"."""
    found = re.findall(r'([a-z][a-z0-9_]*)\s*=\s*(?:"([^"]*)"|([^",]*))', text)
    return {name: (quoted or plain).strip() for name, quoted, plain in found}


def written(vmid):
    """What this file's header and hooks.conf say for a guest."""
    with open(__file__, encoding="utf-8") as script:
        head = [next(script, "") for _ in range(64)]
    values = {}
    for line in head:
        if match := re.match(r"#\s*hookvisor:\s*params=(.*)", line):
            values.update(pairs(match[1]))
    path = os.path.join(ROOT, "etc/hookvisor/hooks.conf")
    try:
        with open(path, encoding="utf-8") as conf:
            status, lines = os.fstat(conf.fileno()), conf.read().splitlines()
    except FileNotFoundError:
        return values
    if status.st_mode & 0o022 or status.st_uid not in (0, os.stat(ROOT).st_uid):
        raise Refusal(f"'{path}' is refused: others than root may write to it")
    for wanted in ("host", f"guest {vmid}"):
        section = None
        for line in lines:
            if match := re.match(r"\s*\[(.*?)\]", line):
                section = match[1].strip()
            elif section == wanted and (match := re.match(r"\s*params\s*=(.*)", line)):
                values.update(pairs(match[1]))
    return values


class Guest:
    """A guest of this node, by its number."""

    def __init__(self, vmid, kind):
        self.vmid, self.kind = vmid, kind
        self.command = "qm" if kind == "qemu-server" else "pct"

    @classmethod
    def find(cls, vmid):
        for kind in ("qemu-server", "lxc"):
            if os.path.exists(os.path.join(ROOT, "etc/pve", kind, f"{vmid}.conf")):
                return cls(vmid, kind)
        return None

    @classmethod
    def all(cls):
        for kind in ("qemu-server", "lxc"):
            with contextlib.suppress(FileNotFoundError):
                for name in os.listdir(os.path.join(ROOT, "etc/pve", kind)):
                    if match := re.fullmatch(r"([1-9][0-9]*)\.conf", name):
                        yield cls(int(match[1]), kind)

    def options(self):
        """Its configuration, without snapshots and pending changes."""
        found = {}
        path = os.path.join(ROOT, "etc/pve", self.kind, f"{self.vmid}.conf")
        with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8", errors="replace") as conf:
            for line in conf:
                if line.startswith("["):
                    break
                key, colon, value = line.partition(":")
                if colon and not line.startswith("#"):
                    found[key.strip()] = value.strip()
        return found

    def settings(self):
        return Settings(self, written(self.vmid))

    def status(self):
        done = run([self.command, "status", str(self.vmid)], LOOK)
        match = re.search(r"status: (\S+)", done.stdout)
        if done.returncode or not match:
            raise Refusal(f"the status of guest {self.vmid} is not known: {last_line(done)}")
        return match[1]

    def is_running(self):
        return self.status() == "running"


class Settings:
    """What holds for one guest: lists of numbers, and words."""

    def __init__(self, guest, values):
        self.words = values
        tags = []
        if self.yes("deps_tags"):
            tags = re.split(r"[;, ]+", guest.options().get("tags", ""))
        self.needs = self.numbers("deps_needs", "needs-", tags)
        self.after = self.numbers("deps_after", "after-", tags)
        self.conflicts = self.numbers("deps_conflicts", "conflicts-", tags)

    @classmethod
    def of_call(cls, guest):
        if not TOLD:
            return guest.settings()
        names = ("needs", "after", "conflicts", "limit", "start", "on_conflict", "tags")
        told = {f"deps_{name}": os.environ.get(f"HOOKVISOR_PARAM_DEPS_{name.upper()}", "") for name in names}
        return cls(guest, told)

    def numbers(self, name, prefix, tags):
        words = self.words.get(name, "").split()
        words += [tag[len(prefix):] for tag in tags if tag.startswith(prefix)]
        for word in words:
            if not re.fullmatch(r"[1-9][0-9]{0,8}", word):
                raise Refusal(f"{name} has '{word}', which is no VMID")
        return list(dict.fromkeys(int(word) for word in words))

    def yes(self, name):
        return self.words.get(name, "yes").lower() in ("1", "yes", "on", "true", "")

    def limit(self):
        text = self.words.get("deps_limit") or "120"
        if not re.fullmatch(r"[1-9][0-9]{0,5}", text):
            raise Refusal(f"deps_limit is '{text}', which is no number of seconds")
        return int(text)

    def on_conflict(self):
        word = self.words.get("deps_on_conflict") or "refuse"
        if word not in ("refuse", "shutdown", "stop"):
            raise Refusal(f"deps_on_conflict is '{word}', which is none of refuse, shutdown, stop")
        return word


def run(words, limit):
    """Runs a command within a limit. Of one that takes longer only the command is ended, not what it asked for."""
    try:
        return subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 124, "", f"'{' '.join(words)}' did not end in {limit} s")
    except OSError as error:
        return subprocess.CompletedProcess(words, 127, "", f"'{words[0]}' cannot be run: {error.strerror}")


def last_line(done):
    lines = [line for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"exit code {done.returncode}"


# --- who is coming, and what was stopped for whom --------------------------------------------------------------------


@contextlib.contextmanager
def turn():
    """One call at a time. The lock goes with the process that has it."""
    os.makedirs(STATE, mode=0o755, exist_ok=True)
    deadline = time.monotonic() + LOOK
    with open(os.path.join(STATE, "lock"), "a", encoding="utf-8") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Refusal(f"another call has held '{lock.name}' for {LOOK} s") from None
                time.sleep(0.02)
        yield


def claim_path(vmid):
    return os.path.join(STATE, f"{vmid}.json")


def claim_of(vmid):
    """Who starts a guest or runs it, and what was stopped for it."""
    try:
        with open(claim_path(vmid), encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return {}


def write_claim(vmid, claim):
    path = claim_path(vmid)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(claim, file)
    os.replace(path + ".new", path)


def drop_claim(vmid):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(claim_path(vmid))


def born(pid):
    """When a process was born, so that its number alone is not trusted."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return None


def is_starting(vmid):
    """Whether whoever called this script for that guest's start is still there."""
    claim = claim_of(vmid)
    return bool(claim) and claim.get("born") is not None and born(claim.get("caller")) == claim["born"]


def is_coming(guest):
    """Whether that guest is on its way: it starts now, or the host comes up and starts it by itself."""
    if is_starting(guest.vmid):
        return True
    if TOLD:
        boots = os.environ.get("HOOKVISOR_START_REASON") == "boot"
    else:
        with open("/proc/uptime", encoding="utf-8") as uptime:
            boots = float(uptime.read().split()[0]) < BOOT
    return boots and guest.options().get("onboot") == "1"


# --- pre-start -------------------------------------------------------------------------------------------------------


def refuse_what_cannot_be(guest, settings):
    for name in ("needs", "after", "conflicts"):
        if guest.vmid in getattr(settings, name):
            raise Refusal(f"deps_{name} has the guest itself")
    both = set(settings.conflicts) & set(settings.needs)
    if both:
        raise Refusal(f"it needs guest {min(both)} and cannot run beside it")
    for vmid in settings.needs:
        if not Guest.find(vmid):
            raise Refusal(f"it needs guest {vmid}, which is not on this node")
    circle = way_back(guest.vmid, guest.vmid, settings, {guest.vmid})
    if circle:
        raise Refusal(f"guest {guest.vmid} {circle}: a circle, in which each would wait for the other")


def way_back(to, vmid, settings, seen):
    """How a guest comes to wait for itself, in words."""
    for word, others in (("needs", settings.needs), ("comes after", settings.after)):
        for other in others:
            if other == to:
                return f"{word} {other}"
            found = Guest.find(other)
            if other in seen or not found:
                continue
            seen.add(other)
            way = way_back(to, other, found.settings(), seen)
            if way:
                return f"{word} {other}, which {way}"
    return None


def conflicting(guest, settings):
    """Those that it says it cannot run beside, and those that say so of it."""
    for other in Guest.all():
        if other.vmid == guest.vmid:
            continue
        try:
            mutual = guest.vmid in other.settings().conflicts
        except Refusal as error:
            # What is wrong there is said when that guest starts.
            warn(f"the settings of guest {other.vmid} are passed over: {error}")
            mutual = False
        if mutual or other.vmid in settings.conflicts:
            yield other


def make_way(guest, settings):
    """Claims the place, and stops those that are in it where that is asked for."""
    action, to_stop = settings.on_conflict(), []
    with turn():
        for other in conflicting(guest, settings):
            if other.is_running():
                # That it is stopped is this guest's own word, and never another's.
                if action == "refuse" or other.vmid not in settings.conflicts:
                    raise Refusal(f"guest {other.vmid} runs, and it cannot run beside it")
                to_stop.append(other)
            elif is_starting(other.vmid):
                raise Refusal(f"guest {other.vmid} is being started, and it cannot run beside it")
        caller = os.getppid()
        stopped = claim_of(guest.vmid).get("stopped", [])
        stopped += [other.vmid for other in to_stop if other.vmid not in stopped]
        write_claim(guest.vmid, {"caller": caller, "born": born(caller), "stopped": stopped})
    limit = settings.limit()
    for other in to_stop:
        say(f"{action} of guest {other.vmid}, at most {limit} s: it cannot run beside guest {guest.vmid}")
        words = [other.command, action, str(other.vmid)]
        done = run(words + (["--timeout", str(limit)] if action == "shutdown" else []), limit + LOOK)
        if other.is_running():
            raise Refusal(f"guest {other.vmid} still runs, and it cannot run beside it: {last_line(done)}")


def wait_running(guest, limit, coming=lambda: True):
    deadline = time.monotonic() + limit
    while not guest.is_running():
        if time.monotonic() >= deadline or not coming():
            return guest.is_running()
        time.sleep(0.5)
    return True


def bring_up(guest, settings):
    limit = settings.limit()
    for vmid in settings.needs:
        needed = Guest.find(vmid)
        if needed.is_running():
            continue
        began, why = time.monotonic(), "it is not started from here"
        if settings.yes("deps_start") and not is_starting(vmid):
            say(f"starts guest {vmid}, at most {limit} s: guest {guest.vmid} needs it")
            done = run([needed.command, "start", str(vmid)], limit)
            why = last_line(done)
            # Where somebody else starts it at this moment its end is waited for.
            beaten = is_starting(vmid) or re.search(r"already|lock", why)
            if done.returncode and not beaten and not needed.is_running():
                raise Refusal(f"it needs guest {vmid}, which does not start: {why}")
        else:
            say(f"waits for guest {vmid}, at most {limit} s: guest {guest.vmid} needs it")
        if not wait_running(needed, limit - (time.monotonic() - began)):
            raise Refusal(f"it needs guest {vmid}, which does not run after {limit} s: {why}")
        say(f"guest {vmid} runs")


def come_after(guest, settings):
    limit = settings.limit()
    for vmid in settings.after:
        other = Guest.find(vmid)
        if not other or other.is_running() or not is_coming(other):
            continue
        say(f"waits for guest {vmid}, which is being started, at most {limit} s")
        if not wait_running(other, limit, lambda other=other: is_coming(other)):
            warn(f"guest {guest.vmid} goes on without guest {vmid}, which did not come")


def pre_start(guest):
    try:
        settings = Settings.of_call(guest)
        refuse_what_cannot_be(guest, settings)
        make_way(guest, settings)
        bring_up(guest, settings)
        come_after(guest, settings)
    except Refusal as refusal:
        # No post-stop follows a refusal.
        give_back(guest)
        print(f"{'<3>' if TOLD else ''}guest-deps: guest {guest.vmid} is not started: {refusal}", file=sys.stderr)
        return 1
    return 0


# --- post-stop -------------------------------------------------------------------------------------------------------


def comes_again():
    """Whether the guest stops only to be started at once."""
    return os.environ.get("HOOKVISOR_STOP_CAUSE") == "reboot"


def give_back(guest):
    """Gives the place up, and starts those again that were stopped for it."""
    stopped = claim_of(guest.vmid).get("stopped", [])
    drop_claim(guest.vmid)
    if os.environ.get("HOOKVISOR_STOP_CAUSE") in ("host-shutdown", "host-crash"):
        return
    for vmid in stopped:
        other = Guest.find(vmid)
        if not other or other.is_running():
            continue
        say(f"starts guest {vmid} again, which was stopped for guest {guest.vmid}")
        done = run([other.command, "start", str(vmid)], 300)
        if done.returncode:
            warn(f"guest {vmid} is not started again: {last_line(done)}")


def post_stop(guest):
    if comes_again() or os.path.exists(os.path.join(ROOT, f"run/qemu-server/{guest.vmid}.reboot")):
        return 0
    try:
        give_back(guest)
    except Refusal as error:
        warn(error)
    return 0


def main():
    if len(sys.argv) != 3 or not re.fullmatch(r"[1-9][0-9]*", sys.argv[1]):
        print(f"usage: {sys.argv[0]} VMID PHASE", file=sys.stderr)
        return 64
    phase = {"pre-start": pre_start, "post-stop": post_stop}.get(sys.argv[2])
    if not phase:
        return 0
    guest = Guest.find(int(sys.argv[1]))
    if not guest:
        drop_claim(int(sys.argv[1]))
        warn(f"no guest {sys.argv[1]} is on this node")
        return 0
    return phase(guest)


if __name__ == "__main__":
    sys.exit(main())
