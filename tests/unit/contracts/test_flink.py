"""The columns that Flink is given."""

from __future__ import annotations

import dataclasses
import json

import pytest

from contracts import catalog
from contracts.model import Array, Boolean, Decimal, Double, Field, Int32, Int64, String, Struct, Timestamp
from contracts.profile import ProfileError
from contracts.render import flink


def test_every_type_of_the_profile_has_one_of_flink() -> None:
    row = Struct(
        (Field("a", Int32(), True, False, ""), Field("b", Array(Decimal(18, 2), 0, 9), True, True, ""))
    )

    assert flink.sql_type(row) == "ROW<`a` INT, `b` ARRAY<STRING>>"
    assert [flink.sql_type(one) for one in (String(), Int64(), Double(), Boolean(), Timestamp())] == [
        "STRING",
        "BIGINT",
        "DOUBLE",
        "BOOLEAN",
        "STRING",
    ]


def test_a_stream_has_its_columns_and_its_partition_key() -> None:
    rendered = flink.render(catalog.load())

    assert rendered.keys() == {f"flink/{name}.json" for name in catalog.load().streams}
    alarms = json.loads(rendered["flink/order-rate-alarms.json"])
    assert alarms["contract"] == "order_rate_alarm/1"
    assert alarms["partition_key"] == {"columns": ["rule", "key"], "delimiter": "/"}
    columns = {
        text.split("`")[1]: text.split("`")[2].split(" COMMENT")[0].strip() for text in alarms["columns"]
    }
    assert (columns["rank"], columns["expected"]) == ("BIGINT NOT NULL", "DOUBLE")
    assert (columns["started_at"], columns["value_at_stake"]) == ("STRING NOT NULL", "STRING")
    rejected = json.loads(rendered["flink/rejected.json"])
    assert rejected["partition_key"] == {"columns": ["rejected_id"], "delimiter": ""}
    assert any(
        "`details` ARRAY<ROW<`pointer` STRING, `reason` STRING>>" in text for text in rejected["columns"]
    )


def test_a_quote_in_a_description_does_not_end_the_comment() -> None:
    alarms = json.loads(flink.render(catalog.load())["flink/order-rate-alarms.json"])

    (rule,) = [text for text in alarms["columns"] if text.startswith("`rule`")]
    assert "the job''s own sign of life" in rule


@pytest.mark.parametrize("template", ["x-{rule}", "{rule}{key}", "{rule}/{key}-{state}", "{rule}/"])
def test_a_partition_key_that_flink_cannot_make_is_refused(template: str) -> None:
    whole = catalog.load()
    stream = dataclasses.replace(whole.streams["order-rate-alarms"], partition_key=template)

    with pytest.raises(ProfileError, match="cannot make"):
        flink.render(dataclasses.replace(whole, streams={"order-rate-alarms": stream}))
