"""DynamoDB: conditional writes, reads by key, query and scan, on typed items as the service speaks them.

An item is `{"name": {"S": "text"}}`, a number `{"N": "12"}`, bytes `{"B": b"..."}`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from services.kernel.adapters import data_plane as planes
from services.kernel.adapters import dynamodb_reads, partiql, sdk, transaction
from services.kernel.adapters.dynamodb_errors import MAX_ITEM_BYTES as MAX_ITEM_BYTES
from services.kernel.adapters.dynamodb_errors import ConditionFailed as ConditionFailed
from services.kernel.adapters.dynamodb_errors import translate
from services.kernel.core.errors import CadabraError, MissingResource, Unavailable
from services.kernel.core.retry import Retry

Item = dict[str, Any]
T = TypeVar("T")

# Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
MAX_ITEMS_PER_BATCH_WRITE = 25
MAX_KEYS_PER_BATCH_GET = 100
MAX_INSERTS_PER_BATCH = 25

_MAX_PUT_ANSWER_BYTES = 4 * 1024 * 1024  # the old item of a failed condition: 400 KB, escaped at worst
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a query or scan: at most 1 MB read.

    Args:
        last_key: where the next page starts; None after the last one.
    """

    items: list[Item] = field(default_factory=list)
    last_key: Item | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """One attribute of a key; `type` is S, N or B."""

    name: str
    type: str = "S"


@dataclass(frozen=True, slots=True)
class IndexKeys:
    """A global secondary index to create; `projection` is KEYS_ONLY or ALL."""

    name: str
    hash: Key
    range: Key | None = None
    projection: str = "KEYS_ONLY"


class DynamoDB:
    """One client of DynamoDB; safe for concurrent calls, sends each call once and never retries.

    Every method raises Throttled, Unavailable or TimedOut (a write may have happened), MissingResource (no
    such table), Misconfigured (credentials, permissions) or Refused (a fault of the caller). A write raises
    InvalidRecord("too_large") for an item above 400 KB.
    """

    def __init__(self, client: Any, plane: planes.DataPlane | None = None) -> None:
        self._client = client
        self._plane = plane

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        endpoint: str | None,
        region: str,
        max_connections: int = 64,
        connect_timeout_s: float = 3.0,
        read_timeout_s: float = 10.0,
        data_plane: str = planes.DEFAULT,
    ) -> AsyncIterator[DynamoDB]:
        """Open a client for the length of a `with`.

        Args:
            endpoint: URL, None on AWS.
            max_connections: calls in flight at most; further ones wait for a free connection.
            data_plane: what PutItem, inserts, GetItem and Query go by: "raw", our own, or "sdk".
        """
        async with planes.opened(
            data_plane, "dynamodb", endpoint, region, max_connections, connect_timeout_s, read_timeout_s
        ) as (client, plane):
            yield cls(client, plane)

    async def put_item(
        self,
        table: str,
        item: Mapping[str, Any],
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
        return_old_on_failure: bool = False,
    ) -> None:
        """Write a whole item in place of any with its key.

        Raises:
            ConditionFailed: the condition does not hold; `item` is the old one if asked for.
        """
        arguments = _write_arguments(condition, names, values, return_old_on_failure)
        if self._plane is None:
            await self._call("put_item", table, Item=item, **arguments)
            return
        request = {"TableName": table, "Item": item, **arguments}
        try:
            await self._plane.call("PutItem", request, _decode_object, _MAX_PUT_ANSWER_BYTES)
        except sdk.SDK_ERRORS as error:
            raise translate(error, f"put_item {table}") from error

    async def insert_batch(self, table: str, items: Sequence[Mapping[str, Any]]) -> list[CadabraError | None]:
        """Store up to 25 items of different keys in one call, each where no item has its key.

        Returns:
            For each item, in the order given: None once it is stored, else what a call of its own would have raised,
            ConditionFailed (without the item) where its key is taken. One item's failure changes no other's outcome.

        Raises:
            Refused: two items have one key, or one cannot be said; others may have been stored all the same.
        """
        what = f"batch_execute_statement {table}"
        try:
            failures = await partiql.insert_all(self._client, self._plane, table, items)
        except sdk.SDK_ERRORS as error:
            raise translate(error, what) from error
        if len(failures) != len(items):
            raise Unavailable(f"{what}: an answer without an outcome for every item")
        return [None if failure is None else translate(failure, what) for failure in failures]

    async def get_item(self, table: str, key: Mapping[str, Any], consistent: bool = True) -> Item | None:
        """Read one item by its whole key; None where there is none."""
        request = {"TableName": table, "Key": key, "ConsistentRead": consistent}
        if self._plane is None:
            return (await self._request("get_item", table, **request)).get("Item")
        return await _read(self._plane, "GetItem", request, dynamodb_reads.found)

    async def update_item(
        self,
        table: str,
        key: Mapping[str, Any],
        update: str,
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
        return_old_on_failure: bool = False,
        return_new: bool = True,
    ) -> Item | None:
        """Change attributes of one item by an update expression; makes the item where there is none.

        Returns:
            The whole item as it is now, None without `return_new`.

        Raises:
            ConditionFailed: the condition does not hold; `item` is the old one if asked for.
        """
        arguments = _write_arguments(condition, names, values, return_old_on_failure)
        if return_new:
            arguments["ReturnValues"] = "ALL_NEW"
        answer = await self._call("update_item", table, Key=key, UpdateExpression=update, **arguments)
        return answer.get("Attributes")

    async def delete_item(
        self,
        table: str,
        key: Mapping[str, Any],
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
        return_old_on_failure: bool = False,
    ) -> None:
        """Remove one item; without a condition, no item is fine.

        Raises:
            ConditionFailed: the condition does not hold; `item` is the old one if asked for.
        """
        arguments = _write_arguments(condition, names, values, return_old_on_failure)
        await self._call("delete_item", table, Key=key, **arguments)

    async def transact(self, writes: Sequence[transaction.Write]) -> None:
        """Do all of up to 100 writes, each of another item, or none of them.

        Raises:
            ConditionFailed: a condition does not hold; nothing was written.
            Throttled: another write was at one of the items, or the pace is too high; nothing was written.
        """
        requested = transaction.request(writes)
        await self._request("transact_write_items", writes[0].table, TransactItems=requested)

    async def query(
        self,
        table: str,
        key_condition: str,
        values: Mapping[str, Any],
        names: Mapping[str, str] | None = None,
        index: str | None = None,
        forward: bool = True,
        limit: int | None = None,
        start_key: Mapping[str, Any] | None = None,
        consistent: bool = False,
    ) -> Page:
        """Read one page of the items under a hash key, in order of the range key.

        Args:
            index: name of a global secondary index, which is never consistent.
            limit: items at most; a page also ends at 1 MB.
            start_key: `last_key` of the page before.
        """
        request = _given(
            TableName=table,
            KeyConditionExpression=key_condition,
            ExpressionAttributeValues=values,
            ExpressionAttributeNames=names,
            IndexName=index,
            Limit=limit,
            ExclusiveStartKey=start_key,
        ) | {"ScanIndexForward": forward, "ConsistentRead": consistent}
        if self._plane is None:
            answer = await self._request("query", table, **request)
            return Page(answer.get("Items", []), answer.get("LastEvaluatedKey") or None)
        return await _read(self._plane, "Query", request, _page)

    async def scan_page(
        self,
        table: str,
        segment: int | None = None,
        total: int | None = None,
        start_key: Mapping[str, Any] | None = None,
        consistent: bool = True,
    ) -> Page:
        """Read one page of a scan, or of one of `total` parallel segments."""
        arguments = _given(Segment=segment, TotalSegments=total, ExclusiveStartKey=start_key)
        answer = await self._call("scan", table, ConsistentRead=consistent, **arguments)
        return Page(answer.get("Items", []), answer.get("LastEvaluatedKey") or None)

    async def scan(
        self,
        table: str,
        segment: int | None = None,
        total: int | None = None,
        consistent: bool = True,
        retry: Retry | None = None,
    ) -> AsyncIterator[Item]:
        """Read every item of a table, or of one of `total` parallel segments.

        Args:
            retry: policy for each page; by default a page is asked for once.
        """
        policy = retry or Retry(budget_s=0.0)
        start_key: Item | None = None
        while True:
            at = start_key
            page = await policy.call(lambda at=at: self.scan_page(table, segment, total, at, consistent))  # type: ignore[misc]
            for item in page.items:
                yield item
            start_key = page.last_key
            if start_key is None:
                return

    async def batch_get(
        self, table: str, keys: Sequence[Mapping[str, Any]], consistent: bool = True
    ) -> tuple[list[Item], list[Item]]:
        """Read up to 100 items by key in one call.

        Returns:
            The items found, in no order, and the keys that the service left out: ask for them again.
        """
        answer = await self._request(
            "batch_get_item", table, RequestItems={table: {"Keys": list(keys), "ConsistentRead": consistent}}
        )
        left = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        return answer.get("Responses", {}).get(table, []), left

    async def batch_write(
        self, table: str, puts: Sequence[Mapping[str, Any]] = (), deletes: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[list[Item], list[Item]]:
        """Write up to 25 items and deletions in one call, without conditions.

        Returns:
            The puts and the deletes that the service left out: send them again.
        """
        requests: list[Item] = [{"PutRequest": {"Item": item}} for item in puts]
        requests += [{"DeleteRequest": {"Key": key}} for key in deletes]
        answer = await self._request("batch_write_item", table, RequestItems={table: requests})
        left = answer.get("UnprocessedItems", {}).get(table, [])
        return (
            [request["PutRequest"]["Item"] for request in left if "PutRequest" in request],
            [request["DeleteRequest"]["Key"] for request in left if "DeleteRequest" in request],
        )

    async def create_table(
        self, table: str, hash_key: Key, range_key: Key | None = None, indexes: Sequence[IndexKeys] = ()
    ) -> bool:
        """Start to create a table that is paid by request; False when there is one already."""
        keys = [hash_key, range_key, *(key for index in indexes for key in (index.hash, index.range))]
        arguments = _given(
            GlobalSecondaryIndexes=[
                {
                    "IndexName": index.name,
                    "KeySchema": _key_schema(index.hash, index.range),
                    "Projection": {"ProjectionType": index.projection},
                }
                for index in indexes
            ]
        )
        try:
            await self._client.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=_key_schema(hash_key, range_key),
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": kind}
                    for name, kind in {key.name: key.type for key in keys if key}.items()
                ],
                **arguments,
            )
        except sdk.SDK_ERRORS as error:
            if sdk.error_code(error) == "ResourceInUseException":
                return False
            raise sdk.translate(error, f"create_table {table}") from error
        return True

    async def delete_table(self, table: str) -> None:
        """Start to delete a table; no table is fine."""
        try:
            await self._call("delete_table", table)
        except MissingResource:
            return

    async def table_status(self, table: str) -> str | None:
        """CREATING, ACTIVE, UPDATING, DELETING or ARCHIVED; None where there is no table."""
        try:
            answer = await self._call("describe_table", table)
        except MissingResource:
            return None
        return str(answer["Table"]["TableStatus"])

    async def _call(self, operation: str, table: str, **arguments: Any) -> dict[str, Any]:
        return await self._request(operation, table, TableName=table, **arguments)

    async def _request(self, operation: str, table: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await getattr(self._client, operation)(**arguments)
        except sdk.SDK_ERRORS as error:
            raise translate(error, f"{operation} {table}") from error
        return answer


async def _read(plane: planes.DataPlane, operation: str, request: Item, read: Callable[[Item], T]) -> T:
    try:
        answer = await plane.call(operation, request, dynamodb_reads.answers, dynamodb_reads.MAX_ANSWER_BYTES)
        return read(answer)
    except sdk.SDK_ERRORS as error:
        raise translate(error, f"{operation} {request['TableName']}") from error


def _page(answer: Item) -> Page:
    last_key = dynamodb_reads.item(answer.get("LastEvaluatedKey"))
    return Page(dynamodb_reads.items(answer.get("Items")), last_key or None)


def _write_arguments(
    condition: str | None,
    names: Mapping[str, str] | None,
    values: Mapping[str, Any] | None,
    return_old_on_failure: bool,
) -> dict[str, Any]:
    return _given(
        ConditionExpression=condition,
        ExpressionAttributeNames=names,
        ExpressionAttributeValues=values,
        ReturnValuesOnConditionCheckFailure="ALL_OLD" if return_old_on_failure else None,
    )


def _given(**arguments: Any) -> dict[str, Any]:
    """Drop what is not given: the service refuses an empty map or list."""
    return {name: value for name, value in arguments.items() if value or value == 0}


def _key_schema(hash_key: Key, range_key: Key | None) -> list[dict[str, str]]:
    schema = [{"AttributeName": hash_key.name, "KeyType": "HASH"}]
    if range_key is not None:
        schema.append({"AttributeName": range_key.name, "KeyType": "RANGE"})
    return schema
