"""The GSM alphabet: what is in it, how long it is, and what stands for the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alarm_notifier import gsm7


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("United Kingdom", "United Kingdom"),
        ("España", "España"),
        ("Österreich", "Österreich"),
        ("Åland", "Åland"),
        ("Côte d'Ivoire", "Cote d'Ivoire"),
        ("Co\u0302te", "Cote"),
        ("São Tomé", "Sao Tomé"),
        ("Łódź", "Lodz"),
        ("Türkiye", "Türkiye"),
        ("Việt Nam", "Viet Nam"),
        ("日本", "??"),
        ("a\nb\tc\x1bd", "a?b?c?d"),
        ("€{}", "€{}"),
        ("5 € \u2013 \u201cso\u201d\u2026", '5 € - "so"...'),
    ],
)
def test_names_are_written_as_the_alphabet_allows(text: str, written: str) -> None:
    assert gsm7.written(text) == written


def test_the_extension_table_costs_two() -> None:
    assert gsm7.septets("a€[]{}\\^~|b") == 2 + 2 * 9
    with pytest.raises(ValueError, match="U\\+65E5"):
        gsm7.septets("日")


@given(st.text())
def test_whatever_is_written_is_in_the_alphabet_and_on_one_line(text: str) -> None:
    written = gsm7.written(text)
    gsm7.septets(written)
    assert "\n" not in written
    assert "\r" not in written
    assert gsm7.written(written) == written
    plain = gsm7.ascii_written(text)
    assert plain.isascii()
    assert plain.isprintable()


@given(st.text(), st.integers(0, 200))
def test_a_cut_fits_and_changes_nothing_that_fits(text: str, limit: int) -> None:
    written = gsm7.written(text)
    cut = gsm7.cut(written, limit)
    assert gsm7.septets(cut) <= limit
    assert (cut == written) == (gsm7.septets(written) <= limit) or not written.strip(" .")
