#!/usr/bin/env python3
"""Bind the guest's hostpci devices to vfio-pci and give them back."""

import logging
import re
import sys
from pathlib import Path

PCI = Path("/sys/bus/pci")
CONF = Path("/etc/pve/qemu-server")
log = logging.getLogger("gpu-hook")


def devices(vmid: str) -> list[str]:
    found = []
    for line in (CONF / f"{vmid}.conf").read_text().splitlines():
        if line.startswith("["):
            break
        match = re.match(r"hostpci\d+:\s*(?:host=)?([0-9a-f:.]+)", line)
        if match:
            found.append(match.group(1))
    return found


def driver_of(dev: str) -> str | None:
    link = PCI / "devices" / dev / "driver"
    return link.resolve().name if link.exists() else None


def rebind(dev: str, driver: str) -> None:
    node = PCI / "devices" / dev
    if driver_of(dev) == driver:
        return
    if driver_of(dev) is not None:
        (node / "driver" / "unbind").write_text(dev)
    (node / "driver_override").write_text(driver)
    (PCI / "drivers_probe").write_text(dev)


def main(argv: list[str]) -> int:
    logging.basicConfig(level=logging.INFO)
    if len(argv) < 3:
        print(f"usage: {argv[0]} VMID PHASE", file=sys.stderr)
        return 64
    vmid, phase = argv[1], argv[2]
    if phase == "pre-start":
        for dev in devices(vmid):
            rebind(dev, "vfio-pci")
    elif phase == "post-stop":
        for dev in devices(vmid):
            try:
                rebind(dev, "amdgpu")
            except OSError as error:
                log.warning("could not give %s back: %s", dev, error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
