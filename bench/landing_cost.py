"""Dollars for landing a million orders in S3: by lake_writer, and by Amazon Data Firehose in its place.

Source: https://aws.amazon.com/firehose/pricing/, https://aws.amazon.com/s3/pricing/ and
https://aws.amazon.com/fargate/pricing/, us-east-1.
"""

from __future__ import annotations

from dataclasses import dataclass

GB = 1024**3
HOURS_A_MONTH = 730
FIREHOSE_STEP_BYTES = 5 * 1024
"""Firehose counts each record in steps of this, also where it reads a stream."""


@dataclass(frozen=True)
class LandingPrices:
    """Dollars, us-east-1."""

    firehose_gb: float = 0.029
    firehose_conversion_gb: float = 0.018
    s3_put_per_thousand: float = 0.005
    vcpu_hour: float = 0.04048
    memory_gb_hour: float = 0.004445


@dataclass(frozen=True)
class Landing:
    """How a landing is run.

    Args:
        orders_a_day: on average; what a put costs an order hangs on it.
        shards: each writes an object at least every `object_max_age_s` while records come.
        cpu_s_per_million_lines: as `python -m bench.lake` prints it.
        task_vcpu, task_memory_gb: of the one task that the landing needs at least.
    """

    orders_a_day: float = 100_000.0
    shards: float = 2.0
    object_max_age_s: float = 60.0
    cpu_s_per_million_lines: float = 4.0
    task_vcpu: float = 0.25
    task_memory_gb: float = 1.0


Row = tuple[str, float, str]


def dollars(
    firehose_bytes: float, lines: float, records_per_order: float, prices: LandingPrices, how: Landing
) -> list[Row]:
    """What a million orders cost: name, dollars, formula.

    Args:
        firehose_bytes: of a record, in whole steps, on average.
        lines: of an order, on average.
    """
    firehose_gb = firehose_bytes * records_per_order * 1e6 / GB
    a_gb = prices.firehose_gb + prices.firehose_conversion_gb
    objects = how.shards * 86_400 / how.object_max_age_s / how.orders_a_day * 1e6
    hours = lines * how.cpu_s_per_million_lines / 3_600
    return [
        (
            "Landing by lake_writer: puts",
            objects / 1_000 * prices.s3_put_per_thousand,
            f"{how.shards:g} shards x 86400 s / {how.object_max_age_s:g} s = {objects:.0f} objects a million orders "
            f"at {how.orders_a_day:,.0f} a day x ${prices.s3_put_per_thousand} / thousand",
        ),
        (
            "Landing by lake_writer: CPU used",
            hours * prices.vcpu_hour,
            f"{lines:.1f} lines x {how.cpu_s_per_million_lines:g} s / million = {hours:.4f} h x ${prices.vcpu_hour}",
        ),
        (
            "Landing by Firehose, converted to Parquet",
            firehose_gb * a_gb,
            f"records x ceil(5 KB) in GB = {firehose_gb:.2f} x (${prices.firehose_gb} + "
            f"${prices.firehose_conversion_gb}); one row an order: lines need a Lambda more",
        ),
    ]


def standing(prices: LandingPrices, how: Landing) -> dict[str, float]:
    """What stands whatever passes, dollars a month."""
    hour = how.task_vcpu * prices.vcpu_hour + how.task_memory_gb * prices.memory_gb_hour
    name = f"a lake_writer task of {how.task_vcpu:g} vCPU, {how.task_memory_gb:g} GB, a month"
    return {name: hour * HOURS_A_MONTH}
