"""The order of the digest: Python's, Spark's and SQLite's are one."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from spark_jobs.recommendations.release.lists import Digest
from spark_jobs.recommendations.release.spool import Spool
from tests import recommendation_versions as made

SUBJECTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)


@given(st.dictionaries(SUBJECTS, st.binary(max_size=40), max_size=20))
def test_records_come_back_in_order_of_code_points(records: dict[str, bytes]) -> None:
    digest = Digest()
    with Spool() as spool:
        for subject, body in reversed(records.items()):
            spool.add(subject, body)
        spool.sort()
        found = list(spool)
        for record in spool:
            digest.add(*record)
    assert found == sorted(records.items())
    assert digest.text() == made.digest_of(sorted(records.items()))


def test_a_high_letter_comes_before_a_picture_though_not_in_utf_16() -> None:
    with Spool() as spool:
        for subject in ("\U0001f600", "\uff21", "\u00e9", "e"):
            spool.add(subject, b"")
        spool.sort()
        assert [subject for subject, _ in spool] == ["e", "\u00e9", "\uff21", "\U0001f600"]
