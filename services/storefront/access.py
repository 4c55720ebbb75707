"""Who may read what, and which ids are none."""

from __future__ import annotations

import re

from aiohttp import web

from services.kernel.core.http_parameters import matching
from services.kernel.core.tokens import Forbidden, Principal, Verifier

_READERS = frozenset({"customer", "operator"})
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z")


class Access:
    """Knows callers by their tokens."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def principal(self, request: web.Request) -> Principal:
        """Who is asking, a customer or an operator.

        Raises:
            Denied: nobody that we know, or somebody who reads nothing here.
        """
        return self._verifier.verify(request.headers.get("Authorization"), roles=_READERS)

    def customer_id(self, request: web.Request, of_what: str) -> str:
        """The customer of the address, whom the caller may read.

        Args:
            of_what: what of the customer is read, for people.

        Raises:
            Denied: as `principal`, or a customer asks for another's.
            InvalidParameter: an operator asks for what is no id.
        """
        principal = self.principal(request)
        customer_id = request.match_info["customer_id"]
        if principal.role == "customer" and principal.subject != customer_id:
            raise Forbidden("not_yours", f"a customer's token reads only that customer's {of_what}")
        return identifier("customer_id", customer_id)


def identifier(name: str, value: str) -> str:
    """Give back an id of ours.

    Raises:
        InvalidParameter: it is none.
    """
    reason = "1 to 64 of A-Z a-z 0-9 . _ : -, the first a letter or digit"
    return matching(name, _IDENTIFIER, value, reason)
