"""The statements that make a job's tables."""

from __future__ import annotations

from flink_jobs import tables


def test_a_source_reads_bytes() -> None:
    assert tables.source("orders", {"stream.arn": "arn:o'x"}) == (
        "CREATE TEMPORARY TABLE `orders` (\n  `data` STRING\n) WITH (\n"
        "  'connector' = 'kinesis',\n  'stream.arn' = 'arn:o''x',\n  'format' = 'raw',\n"
        "  'raw.charset' = 'ISO-8859-1'\n)"
    )


def test_every_byte_is_one_character_of_a_source() -> None:
    assert tables.record_bytes(bytes(range(256)).decode("iso-8859-1")) == bytes(range(256))
    assert tables.record_bytes(None) == b""


def test_a_sink_writes_a_contract_under_its_partition_key() -> None:
    statement = tables.sink("alarms", "order-rate-alarms", {"stream.arn": "arn:x"})

    assert statement.startswith(
        "CREATE TEMPORARY TABLE `alarms` (\n  `incident_id` STRING NOT NULL COMMENT '"
    )
    assert ") PARTITIONED BY (`rule`, `key`) WITH (" in statement
    assert "'sink.partitioner-field-delimiter' = '/'" in statement
    assert statement.endswith("'format' = 'json'\n)")


def test_a_key_of_one_column_needs_no_delimiter() -> None:
    statement = tables.sink("letters", "rejected", {})

    assert "PARTITIONED BY (`rejected_id`)" in statement
    assert "delimiter" not in statement


def test_names() -> None:
    assert tables.stream_name("arn:aws:kinesis:eu-west-1:1:stream/cadabra-orders") == "cadabra-orders"
    assert tables.contract_of("rejected").title == "rejected/1"
