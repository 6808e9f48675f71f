"""A guest's whole life by proxmoxer; what is said on the command line is a plan in JSON."""
import json
import subprocess
import sys
import time

from proxmoxer import ProxmoxAPI
from proxmoxer.core import ResourceException

plan = json.loads(sys.argv[1])
host, port = plan["host"].rsplit(":", 1)
api = ProxmoxAPI(host, port=int(port), verify_ssl=plan["ca"], timeout=30, **plan["credentials"])
node = api.nodes(api.nodes.get()[0]["node"])
guests = node(plan["kind"])
vmid = plan["vmid"]


def wait(upid):
    """As Ansible's modules do."""
    assert len(upid.split(":")) == 9, upid
    for _ in range(600):
        status = node.tasks(upid).status.get()
        if status["status"] == "stopped":
            return status["exitstatus"]
        assert "exitstatus" not in status, status
        time.sleep(0.05)
    raise AssertionError(f"{upid} does not end")


def log(upid):
    lines = node.tasks(upid).log.get(limit=0)
    assert [line["n"] for line in lines] == list(range(1, len(lines) + 1)), lines
    return [line["t"] for line in lines]


def refused(call, text):
    try:
        call()
    except ResourceException as error:
        assert text in str(error), error
    else:
        raise AssertionError(f"should have been refused: {text}")


version = api.version.get()
assert version["release"].split(".")[0] == "9" and len(version["repoid"]) >= 8, version
made = guests.post(vmid=vmid, **plan["options"])
assert any(row["vmid"] == vmid for row in guests.get()), "a new guest is listed at once"
assert wait(made) == "OK", log(made)
guest = guests(vmid)
refused(lambda: guest.config.put(hookscript="local:snippets/recorder"), "hookscript")
subprocess.run([plan["command"], "set", str(vmid), "--hookscript", "local:snippets/recorder"], check=True)
assert guest.config.put(vmid=vmid, node="localhost", description="a b;c&d=e", onboot=1) is None
config = guest.config.get()
assert config["description"].strip() == "a b;c&d=e" and config["onboot"] == 1 and config["digest"], config
refused(lambda: guest.config.put(memory="much"), "memory")
refused(lambda: guests(999999).config.get(), "does not exist")

for end in ["shutdown", "stop"]:
    begun = guest.status.start.post()
    assert wait(begun) == "OK", log(begun)
    assert any("pre-start" in line for line in log(begun)) and log(begun)[-1] == "TASK OK", log(begun)
    current = guest.status.current.get()
    assert current["status"] == "running" and isinstance(current["pid"], int) and "ha" in current, current
    refused(lambda: guest.delete(), "running")
    # A guest that has not booted yet does not hear its power button.
    ended = guest.status(end).post(**({"timeout": 8, "forceStop": 1} if end == "shutdown" else {}))
    assert wait(ended) == "OK", log(ended)
    assert guest.status.current.get()["status"] == "stopped"

# A pre-start that refuses is a failed task whose log says why.
with open(plan["order"], "w", encoding="utf-8") as order:
    order.write("echo not today; exit 5")
refusal = guest.status.start.post()
status = wait(refusal)
assert status.startswith("hookscript error for %d on pre-start: " % vmid), status
assert "not today" in log(refusal), log(refusal)
assert log(refusal)[-1] == "TASK ERROR: " + status, log(refusal)
assert wait(guest.delete(purge=1)) == "OK"
refused(lambda: guest.status.current.get(), "does not exist")
print("lived")
