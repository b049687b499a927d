"""How schemathesis sends bodies of types that it does not know, and what has formats that it does not know."""

import json

import schemathesis
from hypothesis import strategies

schemathesis.openapi.format("iana-timezone", strategies.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Kiritimati", "Etc/GMT+12"]))


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx, value):
    """A binary body as it is, and any other value as one line of JSON."""
    return value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"
