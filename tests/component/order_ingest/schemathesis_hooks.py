"""How Schemathesis writes and reads NDJSON; loaded by its command line, not by pytest."""

from __future__ import annotations

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context: Any, value: Any) -> bytes:
    """Text goes as it is: most of it is no order, which its answer line has to say."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.deserializer("application/x-ndjson")
def ndjson_text(_context: Any, response: Any) -> Any:
    """A batch's answer as text, once every line of it has been parsed."""
    for line in response.content.splitlines():
        assert json.loads(line)["status"] in {202, 400, 413, 422, 429, 503}
    return response.content.decode()
