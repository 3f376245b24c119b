"""What every client here takes and gives: a URL and a key, and the last answer as one line of JSON."""

import json
import os
import sys

from eth_account import Account

url = sys.argv[1]
account = Account.from_key(os.environ["PAYER_KEY"])


def show(response):
    """Prints an answer of httpx or requests, names of headers in lower case."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    print(json.dumps({"status": response.status_code, "headers": headers, "text": response.text}))
