"""Unusual windows and the stretches that they form."""

from hypothesis import given
from hypothesis import strategies as st

from flink_jobs.order_rate_alarm.clusters import Mark, Marks

MARKS = st.lists(
    st.builds(
        lambda start, length, odd: Mark(start, start + length, odd),
        st.integers(0, 500),
        st.integers(1, 40),
        st.floats(0, 1),
    ),
    unique_by=lambda mark: mark[:2],
    max_size=25,
)


def extents(marks: Marks) -> list[tuple[int, int, float]]:
    return [(each.start_ms, each.end_ms, each.oddness) for each in marks.clusters]


def joined(marks: list[Mark], gap: int) -> list[tuple[int, int, float]]:
    """The definition: sorted by start, a window joins what is not more than the gap before it."""
    found: list[list[float]] = []
    for start, end, odd in sorted(marks):
        if found and start <= found[-1][1] + gap:
            found[-1][1] = max(found[-1][1], end)
            found[-1][2] = min(found[-1][2], odd)
        else:
            found.append([start, end, odd])
    return [(int(start), int(end), odd) for start, end, odd in found]


@given(MARKS, st.integers(0, 30), st.randoms())
def test_stretches_do_not_depend_on_the_order_in_which_windows_are_found(
    found: list[Mark], gap: int, chance: object
) -> None:
    marks = Marks(gap)
    chance.shuffle(found)  # type: ignore[attr-defined]
    for mark in found:
        assert marks.put(mark)
    assert extents(marks) == joined(found, gap)


@given(MARKS, st.integers(0, 30), st.data())
def test_what_is_taken_back_leaves_no_trace(found: list[Mark], gap: int, data: st.DataObject) -> None:
    marks = Marks(gap)
    for mark in found:
        marks.put(mark)
    gone = data.draw(st.sets(st.sampled_from(found))) if found else set()
    for mark in gone:
        assert marks.drop(mark)
        assert not marks.drop(mark)
    assert extents(marks) == joined([mark for mark in found if mark not in gone], gap)


def test_old_windows_become_one_and_the_stretch_stays() -> None:
    marks = Marks(10)
    for end in range(10, 100, 5):
        marks.put(Mark(end - 10, end, 1 / end))
    before = extents(marks)
    folded = marks.fold(marks.clusters[0], 60)
    assert folded is not None
    assert folded[0] == Mark(0, 55, 1 / 55)
    assert len(folded[1]) == 10
    marks.put(Mark(95, 105, 0.5))
    assert extents(marks) == [(0, 105, before[0][2])]
    assert marks.fold(marks.clusters[0], 60) is None
