"""Who is measured, how each is started, and why somebody is not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.logs import bento, goaccess, lines, outputs
from bench.logs.absence import Absent, last_line, present
from bench.logs.process import Command
from bench.logs.rounds import Make, Timed, of_loop, of_process
from bench.logs.shipping import ship
from bench.logs.table import Scope
from deploy.local import bench_peers
from deploy.local.engines.fetch import FetchFailed

ENGINES = lines.ROOT / ".engines"
ENRICHMENT = ("user_agent", "country")
APACHELOGS, CLFPARSER = "apachelogs 0.6.1, parse", "clfparser 0.3, parse"


@dataclass(frozen=True, slots=True)
class Participant:
    """One way to read a log.

    Args:
        scope: a loop times itself; of a process everything counts, its start-up too; a service is up already.
        share: of the lines, for who would take too long.
        timed: measures one round.
        write: the command whose output is judged; None where nobody looks.
        source: makes the input, of so many lines.
        judge: says how many lines of an output are right.
        counted: the judge knows only how many lines were taken.
    """

    name: str
    scope: Scope
    timed: Timed
    judge: outputs.Judge | None = None
    write: Make | None = None
    share: float = 1.0
    peer: bool = True
    counted: bool = False
    source: Callable[[Path, lines.Sample, int], Path] = lines.servers


def ours() -> list[Participant]:
    """Our parser: as the loop of the shipper and as a command, with and without enrichment; and the whole shipper."""
    judge = outputs.by_line(outputs.contract)
    loop, command = of_loop(_loop), of_process(_parse)
    enriched_loop, enriched = of_loop(partial(_loop, kinds=ENRICHMENT)), partial(_parse, kinds=ENRICHMENT)
    return [
        Participant("ours, parse and encode", Scope.LOOP, loop, judge, _parse, peer=False),
        Participant("ours, same lines again", Scope.LOOP, loop, peer=False, source=lines.again),
        Participant("ours, with agent and country", Scope.LOOP, enriched_loop, judge, enriched, peer=False),
        Participant("ours, command", Scope.PROCESS, command, judge, _parse, peer=False),
        Participant(
            "ours, command, with both", Scope.PROCESS, of_process(enriched), judge, enriched, peer=False
        ),
        Participant("ours, service to Kinesis", Scope.SERVICE, ship, peer=False, share=0.4),
    ]


def _loop(source: Path, _: Path, kinds: Sequence[str] = ()) -> Command:
    return Command(
        [sys.executable, "-m", "bench.logs.ours", str(source), *kinds], {"PYTHONPATH": str(lines.ROOT)}
    )


def _parse(source: Path, output: Path, kinds: Sequence[str] = ()) -> Command:
    arguments = [sys.executable, "-m", "services.log_shipper", "parse", str(source)]
    arguments += ["--enrich", ",".join(kinds)]
    return Command(arguments, {"PYTHONPATH": str(lines.ROOT)}, output)


def others() -> tuple[list[Participant], dict[str, str]]:
    """The peers that run on this machine, fetched or built where they are not there yet.

    Returns:
        the peers, and for each that is absent its name and why.
    """
    return present(
        [
            ([f"GoAccess {goaccess.VERSION}"], _goaccess),
            ([f"Bento {bento.VERSION}, regex", f"Bento {bento.VERSION}, grok"], _bento),
            ([APACHELOGS, CLFPARSER], _python),
        ]
    )


def _goaccess(name: str) -> list[Participant]:
    report = partial(goaccess.command, goaccess.program())
    timed = of_process(lambda source, output: report(source, output.with_suffix(".html")))
    return [Participant(name, Scope.PROCESS, timed, goaccess.valid_requests, report, counted=True)]


def _bento(*names: str) -> list[Participant]:
    built = bento.program(ENGINES)
    regex, grok = partial(bento.command, built, "regex"), partial(bento.command, built, "grok")
    return [
        Participant(
            names[0], Scope.PROCESS, of_process(regex), outputs.by_line(outputs.plain), regex, share=0.2
        ),
        Participant(
            names[1], Scope.PROCESS, of_process(grok), outputs.by_line(outputs.grok), grok, share=0.04
        ),
    ]


def _python(*names: str) -> list[Participant]:
    try:
        with redirect_stdout(sys.stderr):  # what it says is no part of the table
            bench_peers.put_in_place()
    except FetchFailed as failure:
        raise Absent(last_line(str(failure))) from None
    found = []
    for name in names:
        read = partial(_library, name.split()[0])
        write = partial(read, write=True)
        found.append(
            Participant(name, Scope.LOOP, of_loop(read), outputs.by_line(outputs.plain), write, share=0.1)
        )
    return found


def _library(name: str, source: Path, output: Path, *, write: bool = False) -> Command:
    script = str(Path(__file__).with_name("python_peer.py"))
    return Command([str(bench_peers.PYTHON), script, name, str(source), *[str(output)] * write], {})
