"""What every Flink job stands on: an environment with permitted options, and rows that follow the contracts.

The same code runs on Managed Service for Apache Flink, where the service owns the cluster and its options, and in a
process that is its own cluster, to which the options come from a file that its starter wrote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain, count
from typing import Any

from pyflink.common import Configuration, Row, Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import DataStream, KeyedStream, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from contracts.model import (
    Array,
    Boolean,
    Date,
    Decimal,
    Double,
    Int32,
    Int64,
    String,
    Struct,
    Timestamp,
    Type,
)
from flink_jobs.properties import permitted

_SCALARS = {
    String: Types.STRING,
    Int32: Types.INT,
    Int64: Types.LONG,
    Double: Types.DOUBLE,
    Boolean: Types.BOOLEAN,
    Date: Types.STRING,
    Timestamp: Types.STRING,
    Decimal: Types.STRING,
}


def environment(
    options: Mapping[str, str], cluster: Mapping[str, str]
) -> tuple[StreamExecutionEnvironment, StreamTableEnvironment]:
    """Make the two environments of a job.

    Args:
        options: what the job's code sets, wherever it runs.
        cluster: options of the cluster in this process; empty where the cluster is another's.

    Raises:
        NotPermitted: the code sets what the service does not let it set.
    """
    configuration = Configuration()
    for key, value in {**cluster, **permitted(options)}.items():
        configuration.set_string(key, value)
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    return environment, StreamTableEnvironment.create(environment)


def name_operators(environment: StreamExecutionEnvironment) -> list[str]:
    """Give every operator that has none a uid made of its name, so that state finds its operator after an upgrade.

    The planner numbers what it makes for a table; without the number the name is that of the table and stays.

    Returns:
        the uids of all operators.
    """
    taken: set[str] = set()
    unnamed, seen = [], set()
    waiting = list(environment._j_stream_execution_environment.getTransformations())
    while waiting:
        operator = waiting.pop(0)
        if operator.getId() in seen:
            continue
        seen.add(operator.getId())
        waiting += list(operator.getInputs())
        if uid := operator.getUid():
            taken.add(uid)
        else:
            unnamed.append(operator)
    for operator in unnamed:
        name = re.sub(r"\[\d+\]", "", operator.getName())
        uid = next(one for one in chain([name], (f"{name}-{n}" for n in count(2))) if one not in taken)
        operator.setUid(uid)
        taken.add(uid)
    return sorted(taken)


def run(environment: StreamExecutionEnvironment, name: str, here: bool) -> None:
    """Submit the job; where the cluster is this process, stay until the job ends."""
    submitted = environment.execute_async(name)
    if here:
        submitted.get_job_execution_result().result()


def keyed(rows: DataStream, key: TypeInformation, value: TypeInformation) -> KeyedStream:
    """Key a stream by the first of its two columns, in the JVM; functions are given the second.

    PyFlink's own `key_by` asks a Python function for the key of each record: one more step into Python and back.

    Args:
        rows: of a key and a value, of these types (a stream of a table says only that it is one of rows).
    """
    rows._j_data_stream.getTransformation().setOutputType(Types.ROW([key, value]).get_java_type_info())
    selector, of_key = get_gateway().jvm.KeyByKeySelector(), Types.ROW([key]).get_java_type_info()
    return KeyedStream(rows._j_data_stream.keyBy(selector, of_key), value, rows)


def row_type(type_: Type) -> TypeInformation:
    """How values of a contract's type travel between Python and Flink."""
    match type_:
        case Struct(fields=fields):
            return Types.ROW_NAMED(
                [field.name for field in fields], [row_type(field.type) for field in fields]
            )
        case Array(items=items):
            return Types.OBJECT_ARRAY(row_type(items))
    return _SCALARS[type(type_)]()


def to_row(type_: Type, value: Any) -> Any:
    """A document of a contract as a row of its columns; a field that is absent is null."""
    match type_:
        case Struct(fields=fields) if value is not None:
            return Row(*(to_row(field.type, value.get(field.name)) for field in fields))
        case Array(items=items) if value is not None:
            return [to_row(items, item) for item in value]
        case Double() if value is not None:
            return float(value)
    return value
