"""Access log entries for tests: those of the real log, read by a reader of its own, and indices that hold them."""

from __future__ import annotations

import hashlib
import json
import lzma
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp

from contracts import catalog
from contracts.render import opensearch

ROOT = Path(__file__).parents[1]
Entry = dict[str, Any]
REAL_DAYS = ("2015.05.17", "2015.05.18", "2015.05.19", "2015.05.20")

_LINE = re.compile(
    r'(\S+) \S+ (\S+) \[([^\]]+)\] "(\S+) (\S+) HTTP/([0-9.]+)" (\d{3}) (\d+|-) "([^"]*)" "(.*)"\Z'
)
_COUNTRIES = ("US", "DE", "GB", "FR", "IN", "BR", "CN", "PL")
_BROWSERS = ("Chrome", "Firefox", "Safari", "MSIE", "Opera")
_SYSTEMS = ("Windows", "Mac OS X", "Linux", "Android", "iOS")
_BOT = re.compile(r"bot|crawl|spider|slurp", re.IGNORECASE)
_BATCH = 2_000


@cache
def real_entries() -> Sequence[Entry]:
    """The entries of the real log, in its order; country, browser and system are drawn plainly from the line."""
    text = lzma.decompress((ROOT / "data/access_log.xz").read_bytes()).decode()
    offset, found = 0, []
    for line in text.splitlines(keepends=True):
        found.append(entry(line.rstrip("\n"), offset))
        offset += len(line.encode())
    return found


def entry(line: str, offset: int, host: str = "web-1", day: str | None = None) -> Entry:
    """One line as an entry; a line of another form is kept as text, on `day` or the real log's last."""
    matched = _LINE.match(line)
    if matched is None:
        at = f"{(day or REAL_DAYS[-1]).replace('.', '-')}T21:00:00.000Z"
        return {**_place(at, host, offset), "error": {"type": "no_match"}, "event": _event(line)}
    address, user, time, method, target, version, status, size, referrer, agent = matched.groups()
    at = datetime.strptime(time, "%d/%b/%Y:%H:%M:%S %z").strftime("%Y-%m-%dT%H:%M:%S.000Z")
    path, _, query = target.partition("?")
    response: Entry = {"status_code": int(status)}
    if size != "-":
        response["body"] = {"bytes": int(size)}
    request = {"method": method, **({"referrer": referrer} if referrer != "-" else {})}
    found = {
        **_place(at, host, offset),
        "source": {"address": address, "ip": address, "geo": {"country_iso_code": _country(address)}},
        "http": {"version": version, "request": request, "response": response},
        "url": {"original": target, "path": path, **({"query": query} if query else {})},
        "event": {"created": at},
    }
    if user != "-":
        found["user"] = {"name": user}
    if agent != "-":
        found["user_agent"] = _agent(agent)
    return found


def _place(at: str, host: str, offset: int) -> Entry:
    return {
        "@timestamp": at,
        "generation": hashlib.sha256(host.encode()).hexdigest()[:32],
        "block": str(offset // 65536),
        "index_day": at[:10],
        "host": {"name": host},
        "log": {"file": {"path": "/var/log/apache2/access.log"}, "offset": offset},
    }


def _event(line: str) -> Entry:
    return {"created": "2015-05-20T21:00:01.000Z", "original": line}


def _country(address: str) -> str:
    return _COUNTRIES[hashlib.sha256(address.encode()).digest()[0] % len(_COUNTRIES)]


def _agent(agent: str) -> Entry:
    browser = next((name for name in _BROWSERS if name in agent), agent.partition("/")[0][:64])
    system = next((name for name in _SYSTEMS if name in agent), None)
    os = {"os": {"name": system}} if system else {}
    return {"original": agent, "name": browser, "bot": _BOT.search(agent) is not None, **os}


async def store(endpoint: str, namespace: str, entries: Iterable[Entry]) -> None:
    """Index entries as the log indexer does: under the contract's template, each in the index of its day."""
    async with aiohttp.ClientSession(endpoint) as session:
        template = json.loads(opensearch.render(catalog.load())["opensearch/access-logs.json"])
        template["index_patterns"] = [f"{namespace}-access-logs-*"]
        url = f"/_index_template/{namespace}-access-logs"
        async with session.put(url, json=template) as answer:
            assert answer.status == 200, await answer.text()
        waiting = list(entries)
        for start in range(0, len(waiting), _BATCH):
            await _bulk(session, namespace, waiting[start : start + _BATCH])
        async with session.post(f"/{namespace}-access-logs-*/_refresh") as answer:
            assert answer.status == 200, await answer.text()


async def _bulk(session: aiohttp.ClientSession, namespace: str, entries: Sequence[Entry]) -> None:
    lines = []
    for one in entries:
        index = f"{namespace}-access-logs-{one['index_day'].replace('-', '.')}"
        identity = f"{one['host']['name']}-{one['generation']}-{one['log']['offset']}"
        lines += [json.dumps({"create": {"_index": index, "_id": identity}}), json.dumps(one)]
    body = ("\n".join(lines) + "\n").encode()
    async with session.post("/_bulk", data=body, headers={"Content-Type": "application/x-ndjson"}) as answer:
        told = await answer.json()
    assert not told["errors"], [one for one in told["items"] if one["create"]["status"] != 201][:3]
