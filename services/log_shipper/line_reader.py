"""The general reader: any line, by any format, into the parts of an entry.

It never fails: what cannot be read becomes the entry's error type, with the line's text. `plain_lines` reads
most lines of the usual formats faster and gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable

from services.log_shipper.apache_text import decode
from services.log_shipper.directives import Home
from services.log_shipper.enrichment_port import Enrichment
from services.log_shipper.line_parts import Parts, Reading
from services.log_shipper.log_format import Fit, LogFormat
from services.log_shipper.value_patterns import Value


class LineReader:
    """Reads lines of one format."""

    def __init__(self, log_format: LogFormat, enrichment: Enrichment) -> None:
        self._format = log_format
        self._enrichment = enrichment
        self._one_time = sum(value.home is Home.TIME for value in log_format.values) == 1

    def read(self, line: bytes, *, truncated: bool) -> Reading:
        """Read one line, whatever its bytes are.

        Args:
            line: without its end.
            truncated: whether more of it was left out.
        """
        text = decode(line)
        fit, values = self._format.match(text)
        parts = Parts(self._enrichment, one_time=self._one_time)
        if truncated:
            parts.faults.add("line_too_long")
        if fit is not Fit.WHOLE:
            parts.faults.add("cut_off" if fit is Fit.CUT_OFF else "no_match")
        for value, found in zip(self._format.values, values, strict=False):
            # A closed connection is `-` for %X; for everything else it says that there is nothing.
            if found != "-" or value.directive.letter == "X":
                _TAKE[value.home](parts, value, found)
        return parts.reading(text)


_TAKE: dict[Home, Callable[[Parts, Value, str], None]] = {
    Home.ADDRESS: Parts.take_address,
    Home.USER: Parts.take_user,
    Home.TIME: Parts.take_time,
    Home.REQUEST: Parts.take_request,
    Home.METHOD: Parts.take_method,
    Home.PATH: Parts.take_path,
    Home.QUERY: Parts.take_query,
    Home.VERSION: Parts.take_version,
    Home.STATUS: Parts.take_status,
    Home.SIZE: Parts.take_size,
    Home.DURATION: Parts.take_duration,
    Home.SERVER: Parts.take_server,
    Home.REFERRER: Parts.take_referrer,
    Home.AGENT: Parts.take_agent,
    Home.EXTRA: Parts.take_extra,
}
