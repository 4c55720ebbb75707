"""Every signature of ours is the one that botocore makes of the same request."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock
from urllib.parse import quote

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import example, given
from hypothesis import strategies as st

from services.kernel.adapters.signer import RequestSigner, Signer, host_header

PRINTABLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
SEGMENT = st.text("abcXYZ019-_.~%+ é", max_size=6)
HOSTS = st.sampled_from(
    ["127.0.0.1", "localhost", "kinesis.us-east-1.amazonaws.com", "Upper.Example", "[::1]", "10.0.0.7"]
)
ENDPOINTS = st.builds(
    lambda scheme, host, port, path: f"{scheme}://{host}{port}{path}",
    st.sampled_from(["http", "https"]),
    HOSTS,
    st.one_of(st.just(""), st.sampled_from([":80", ":443"]), st.integers(1, 65535).map(lambda n: f":{n}")),
    st.one_of(
        st.just(""), st.just("/"), st.lists(SEGMENT, max_size=4).map(lambda parts: "/" + "/".join(parts))
    ),
)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 31))  # noqa: DTZ001
TOKENS = st.one_of(
    st.none(), st.just(""), st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)
)


def by_botocore(
    endpoint: str, region: str, service: str, who: Credentials, when: datetime, target: str, body: bytes
) -> dict[str, str]:
    path = "" if endpoint.count("/") > 2 else "/"
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    request = AWSRequest("POST", endpoint + path, headers, body)
    with mock.patch.object(auth, "get_current_datetime", return_value=when):
        auth.SigV4Auth(who, service, region).add_auth(request)
    return dict(request.headers.items())


def by_us(signer: Signer, who: Credentials, when: datetime, target: str, body: bytes) -> dict[str, str]:
    return signer.headers(target, body, who, when.replace(tzinfo=UTC).timestamp())


@given(
    endpoint=ENDPOINTS,
    region=st.sampled_from(["us-east-1", "eu-west-1", "ap-southeast-2", "cn-north-1"]),
    service=st.sampled_from(["kinesis", "dynamodb"]),
    access=st.text(PRINTABLE, min_size=1, max_size=40),
    secret=st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable()),
    token=TOKENS,
    moments=st.lists(MOMENTS, min_size=1, max_size=3),
    target=st.sampled_from(["Kinesis_20131202.PutRecords", "DynamoDB_20120810.PutItem"]),
    body=st.binary(max_size=300),
)
@example(
    endpoint="https://kinesis.us-east-1.amazonaws.com:443",
    region="us-east-1",
    service="kinesis",
    access="AKID",
    secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    token=" a  b ",
    moments=[datetime(2015, 8, 30, 23, 59, 59), datetime(2015, 8, 31)],  # noqa: DTZ001
    target="Kinesis_20131202.PutRecords",
    body=b"",
)
def test_every_signature_is_botocores(
    endpoint: str,
    region: str,
    service: str,
    access: str,
    secret: str,
    token: str | None,
    moments: list[datetime],
    target: str,
    body: bytes,
) -> None:
    who = Credentials(access, secret, token)
    signer = Signer(endpoint, region, service, "application/x-amz-json-1.1")
    for when in moments:
        theirs = by_botocore(endpoint, region, service, who, when, target, body)
        ours = by_us(signer, who, when, target, body)
        assert ours.pop("Host") == host_header(endpoint)
        assert ours == theirs


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    host=st.sampled_from(["https://search-orders.eu-west-1.es.amazonaws.com", "http://127.0.0.1:9200"]),
    segments=st.lists(st.text("abc-_.~*, é%", min_size=1, max_size=8), max_size=3),
    query=st.dictionaries(
        st.text("abc_", min_size=1, max_size=6), st.text("ab*,.=& é", max_size=8), max_size=3
    ),
    content_type=st.sampled_from(["application/json", "application/x-ndjson"]),
    token=TOKENS,
    when=MOMENTS,
    body=st.binary(max_size=300),
)
def test_every_signature_of_any_request_is_botocores(
    method: str,
    host: str,
    segments: list[str],
    query: dict[str, str],
    content_type: str,
    token: str | None,
    when: datetime,
    body: bytes,
) -> None:
    path = "/" + "/".join(quote(segment, safe="") for segment in segments if segment.strip("."))
    asked = "&".join(f"{quote(name)}={quote(query[name], safe='')}" for name in sorted(query))
    who = Credentials("AKID", "secret", token)
    request = AWSRequest(method, f"{host}{path}?{asked}", {"Content-Type": content_type}, body)
    with mock.patch.object(auth, "get_current_datetime", return_value=when):
        auth.SigV4Auth(who, "es", "eu-west-1").add_auth(request)

    signer = RequestSigner(host, "eu-west-1", "es")
    at_s = when.replace(tzinfo=UTC).timestamp()
    ours = signer.headers(method, path, asked, content_type, body, who, at_s)

    assert ours.pop("Host") == host_header(host)
    assert ours == dict(request.headers.items())


def test_new_credentials_change_the_key_within_a_day() -> None:
    signer = Signer("http://127.0.0.1:1", "us-east-1", "kinesis", "application/x-amz-json-1.1")
    when = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001
    for who in (Credentials("A", "one"), Credentials("A", "two", "token"), Credentials("A", "one")):
        theirs = by_botocore("http://127.0.0.1:1", "us-east-1", "kinesis", who, when, "Kinesis.X", b"{}")
        assert by_us(signer, who, when, "Kinesis.X", b"{}")["Authorization"] == theirs["Authorization"]


def test_the_key_is_derived_once_a_day() -> None:
    signer = Signer("http://127.0.0.1:1", "us-east-1", "kinesis", "application/x-amz-json-1.1")
    who = Credentials("A", "secret")
    day_s = 1_700_006_400  # midnight, UTC
    with mock.patch("services.kernel.adapters.signer._hmac", return_value=b"k" * 32) as derived:
        for at_s in (day_s, day_s + 1, day_s + 86_399):
            signer.headers("Kinesis.X", b"{}", who, at_s)
        assert derived.call_count == 4 + 3
        signer.headers("Kinesis.X", b"{}", who, day_s + 86_400)
        assert derived.call_count == 4 + 3 + 4 + 1


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://A.example:443/x", "a.example"),
        ("http://a.example:443", "a.example:443"),
        ("http://[::1]:80", "[::1]"),
    ],
)
def test_the_host_names_a_port_only_where_it_is_not_the_usual_one(endpoint: str, host: str) -> None:
    assert host_header(endpoint) == host
