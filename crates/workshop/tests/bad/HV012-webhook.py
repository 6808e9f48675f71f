#!/usr/bin/env python3
import sys
import requests

WEBHOOK = "https://discord.com/api/webhooks/112233445566778899/AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg"
requests.post(WEBHOOK, json={"content": f"guest {sys.argv[1]}: {sys.argv[2]}"}, timeout=5)
