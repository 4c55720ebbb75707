"""Whatever a client sends, order_ingest answers as its specification says."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import schemathesis

from services.order_ingest import openapi
from tests.component.order_ingest.conftest import Gate

ROOT = Path(__file__).parents[3]
EXAMPLES = 40
TIMEOUT_S = 150
# What JSON Schema cannot say of an order: line ids that differ, days that exist. What is too large may be called
# so before it is called wrong. A batch takes any text and judges its lines one by one.
CONFIG = """
hooks = "tests.component.order_ingest.schemathesis_hooks"

[[operations]]
include-operation-id = "postOrder"
checks.positive_data_acceptance.expected-statuses = ["202", "422"]
checks.negative_data_rejection.expected-statuses = ["400", "401", "413", "415", "422"]

[[operations]]
include-operation-id = "postOrders"
checks.negative_data_rejection.expected-statuses = ["200", "401", "415"]
"""


def test_the_description_is_openapi_3_1() -> None:
    loaded = schemathesis.openapi.from_dict(openapi.DOCUMENT)
    loaded.validate()
    assert sorted(loaded) == ["/openapi.json", "/v1/orders", "/v1/orders:batch"]


async def test_the_service_keeps_its_specification(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{gate.process.url}/openapi.json",
        "--header",
        f"Authorization: {gate.sender('schemathesis')['Authorization']}",
        "--checks",
        "all",
        "--max-examples",
        str(EXAMPLES),
        "--seed",
        "1",
        "--no-color",
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()[:9000]
