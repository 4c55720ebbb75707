"""Any LogFormat string becomes one way of reading its lines, or an error that says where it is wrong."""

from __future__ import annotations

import pytest

from services.kernel.core.errors import Misconfigured
from services.log_shipper.directives import RULES, Home
from services.log_shipper.log_format import NAMED_FORMATS, Fit, compile_format

_TIME = "[17/May/2015:10:05:03 +0000]"


@pytest.mark.parametrize(
    ("log_format", "line", "values"),
    [
        (
            "common",
            f'::1 - - {_TIME} "GET / HTTP/1.1" 304 -',
            ["::1", "-", "-", _TIME, "GET / HTTP/1.1", "304", "-"],
        ),
        (
            "vhost_combined",
            f'::1:443 h - a b {_TIME} "-" 408 0 "" "a \\"b\\" \\\\"',
            ["::1", "443", "h", "-", "a b", _TIME, "-", "408", "0", "", 'a \\"b\\" \\\\'],
        ),
        ('%h %u \\"%r\\"\\t%>s', 'h "" "GET /"\t200', ["h", '""', "GET /", "200"]),
        ("%h %r %>s", "h GET /a b c HTTP/1.1 200", ["h", "GET /a b c HTTP/1.1", "200"]),
        ('"%m %U%q %H" %s', '"GET /a b?c=? HTTP/2.0" 200', ["GET", "/a b", "?c=?", "HTTP/2.0", "200"]),
        ('"%m %U%q %H"', '"GET /a HTTP/1.0"', ["GET", "/a", "", "HTTP/1.0"]),
        (
            '%{X-Forwarded-For}i %u "%r" %b',
            '1.2.3.4, 5.6.7.8 joe "GET /" 1',
            ["1.2.3.4, 5.6.7.8", "joe", "GET /", "1"],
        ),
        ("%h|%u|%{User-agent}i|%r", "h|a b|c d|e", ["h", "a b", "c d", "e"]),
        ('"%r\\t%{Cookie}i"', '"GET /\ta=1; b=2"', ["GET /", "a=1; b=2"]),
        ("%a\t%{Referer}i\t%{User-agent}i", "a\tb c\td e", ["a", "b c", "d e"]),
        ("%{sec}t.%{usec_frac}t %D", "1431857103.000123 7", ["1431857103", "000123", "7"]),
        ("%{%d/%b/%Y %T}t.%{msec_frac}t", "17/May/2015 10:05:03.250", ["17/May/2015 10:05:03", "250"]),
        ("%h%t%a", f"h{_TIME}a", ["h", _TIME, "a"]),
        ("100%% %>s%%", "100% 200%", ["200"]),
        ("%400,501{User-agent}i", "any thing", ["any thing"]),
        ("%!200,304,302{Referer}i", "-", ["-"]),
        ("%X %k %{ms}Tms", "- 3 12ms", ["-", "3", "12"]),
        (
            '{"ip":"%a","agent":"%{User-Agent}i","us":%D}',
            '{"ip":"::1","agent":"a, \\"b\\"","us":5}',
            ["::1", 'a, \\"b\\"', "5"],
        ),
    ],
)
def test_a_line_gives_its_values(log_format: str, line: str, values: list[str]) -> None:
    assert compile_format(log_format).match(line) == (Fit.WHOLE, tuple(values))


def test_every_documented_directive_is_known() -> None:
    plain, named = "aABbDfhHklLmpPqrRstTuUvVXIOS", ("C", "e", "i", "n", "o", "x", "^ti", "^to")
    text = " ".join([f'"%{letter}"' for letter in plain] + [f'"%{{Name}}{letter}"' for letter in named])
    text += " %{c}a %{remote}p %{canonical}p %{local}p %{tid}P %{hextid}P %{us}T %{s}T %^FB %<s %>s"
    compiled = compile_format(text)
    assert {value.directive.letter for value in compiled.values} == RULES.keys() - {"c"}


@pytest.mark.parametrize(
    ("log_format", "place", "reason"),
    [
        ("", 1, "no directive"),
        ("no directive", 1, "no directive"),
        ("%h\\n%a", 3, "several lines"),
        ("%h %", 4, "after %"),
        ("%h %{Referer", 4, "after %"),
        ("%h %y", 4, "%y is no directive"),
        ("%h %i", 4, "needs a name"),
        ("%{}i", 1, "an argument has"),
        ("%{a}{b}i", 1, "one {argument}"),
        ("%{x}h", 1, "takes c"),
        ("%{x}b", 1, "takes no argument"),
        ("%{weeks}T", 1, "takes ms or us or s"),
        ("%40,5s", 1, "no condition"),
        ("%h %s%b", 6, "nothing stands between %s and %b"),
        ("%u%h", 3, "nothing stands between"),
        ("%{%Y %Q}t", 1, "%Q is no conversion"),
        ("%h %{%H:%M}t", 4, "do not say day and time"),
        ("%h:%u", 1, "a colon stands before a number only"),
        ("%hx", 1, "may itself hold the 'x'"),
        ("%b0", 1, "may itself hold the '0'"),
        ("%h.%a", 1, "may itself hold the '.'"),
        ("%u %r %>s", 4, "put it into quotes"),
        ("%{Host}i %{User-Agent}i", 10, "put it into quotes"),
        (" ".join(["%h"] * 65), 193, "more than 64 directives"),
        ("%h" + " " * 4095, 4096, "longer than 4096"),
    ],
)
def test_a_wrong_format_says_where_and_why(log_format: str, place: int, reason: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        compile_format(log_format)
    assert str(caught.value).startswith(f"LogFormat, character {place}: ")
    assert reason in str(caught.value)


def test_a_line_that_ends_within_the_format_is_cut_off_wherever_it_ends() -> None:
    compiled = compile_format("vhost_combined")
    line = f'v:80 h - u {_TIME} "GET / HTTP/1.1" 200 5 "r" "a"'
    whole, values = compiled.match(line)
    assert whole is Fit.WHOLE
    for size in range(len("v:80 "), len(line)):
        fit, found = compiled.match(line[:size])
        assert fit is Fit.CUT_OFF, line[:size]
        assert list(found) == list(values)[: len(found)], "a value that may go on is none"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "text",
        "some text that is no log line",
        "h - - not a time",
        f'h - - {_TIME} "GET /" 200 5 "-" "-" more',
    ],
)
def test_a_line_of_another_form_is_not_of_the_format(line: str) -> None:
    assert compile_format("combined").match(line)[0] is Fit.NOT


def test_a_text_with_blanks_is_not_taken_before_it_is_known_to_have_ended() -> None:
    compiled = compile_format("combined")
    assert compiled.match(f"h - al ice {_TIME[:9]}") == (Fit.NOT, ("h", "-"))
    assert compiled.match(f'h - al ice {_TIME} "GET')[1] == ("h", "-", "al ice", _TIME)


@pytest.mark.parametrize(
    ("line", "fit"),
    [
        ('{"t":"2015-05-17T10:05:03+0000","u":"a', Fit.CUT_OFF),
        ('{"t":"2015-05-17T10:05', Fit.CUT_OFF),
        ('{"t":"2015-05', Fit.CUT_OFF),
        ('{"t":"2015x05-17T10:05', Fit.NOT),
        ('{"t":"2015-05-17T10:05:03+0000",x', Fit.NOT),
    ],
)
def test_a_time_of_any_form_may_be_cut_off(line: str, fit: Fit) -> None:
    log_format = '{"a":"%a","t":"%{%Y-%m-%dT%H:%M:%S%z}t","u":"%{User-Agent}i"}'
    assert compile_format(log_format).match('{"a":"::1",' + line[1:])[0] is fit


def test_of_several_directives_for_one_field_the_best_has_it() -> None:
    compiled = compile_format('%s %>s %O %b %h %{c}a "%r" %m %{ms}T %D %t %{end:sec}t')
    homes = {value.directive.name: value.home for value in compiled.values}
    kept = {name for name, home in homes.items() if home is not Home.EXTRA}
    assert kept == {"%>s", "%b", "%h", "%r", "%D", "%t"}


def test_the_named_formats_are_those_that_apache_and_debian_document() -> None:
    assert NAMED_FORMATS["combined"] == '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'
    assert NAMED_FORMATS["vhost_combined"].startswith("%v:%p %h ")
    assert "%O" in NAMED_FORMATS["vhost_combined"]
