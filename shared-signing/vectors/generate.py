"""Writes signatures.json, cases to check any implementation of signed HTTP with.

python generate.py > signatures.json  # in this folder
"""

from __future__ import annotations

import json
import sys

from case_forms import KEYS
from request_cases import ACCEPTED, REFUSED
from response_cases import RESPONSES

ABOUT = [
    "Cases for section 2 of the wire contract, signed HTTP. All times are unix seconds, but notAfter.",
    "keys: the keys that the receiver knows, by direction, oldest first. Secrets are used as their UTF-8 bytes.",
    "requests: headers are all values of the signature header, in order; their UTF-8 bytes are what arrives.",
    "A body is given as text (its UTF-8 bytes) or, where it is not text, as bodyHex.",
    "now is the receiver's clock; seenNonces are the nonces claimed before, each with its key id.",
    "expect is accepted or the code of the refusal. Accepted requests show the signed bytes as text.",
    "responses: requestNonce is the nonce of the request that is answered; expect is good, missing or bad.",
]


def main() -> None:
    document = {"about": ABOUT, "keys": KEYS, "requests": [*ACCEPTED, *REFUSED], "responses": RESPONSES}
    json.dump(document, sys.stdout, indent=1, ensure_ascii=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
