"""How the job is wired: one detector that reads every record and sees all orders.

It is one instance (`docs/decisions/`): its clock, the distinct orders and the incidents are of all keys at once. What
it knows is in memory and, entry by entry, in Flink's state, from which it is built again after a restore. It reads the
records itself, for what is dear is each step from the JVM into Python, not what is done there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pyflink.common import Types
from pyflink.datastream import DataStream, OutputTag
from pyflink.datastream.functions import KeyedCoProcessFunction, RuntimeContext
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
EVERYTHING = "all"
"""The one key."""
METRICS = "order_rate_alarm"


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
    """The one detector: records by the first input, by the second a tick each second or a baseline.

    What breaks its contract leaves by the side, with its bytes unchanged.

    Args:
        stream: the physical name of the stream that is read.
        rules: properties of the group `rules`.
    """

    def __init__(self, stream: str, rules: Mapping[str, str]) -> None:
        self._stream = stream
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
        self._parsed, self._rejected = group.counter("records_parsed"), group.counter("records_rejected")
        for counter in (self._told, self._heartbeats, self._parsed, self._rejected):
            counter.inc(0)  # one that was never counted does not show
        self._gauges = {name: Shown(group.counter(name)) for name in figures}

    def process_element1(self, value: str, _: KeyedCoProcessFunction.Context) -> list[Any]:
        """Count the order of one record, or give its dead letters."""
        data = tables.record_bytes(value)
        try:
            order = parsing.order_seen(data)
        except ContractViolation as violation:
            self._rejected.inc()
            letters = parsing.rejected(violation, data, self._stream)
            return [(_REJECTED, runtime.to_row(_LETTER, letter)) for letter in letters]
        self._parsed.inc()
        return self._rows(self._ready().on_order(order, _now_ms()))

    def process_element2(self, value: str, _: KeyedCoProcessFunction.Context) -> list[Any]:
        """Let a second pass (an empty text), or take a baseline."""
        memory = self._ready()
        if value:
            memory.on_baseline(value.encode())
        rows = self._rows(memory.on_clock(_now_ms()))
        for name, figure in (memory.detector.figures() | _own_figures(memory)).items():
            self._gauges[name].show(figure)
        return rows

    def _ready(self) -> Memory:
        if self._memory is None:
            self._memory = Memory(self._rules, self._state)
        return self._memory

    def _rows(self, told: list[Record]) -> list[Any]:
        for record in told:
            (self._heartbeats if record["rule"] == "heartbeat" else self._told).inc()
        return [runtime.to_row(_ALARM, record) for record in told]


def _now_ms() -> int:
    # The context's own clock is the same and costs three steps into the JVM.
    return time.time_ns() // 1_000_000


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
    """Put the detector between its inputs and outputs.

    Args:
        records: rows of `EVERYTHING` and the column `tables.RAW`, records of `orders`.
        control: texts: empty for a second that has passed, else a baseline.
        stream: the physical name of the stream of orders.

    Returns:
        rows of `order_rate_alarm/1`, rows of `rejected/1`.
    """
    alarms = (
        runtime.keyed(records, Types.STRING(), Types.STRING())
        .connect(control.key_by(lambda _: EVERYTHING, Types.STRING()))
        .process(Detect(stream, rules), runtime.row_type(_ALARM))
        .name("detect")
        .uid("detect")
        .set_parallelism(1)
    )
    return alarms, alarms.get_side_output(_REJECTED)
