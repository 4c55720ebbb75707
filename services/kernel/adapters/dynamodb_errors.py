"""What DynamoDB refuses, in the words of the platform's errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.kernel.adapters import sdk, transaction
from services.kernel.core.errors import CadabraError, InvalidRecord, Refused, Throttled

# Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
MAX_ITEM_BYTES = 400 * 1024


class ConditionFailed(CadabraError):
    """A conditional write found another state; nothing was written.

    `item` is the item as it stood, when the caller asked for it and there was one. A caller that repeats a
    write whose answer was lost meets its own earlier write here, and has to recognise it. `index` is the place in
    its transaction of the first write whose condition did not hold, 0 for a write of its own.
    """

    def __init__(self, message: str, item: dict[str, Any] | None = None, index: int = 0) -> None:
        super().__init__(message)
        self.item = item
        self.index = index


def translate(error: Any, what: str) -> CadabraError:
    """Our error for what a call ended with.

    Args:
        error: one of `sdk.SDK_ERRORS`.
        what: the operation and its table.
    """
    code = sdk.error_code(error)
    if code in ("ConditionalCheckFailedException", "DuplicateItemException"):
        return ConditionFailed(what, error.response.get("Item") or None)
    if code == "TransactionCanceledException":
        return _cancelled(transaction.reasons(error.response), what)
    if code == "ValidationException" and _says_too_large(error.response["Error"].get("Message", "")):
        return InvalidRecord("too_large", f"{what}: the item is above {MAX_ITEM_BYTES} bytes")
    return sdk.translate(error, what)


def _cancelled(reasons: Sequence[str], what: str) -> CadabraError:
    if "ConditionalCheckFailed" in reasons:
        return ConditionFailed(what, index=reasons.index("ConditionalCheckFailed"))
    passing = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
    kind = Throttled if passing.intersection(reasons) else Refused
    return kind(f"{what}: cancelled: {', '.join(reasons)}")


def _says_too_large(message: str) -> bool:
    # The one refusal that is the record's fault has no code of its own.
    return "Item size" in message and "exceeded" in message
