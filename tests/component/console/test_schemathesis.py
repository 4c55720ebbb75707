"""Whatever a client sends, the console answers as its specification says."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from services.console.logs.fields import FACETS, SUMMARY_FACETS
from services.console.logs.histogram import CLASSES, OTHER
from services.console.logs.time_range import INTERVALS_MS
from services.console.sales import model, saved
from services.console.sales.requests import PARAMETERS
from services.console.sales.sales import MAX_ROWS
from tests.component.console.conftest import Console

EXAMPLES = 40
TIMEOUT_S = 200
# A text is a query string to the schema, and a date is a time, but only some are.
CONFIG = """
checks.positive_data_acceptance.expected-statuses = ["200", "400"]
"""


async def test_the_console_keeps_its_specification(console: Console, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    authorization = console.headers["Authorization"]
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{console.process.url}/openapi.json",
        "--header",
        f"Authorization: {authorization}",
        "--checks",
        "all",
        "--max-examples",
        str(EXAMPLES),
        "--seed",
        "1",
        "--no-color",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()[-6000:]


async def test_the_specification_says_what_the_code_says(console: Console) -> None:
    _, document, _ = await console.get("/openapi.json")
    assert set(document["paths"]) == {
        "/v1/logs/entries",
        "/v1/logs/summary",
        "/v1/logs/facets/{field}",
        "/v1/logs/histogram",
        "/v1/sales",
        "/v1/sales/model",
        "/v1/queries",
        "/v1/queries/{name}",
        "/openapi.json",
    }
    schemas = document["components"]["schemas"]
    asked = _parameters(document, "/v1/sales")
    words = model.model()
    assert set(asked) == PARAMETERS
    assert _alternatives(asked["measures"]["pattern"]) == list(words.measures)
    assert _alternatives(asked["by"]["pattern"]) == list(words.dimensions)
    assert asked["limit"]["maximum"] == MAX_ROWS
    given = _parameters(document, "/v1/queries/{name}")
    queries = saved.queries()
    assert given.pop("name")["enum"] == list(queries)
    assert set(given) == {one.name for query in queries.values() for one in query.parameters}
    assert set(schemas["FacetAnswer"]["properties"]["field"]["enum"]) == set(FACETS)
    assert set(schemas["Summary"]["properties"]["facets"]["properties"]) == set(SUMMARY_FACETS)
    assert schemas["Histogram"]["properties"]["interval"]["enum"] == list(INTERVALS_MS)
    assert set(schemas["Classes"]["properties"]) == {*CLASSES, OTHER}


def _parameters(document: Any, path: str) -> dict[str, Any]:
    found = document["paths"][path]["get"]["parameters"]
    return {one["name"]: one["schema"] for one in found}


def _alternatives(pattern: str) -> list[str]:
    return pattern[2 : pattern.index(")")].split("|")
