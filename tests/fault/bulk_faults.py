"""What can happen to single documents of an OpenSearch bulk request that creates them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

from tests.fault.faults import Answer, Call, Json, Send

_THROTTLED = (429, "rejected_execution_exception")
_AWAY = (503, "unavailable_shards_exception")


@dataclass
class PartialBulk:
    """Some documents are never forwarded and come back as throttled or as of a shard that is away, at their positions.

    Args:
        probability: of failing, for each document.
        failed: documents that were failed so far.
    """

    probability: float
    failed: int = field(default=0)

    async def apply(self, call: Call, body: bytes, send: Send, lifted: asyncio.Event) -> Answer | None:
        """Forward the spared documents and merge both outcomes in the order of the request."""
        lines = body.split(b"\n")[:-1]
        documents = list(zip(lines[::2], lines[1::2], strict=True))
        fates = [
            call.rng.choice((_THROTTLED, _AWAY)) if call.rng.random() < self.probability else None
            for _ in documents
        ]
        spared = [document for document, fate in zip(documents, fates, strict=True) if fate is None]
        outcomes: list[Json] = []
        if spared:
            answer = await send(b"".join(b"%b\n%b\n" % document for document in spared))
            if answer is None or answer.status != 200:
                return answer
            outcomes = json.loads(answer.body)["items"]
        self.failed += len(documents) - len(spared)
        left = iter(outcomes)
        items = [next(left) if fate is None else _refused(*fate) for fate in fates]
        return Answer(200, json.dumps({"items": items}).encode(), {"Content-Type": "application/json"})


def _refused(status: int, kind: str) -> Json:
    return {"create": {"status": status, "error": {"type": kind, "reason": "says the fault proxy"}}}
