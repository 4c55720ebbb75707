"""What must hold before a change lands: nothing stale, nothing broken, every example right, everyone named exists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from contracts import examples, generation
from contracts.catalog import OPERATOR, Catalog, party
from contracts.model import Stream

# Source: a Kinesis shard serves 5 GetRecords calls and 2 MB a second to all its polling readers together.
SHARD_READS_PER_S = 5
SHARD_READ_BYTES_PER_S = 2_000_000
POLLS_PER_S = 1
"""How often one consumer reads one shard on AWS, by default."""
_NOT_SERVICES = {"kernel", "__pycache__"}


def problems(catalog: Catalog, root: Path, repository: Path) -> Iterator[str]:
    """Name everything that is wrong with the catalogue, one line each.

    Args:
        root: the folder of contracts.
        repository: the folder that holds `services/`, `flink_jobs/` and `spark_jobs/`.
    """
    for name in generation.stale(catalog, root):
        yield f"generated/{name} is stale: run python -m contracts render"
    yield from generation.incompatible(catalog, root)
    yield from examples.problems(catalog, root)
    yield from _strangers(catalog, repository)
    for stream in catalog.streams.values():
        yield from _dead_letters(stream, catalog)
        yield from _shard_limits(stream)


def _strangers(catalog: Catalog, repository: Path) -> Iterator[str]:
    services = _folders(repository / "services")
    jobs = _folders(repository / "flink_jobs") | _folders(repository / "spark_jobs")
    for stranger in sorted(catalog.parties() - services - jobs - {OPERATOR}):
        yield f"{stranger} writes or reads, but is no folder in services/, flink_jobs/ or spark_jobs/"
    for service in sorted(services - catalog.parties()):
        yield f"services/{service} neither writes nor reads anywhere"


def _folders(parent: Path) -> set[str]:
    folders = {path.name for path in parent.glob("*") if path.is_dir() and any(path.glob("*.py"))}
    return folders - _NOT_SERVICES


def _dead_letters(stream: Stream, catalog: Catalog) -> Iterator[str]:
    if stream.dead_letter is None:
        return
    rejecters = catalog.streams[stream.dead_letter].producers
    for consumer in stream.consumers:
        if consumer != OPERATOR and party(consumer) not in rejecters:
            yield f"{consumer} reads {stream.name}, but is no producer of its dead letters in {stream.dead_letter}"


def _shard_limits(stream: Stream) -> Iterator[str]:
    readers = len([consumer for consumer in stream.consumers if consumer != OPERATOR])
    if readers * POLLS_PER_S > SHARD_READS_PER_S:
        yield f"{stream.name}: {readers} consumers read a shard more than {SHARD_READS_PER_S} times a second"
    if readers * stream.peak_write_bytes_per_s > SHARD_READ_BYTES_PER_S:
        yield f"{stream.name}: {readers} consumers at its peak read more than a shard gives in a second"
