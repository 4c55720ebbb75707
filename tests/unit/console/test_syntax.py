"""Query strings: what is read, what is refused and where, and that nothing else can happen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.logs.syntax import (
    MAX_CHARACTERS,
    MAX_CLAUSES,
    MAX_DEPTH,
    Clause,
    Group,
    Node,
    Not,
    parse,
)
from services.console.logs.tokens import QuerySyntaxError, Range, Text


def shown(node: Node | None) -> str:
    """A tree in one line, to compare."""
    match node:
        case None:
            return ""
        case Not():
            return f"not {shown(node.inner)}"
        case Group():
            return "(" + (" and " if node.all_of else " or ").join(map(shown, node.inner)) + ")"
        case Clause():
            return f"{node.field}={_value(node.value)}" if node.field else _value(node.value)


def _value(value: Text | Range) -> str:
    if isinstance(value, Range):
        low = "*" if value.low is None else value.low.parts[0]
        high = "*" if value.high is None else value.high.parts[0]
        return f"{'[' if value.includes_low else '{'}{low}..{high}{']' if value.includes_high else '}'}"
    if not value.wildcards:
        return f"'{value.parts[0]}'" if value.quoted else value.parts[0]
    return value.parts[0] + "".join(
        f"<{w}>{p}" for w, p in zip(value.wildcards, value.parts[1:], strict=True)
    )


READ = [
    ("", ""),
    ("  \t\n", ""),
    ("status:404", "status=404"),
    ("a b OR c", "((a and b) or c)"),
    ("a OR b AND c", "(a or (b and c))"),
    ("a && b || c", "((a and b) or c)"),
    ("NOT a b", "(not a and b)"),
    ("NOT NOT a", "not not a"),
    ("-a +b !c", "(not a and b and not c)"),
    ("(a OR b) c", "((a or b) and c)"),
    ("status:(404 OR 410)", "(status=404 or status=410)"),
    ('path:"/a b"', "path='/a b'"),
    (r'agent:"a\"b\\c"', r"""agent='a"b\c'"""),
    ("path:/a/b/c", "path=/a/b/c"),
    ("path:/images/", "path=/images/"),
    ("path:/im*", "path=/im<*>"),
    ("path:/a?b*c", "path=/a<?>b<*>c"),
    (r"path:/a\*b", "path=/a*b"),
    (r"path:/\~user\~", "path=/~user~"),
    ("path:/~user/", "path=/~user/"),
    ("ip:2001:db8::1", "ip=2001:db8::1"),
    ("ip:10.0.0.0/8", "ip=10.0.0.0/8"),
    ("status:[400 TO 499]", "status=[400..499]"),
    ("status:{400 TO *]", "status={400..*]"),
    ("size:>=10", "size=[10..*}"),
    ("size:<10", "size={*..10}"),
    ("size:-1", "size=-1"),
    ("referrer:*", "referrer=<*>"),
    ("path:AND", "path=AND"),
    ("10:00", "10:00"),
    ("ä:ü", "ä:ü"),
    ("and", "and"),
]


@pytest.mark.parametrize(("text", "tree"), READ, ids=[text for text, _ in READ])
def test_what_a_query_string_means(text: str, tree: str) -> None:
    assert shown(parse(text)) == tree


REFUSED = [
    ("(a", 1, "no )"),
    ("a)", 2, "no ("),
    ("a AND", 6, "a term is missing"),
    ("OR a", 1, "a term is missing"),
    ("status:", 8, "a value has to follow"),
    ("status: 404", 8, "follow the colon at once"),
    ('path:"a', 6, "quotes have no end"),
    ("status:[1 TO", 8, "a range is"),
    ("status:[1 2]", 8, "a range is"),
    ("]", 1, "does not belong here"),
    ("a\\", 2, "does not belong here"),
    ("agent:/curl.*/", 7, "regular expressions"),
    ("roam~", 1, "fuzzy"),
    ("roam~0.8", 1, "fuzzy"),
    ('"a b"~5', 6, "proximity"),
    ("a^3", 1, "boosts"),
    ("status:(path:a)", 9, "a field before this group already"),
    ("status:>", 9, "a number has to follow"),
    ("size:[a* TO b]", 7, "no wildcard"),
    ("a\x00b", 2, "does not belong here"),
    ('"a\x1bb"', 1, "control characters"),
    ('"\ud800"', 1, "control characters"),
    ("x" * 257, 1, "at most 256 characters"),
    ("x" * (MAX_CHARACTERS + 1), MAX_CHARACTERS + 1, "at most 1000 characters"),
    ("(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1), MAX_DEPTH + 2, "at most 8 deep"),
    ("NOT " * 200 + "a", 4 * (MAX_DEPTH + 1) + 1, "at most 8 deep"),
    ("a:" * 400, 3, "at most 256 characters"),
    ("a:(", 4, "a term is missing"),
    (" ".join("a" * (MAX_CLAUSES + 1)), 2 * MAX_CLAUSES + 1, "at most 32 clauses"),
]


@pytest.mark.parametrize(("text", "at", "reason"), REFUSED, ids=[repr(text[:20]) for text, _, _ in REFUSED])
def test_what_is_refused_and_where(text: str, at: int, reason: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse(text)
    assert str(caught.value).startswith(f"at character {at}: ")
    assert reason in str(caught.value)


PIECES = st.sampled_from(
    (
        " ; TO ; AND ; OR ;NOT ;status:;path:;&&;||;"
        + ";".join('()"[]{}-+!:*?~^\\/a4><ä中\x00\x1b\u202e\ud800')
    ).split(";")
)


@given(st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=60).map("".join)))
def test_whatever_is_typed_is_read_within_bounds_or_refused_with_its_place(text: str) -> None:
    try:
        node = parse(text)
    except QuerySyntaxError as error:
        place = int(str(error).removeprefix("at character ").partition(":")[0])
        assert 1 <= place <= len(text) + 1
        return
    assert _clauses(node) <= MAX_CLAUSES


def _clauses(node: Node | None) -> int:
    match node:
        case None:
            return 0
        case Clause():
            return 1
        case Not():
            return _clauses(node.inner)
        case Group():
            return sum(map(_clauses, node.inner))
