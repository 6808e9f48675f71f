#!/usr/bin/env python3
"""good: MQTT publish with config file, retries, dataclass."""
import configparser, dataclasses, socket, sys, time
@dataclasses.dataclass
class Event:
    vmid: int
    phase: str
    def topic(self): return f"pve/{socket.gethostname()}/{self.vmid}"
class Publisher:
    def __init__(self, path="/etc/mqtt-hook.ini"):
        self.config = configparser.ConfigParser()
        self.config.read(path)
        self.password = self.config.get("mqtt", "password", fallback="")
    def publish(self, event, retries=3):
        for attempt in range(retries):
            try:
                import paho.mqtt.publish as publish
                publish.single(event.topic(), event.phase, hostname="mqtt", auth={"username": "pve", "password": self.password})
                return True
            except Exception as exc:
                print(f"attempt {attempt}: {exc}", file=sys.stderr)
                time.sleep(1)
        return False
def main(argv=None):
    argv = argv or sys.argv[1:]
    try:
        event = Event(int(argv[0]), argv[1])
    except (IndexError, ValueError):
        print(__doc__)
        return 2
    Publisher().publish(event)
    return 0
if __name__ == "__main__":
    raise SystemExit(main())
