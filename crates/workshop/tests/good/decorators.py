#!/usr/bin/env python3
"""Uses a class and decorators."""
import sys
from typing import Callable, Dict
_handlers: Dict[str, Callable] = {}
def on(phase):
    def deco(fn):
        _handlers[phase] = fn
        return fn
    return deco
@on("pre-start")
def a(vmid): print("x", vmid)
@on("post-stop")
def b(vmid): print("y", vmid)
def main():
    vmid, phase = int(sys.argv[1]), sys.argv[2]
    _handlers.get(phase, lambda v: None)(vmid)
if __name__ == "__main__":
    main()
