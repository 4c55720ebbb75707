"""Whatever a client sends, the console answers as its specification says."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from services.console.logs.fields import FACETS, SUMMARY_FACETS
from services.console.logs.histogram import CLASSES, OTHER
from services.console.logs.time_range import INTERVALS_MS
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
        "/openapi.json",
    }
    schemas = document["components"]["schemas"]
    assert set(schemas["FacetAnswer"]["properties"]["field"]["enum"]) == set(FACETS)
    assert set(schemas["Summary"]["properties"]["facets"]["properties"]) == set(SUMMARY_FACETS)
    assert schemas["Histogram"]["properties"]["interval"]["enum"] == list(INTERVALS_MS)
    assert set(schemas["Classes"]["properties"]) == {*CLASSES, OTHER}
