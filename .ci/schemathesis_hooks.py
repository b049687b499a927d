"""How schemathesis sends bodies of types that it does not know."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx, value):
    """A binary body as it is, and any other value as one line of JSON."""
    return value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"
