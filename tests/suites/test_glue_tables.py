"""The rendered tables in the Glue Data Catalog."""

from __future__ import annotations

import json
from typing import Any

import aiobotocore.session
import pytest

from contracts import catalog
from tests import spark

FILES = sorted((catalog.ROOT / "generated" / "glue").glob("*.json"))


@pytest.mark.parametrize("name", [path.stem for path in FILES])
async def test_glue_takes_and_gives_back_a_table(name: str, glue_endpoint: str, namespace: str) -> None:
    table: dict[str, Any] = json.loads((catalog.ROOT / f"generated/glue/{name}.json").read_text("utf-8"))
    location = {**table["StorageDescriptor"], "Location": f"s3://{namespace}-lake/{name}/"}

    async with aiobotocore.session.get_session().create_client("glue", endpoint_url=glue_endpoint) as glue:
        await glue.create_database(DatabaseInput={"Name": namespace})
        await glue.create_table(DatabaseName=namespace, TableInput={**table, "StorageDescriptor": location})

    found = await spark.glue_table(glue_endpoint, namespace, table["Name"])
    assert {key: found[key] for key in table if key != "StorageDescriptor"} == {
        key: value for key, value in table.items() if key != "StorageDescriptor"
    }
    assert found["StorageDescriptor"].items() >= location.items()
