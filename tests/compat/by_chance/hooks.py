"""What is asked of each answer, and how the scene is put in order behind it.

Each call finds the same scene: what one of them may change is looked at, and put back, before the next. The file `calls` has
a line for each, and one that begins with `!!` for what must not be.
"""

import atexit
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import stat
import time
import tomllib
import zlib
from pathlib import Path

import schemathesis
from schemathesis.core.failures import Failure

HERE = Path(__file__).parent
ROOT = Path(os.environ["API_ROOT"])
COPY = HERE / "copy"
CORNERS = int(os.environ["API_CORNERS"])
RUNNING = {int(vmid) for vmid in os.environ["API_RUNNING"].split()}
ERRORS = [re.compile(error["pattern"]) for error in tomllib.loads((HERE / "errors.toml").read_text())["error"]]
CALLS = open(HERE / "calls", "w", encoding="utf-8", buffering=1)

# The record, and what is there for a guest while it runs: `running` tells of that.
NOT_COMPARED = {"var/lib/hookvisor", "var/log", "run", "var/lib/lxc"}

# Longer heads are refused before anything of them is read (api.md 1.1).
LONGEST = 4000


class Unexplained(Failure):
    """A failure of the server that no rule of Proxmox VE's explains."""


class Changed(Failure):
    """A call that was refused, or only read, has left something behind."""


def wrong(text):
    CALLS.write(f"!! {text}\n")


class Owner(http.client.HTTPConnection):
    """The root's owner, who needs no log-in."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(ROOT / "run/hookvisor/api.sock"))


def ask(method, path):
    connection = Owner("localhost")
    connection.request(method, "/api2/json" + path)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer["data"]


def end_of(upid):
    """How a task ended."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        status = ask("GET", f"/nodes/pve1/tasks/{upid}/status")
        if status is None:
            return "it is not on record"
        if status["status"] == "stopped":
            return status["exitstatus"]
        time.sleep(0.005)
    wrong(f"{upid} does not end")
    return "it does not end"


def below(path):
    return str(path.relative_to(ROOT))


HASHES = {}


def content(path, info):
    if stat.S_ISLNK(info.st_mode):
        return os.readlink(path)
    if not stat.S_ISREG(info.st_mode):
        return ""
    key = (str(path), info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
    if key not in HASHES:
        whole = path.read_bytes() if info.st_size <= 1 << 20 else b""
        HASHES[key] = f"{info.st_size} {hashlib.sha1(whole).hexdigest()}"
    return HASHES[key]


def files():
    """Every file below the root with what is in it."""
    found = {}
    folders = [ROOT]
    while folders:
        for entry in os.scandir(folders.pop()):
            path = Path(entry.path)
            # A container's own `/run` is what its init writes as it boots.
            if below(path) in NOT_COMPARED or below(path).endswith(".subvol/run"):
                continue
            info = entry.stat(follow_symlinks=False)
            found[below(path)] = (oct(info.st_mode), info.st_uid, content(path, info))
            if stat.S_ISDIR(info.st_mode):
                folders.append(path)
    return found


def left_out(folder, names):
    return {name for name in names if below(Path(folder) / name) in NOT_COMPARED}


shutil.copytree(ROOT, COPY, symlinks=True, ignore=left_out)
BEFORE = files()


def changes():
    now = files()
    both = BEFORE.keys() | now.keys()
    return {path: (BEFORE.get(path), now.get(path)) for path in both if BEFORE.get(path) != now.get(path)}


def restore(changed):
    for path, (was, _) in sorted(changed.items()):
        there, copy = ROOT / path, COPY / path
        was_folder = was is not None and copy.is_dir() and not copy.is_symlink()
        if there.is_dir() and not there.is_symlink():
            if not was_folder:
                shutil.rmtree(there)
        elif there.is_symlink() or there.exists():
            there.unlink()
        if was_folder:
            there.mkdir(exist_ok=True)
            shutil.copystat(copy, there)
        elif was is not None:
            shutil.copy2(copy, there, follow_symlinks=False)


def power():
    """Those run that ran, and nobody else."""
    for row in ask("GET", "/cluster/resources?type=vm"):
        vmid, runs = row["vmid"], row["status"] == "running"
        if runs != (vmid in RUNNING):
            verb = "stop" if runs else "start"
            ended = end_of(ask("POST", f"/nodes/pve1/{row['type']}/{vmid}/status/{verb}"))
            if ended != "OK":
                wrong(f"{verb} of {vmid}: {ended}")


@atexit.register
def nothing_is_left():
    changed = changes()
    if changed:
        wrong(f"left behind: {changed}")


MADE = {}


@schemathesis.hook
def filter_case(context, case):
    """Of the corners of a method's parameters the first ones, and of the others a share that is the same in each run."""
    if len(f"{case.path_parameters}{case.query}") > LONGEST:
        return False
    if case.meta is None or case.meta.phase.name.value != "coverage":
        return True
    label = case.operation.label
    MADE[label] = MADE.get(label, 0) + 1
    return MADE[label] <= 4 or zlib.crc32(f"{label} {MADE[label]}".encode()) % CORNERS == 0


@schemathesis.hook
def before_call(context, case, **kwargs):
    """The machine ignores its power button: a second is enough to see that."""
    if case.path.endswith(("/status/shutdown", "/status/reboot", "/stopall")):
        if not isinstance(case.body, (dict, list, str)):
            case.body, case.media_type = {}, "application/json"
        if isinstance(case.body, dict) and str(case.body.get("timeout", 9)).isdigit():
            case.body["timeout"] = 1


def text_of(response):
    try:
        return json.loads(response.content)["message"]
    except (ValueError, KeyError, TypeError):
        return None


@schemathesis.check
def told(ctx, response, case):
    """A failure of the server says what Proxmox VE would say."""
    if response.status_code < 500:
        return
    text = text_of(response)
    if text is None or not any(error.fullmatch(text) for error in ERRORS):
        wrong(f"{case.operation.label}: unexplained: {text!r}")
        raise Unexplained(operation=case.operation.label, title="A failure that nothing explains", message=repr(text))


@schemathesis.check
def unchanged(ctx, response, case):
    """What was refused or only read has changed nothing, nor has a task that failed."""
    method = case.operation.method
    done, outcome = response.status_code == 200 and method != "get", response.status_code
    if done:
        data = json.loads(response.content)["data"]
        if isinstance(data, str) and data.startswith("UPID:"):
            outcome = end_of(data)
            done = outcome == "OK" or outcome.startswith("WARNINGS")
    line = [case.operation.label, case.formatted_path, case.query, repr(case.body)[:300], outcome, text_of(response)]
    CALLS.write(json.dumps(line) + "\n")
    if method != "get":
        power()
    changed = changes()
    restore(changed)
    if changed and not done:
        wrong(f"{case.operation.label}: {outcome}: {str(changed)[:2000]}")
        raise Changed(operation=case.operation.label, title="A change that was refused", message=f"{outcome}: {changed}")
