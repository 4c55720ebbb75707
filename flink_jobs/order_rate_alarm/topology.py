"""How the job is wired: parse each record where it is read, then one detector that sees all of them.

The detector is one instance (`docs/decisions/`): its clock, the distinct orders and the incidents are of all keys at
once. What it knows is in memory and, entry by entry, in Flink's state, from which it is built again after a restore.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import DataStream, OutputTag
from pyflink.datastream.functions import KeyedCoProcessFunction, ProcessFunction, RuntimeContext
from pyflink.datastream.state import MapState, MapStateDescriptor
from pyflink.metrics import Counter

from contracts.validate import ContractViolation
from flink_jobs import runtime, tables
from flink_jobs.order_rate_alarm import parsing
from flink_jobs.order_rate_alarm.detector import Detector
from flink_jobs.order_rate_alarm.memory import Memory
from flink_jobs.order_rate_alarm.record import Record
from flink_jobs.order_rate_alarm.rules import Rules

_ALARM = tables.contract_of("order-rate-alarms").struct
_LETTER = tables.contract_of("rejected").struct
_REJECTED = OutputTag("rejected", runtime.row_type(_LETTER))
_EVERYTHING = "all"
METRICS = "order_rate_alarm"


class Parse(ProcessFunction):  # type: ignore[misc]
    """Decode and check each record; what breaks its contract leaves by the side, with its bytes unchanged.

    Args:
        stream: the physical name of the stream that is read.
    """

    def __init__(self, stream: str) -> None:
        self._stream = stream

    def open(self, context: RuntimeContext) -> None:
        """Declare the metrics; a counter shows only once it was counted."""
        group = context.get_metrics_group().add_group(METRICS)
        self._parsed, self._rejected = group.counter("records_parsed"), group.counter("records_rejected")
        self._parsed.inc(0)
        self._rejected.inc(0)

    def process_element(self, value: Row, _: ProcessFunction.Context) -> Iterator[Any]:
        """Give the order of one record, or its dead letters."""
        data = tables.record_bytes(value[0])
        try:
            order = parsing.order_seen(data)
        except ContractViolation as violation:
            self._rejected.inc()
            for letter in parsing.rejected(violation, data, self._stream):
                yield _REJECTED, runtime.to_row(_LETTER, letter)
            return
        self._parsed.inc()
        yield parsing.to_text(order)


class Shown:
    """A figure that goes up and down, shown by a counter.

    A gauge of Flink is a function that the reporter's thread calls whenever it likes; in thread mode that ended the
    whole process once a task had been restarted (measured). A counter is a number that lies there.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._value = 0
        counter.inc(0)

    def show(self, figure: float) -> None:
        """Set it; Flink shows whole numbers only."""
        value = round(figure)
        self._counter.inc(value - self._value)
        self._value = value


class Detect(KeyedCoProcessFunction):  # type: ignore[misc]
    """The one detector: orders by the first input, by the second a tick each second or a baseline.

    Args:
        rules: properties of the group `rules`.
    """

    def __init__(self, rules: Mapping[str, str]) -> None:
        self._properties = dict(rules)

    def open(self, context: RuntimeContext) -> None:
        """Declare state and metrics; what is in the state can be read only with the first element."""
        self._rules = Rules.from_properties(self._properties)
        # Pickled: in thread mode an array of bytes comes into the state as something that no checkpoint can write.
        entries = MapStateDescriptor("detector", Types.STRING(), Types.PICKLED_BYTE_ARRAY())
        self._state: MapState = context.get_map_state(entries)
        self._memory: Memory | None = None
        figures = Detector(self._rules, None).figures() | _own_figures(None)
        group = context.get_metrics_group().add_group(METRICS)
        self._told, self._heartbeats = group.counter("records_told"), group.counter("heartbeats")
        self._told.inc(0)
        self._heartbeats.inc(0)
        self._gauges = {name: Shown(group.counter(name)) for name in figures}

    def process_element1(self, value: str, ctx: KeyedCoProcessFunction.Context) -> Iterator[Row]:
        """Count an order."""
        yield from self._rows(self._ready().on_order(parsing.from_text(value), _now_ms(ctx)))

    def process_element2(self, value: str, ctx: KeyedCoProcessFunction.Context) -> Iterator[Row]:
        """Let a second pass (an empty text), or take a baseline."""
        memory = self._ready()
        if value:
            memory.on_baseline(value.encode())
        yield from self._rows(memory.on_clock(_now_ms(ctx)))
        for name, figure in (memory.detector.figures() | _own_figures(memory)).items():
            self._gauges[name].show(figure)

    def _ready(self) -> Memory:
        if self._memory is None:
            self._memory = Memory(self._rules, self._state)
        return self._memory

    def _rows(self, told: list[Record]) -> Iterator[Row]:
        for record in told:
            (self._heartbeats if record["rule"] == "heartbeat" else self._told).inc()
            yield runtime.to_row(_ALARM, record)


def _now_ms(ctx: KeyedCoProcessFunction.Context) -> int:
    return int(ctx.timer_service().current_processing_time())


def _own_figures(memory: Memory | None) -> dict[str, float]:
    """What the job counts beside its detector."""
    if memory is None:
        return {"baselines_loaded": 0.0, "baselines_refused": 0.0}
    return {
        "baselines_loaded": float(memory.baselines_loaded),
        "baselines_refused": float(memory.baselines_refused),
    }


def wire(
    records: DataStream, control: DataStream, stream: str, rules: Mapping[str, str]
) -> tuple[DataStream, DataStream]:
    """Put the functions together.

    Args:
        records: rows of the column `tables.RAW`, records of `orders`.
        control: texts: empty for a second that has passed, else a baseline.
        stream: the physical name of the stream of orders.

    Returns:
        rows of `order_rate_alarm/1`, rows of `rejected/1`.
    """
    orders = records.process(Parse(stream), Types.STRING()).name("parse").uid("parse")
    alarms = (
        orders.key_by(lambda _: _EVERYTHING, Types.STRING())
        .connect(control.key_by(lambda _: _EVERYTHING, Types.STRING()))
        .process(Detect(rules), runtime.row_type(_ALARM))
        .name("detect")
        .uid("detect")
        .set_parallelism(1)
    )
    return alarms, orders.get_side_output(_REJECTED)
