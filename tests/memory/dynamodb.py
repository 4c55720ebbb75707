"""DynamoDB in memory: conditional writes, pages of 1 MB, indexes, faults on demand."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.kernel.adapters.dynamodb import (
    MAX_ITEM_BYTES,
    ConditionFailed,
    DynamoDB,
    IndexKeys,
    Item,
    Key,
    Page,
)
from services.kernel.adapters.transaction import Put, Write, request
from services.kernel.core.errors import CadabraError, InvalidRecord, MissingResource, Refused
from tests.memory.expressions import Expression, comparable

_PAGE_BYTES = 1024 * 1024
Fault = Callable[[str], BaseException | None]
_ItemKey = tuple[Any, ...]


@dataclass
class _Table:
    hash: Key
    range: Key | None
    indexes: dict[str, IndexKeys]
    items: dict[_ItemKey, Item] = field(default_factory=dict)

    def keys(self) -> list[Key]:
        return [self.hash] + ([self.range] if self.range else [])

    def key_of(self, item: Mapping[str, Any]) -> _ItemKey:
        try:
            return tuple(item[key.name][key.type] for key in self.keys())
        except KeyError:
            raise Refused("a key attribute is missing or of another type") from None


def _no_fault(_operation: str) -> BaseException | None:
    return None


class MemoryDynamoDB(DynamoDB):
    """A DynamoDB without a network.

    `fault` is asked before every call with the operation's name and may return an error to raise; `fault_after` the
    same once the effect has happened: an answer that is lost.
    """

    def __init__(self) -> None:
        super().__init__(client=None)
        self.fault: Fault = _no_fault
        self.fault_after: Fault = _no_fault
        self._tables: dict[str, _Table] = {}

    async def put_item(
        self,
        table: str,
        item: Mapping[str, Any],
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
        return_old_on_failure: bool = False,
    ) -> None:
        held = self._table("put_item", table)
        _check_size(table, item)
        key = held.key_of(item)
        _hold(held.items.get(key), condition, names, values, return_old_on_failure)
        held.items[key] = copy.deepcopy(dict(item))
        self._lose("put_item")

    async def insert_batch(self, table: str, items: Sequence[Mapping[str, Any]]) -> list[CadabraError | None]:
        held = self._table("batch_execute_statement", table)
        keys = [held.key_of(item) for item in items]
        if not 1 <= len(items) <= 25 or len(set(keys)) < len(keys):
            raise Refused(f"batch_execute_statement {table}: {len(items)} statements, or one key twice")
        outcomes = [self._insert(held, table, item) for item in items]
        self._lose("batch_execute_statement")
        return outcomes

    def _insert(self, held: _Table, table: str, item: Mapping[str, Any]) -> CadabraError | None:
        """Store one item of a batch; `fault` is asked for each, as `insert`."""
        try:
            self._check("insert")
            _check_size(table, item)
        except CadabraError as error:
            return error
        if held.key_of(item) in held.items:
            return ConditionFailed("insert")
        held.items[held.key_of(item)] = copy.deepcopy(dict(item))
        return None

    async def get_item(self, table: str, key: Mapping[str, Any], consistent: bool = True) -> Item | None:
        held = self._table("get_item", table)
        return copy.deepcopy(held.items.get(held.key_of(key)))

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
        held = self._table("update_item", table)
        item_key = held.key_of(key)
        old = held.items.get(item_key)
        _hold(old, condition, names, values, return_old_on_failure)
        new = Expression(update, names, values, old or dict(key)).updated()
        _check_size(table, new)
        held.items[item_key] = copy.deepcopy(new)
        self._lose("update_item")
        return copy.deepcopy(new) if return_new else None

    async def delete_item(
        self,
        table: str,
        key: Mapping[str, Any],
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
        return_old_on_failure: bool = False,
    ) -> None:
        held = self._table("delete_item", table)
        item_key = held.key_of(key)
        _hold(held.items.get(item_key), condition, names, values, return_old_on_failure)
        held.items.pop(item_key, None)
        self._lose("delete_item")

    async def transact(self, writes: Sequence[Write]) -> None:
        request(writes)  # refuses what the service would
        planned: list[tuple[_Table, _ItemKey, Item]] = []
        for index, write in enumerate(writes):
            held = self._table("transact_write_items", write.table)
            key = held.key_of(write.item if isinstance(write, Put) else write.key)
            old = held.items.get(key)
            try:
                _hold(old, write.condition, write.names, write.values, return_old=False)
            except ConditionFailed as failed:
                raise ConditionFailed("condition", index=index) from failed
            planned.append((held, key, _written(write, old)))
        if len({(id(held), key) for held, key, _ in planned}) < len(planned):
            raise Refused("transact_write_items: two writes of one item")
        for held, key, item in planned:
            held.items[key] = copy.deepcopy(item)
        self._lose("transact_write_items")

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
        held = self._table("query", table)
        if index is not None and (consistent or index not in held.indexes):
            raise Refused(f"query {table}: no consistent index {index}")
        keys = held.indexes[index] if index else held
        range_key = keys.range
        found = [
            item for item in _indexed(held, keys) if Expression(key_condition, names, values, item).holds()
        ]
        order = _order(held, range_key)
        found.sort(key=order, reverse=not forward)
        if start_key is not None:
            start = order(dict(start_key))
            found = [item for item in found if (order(item) > start if forward else order(item) < start)]
        page = _page(held, found, limit, keys)
        if index and held.indexes[index].projection == "KEYS_ONLY":
            names_kept = {key.name for key in (*held.keys(), keys.hash, keys.range) if key}
            items = [{name: item[name] for name in item if name in names_kept} for item in page.items]
            return Page(items, page.last_key)
        return page

    async def scan_page(
        self,
        table: str,
        segment: int | None = None,
        total: int | None = None,
        start_key: Mapping[str, Any] | None = None,
        consistent: bool = True,
    ) -> Page:
        held = self._table("scan", table)
        found = [
            held.items[key]
            for key in sorted(held.items)
            if total is None or sum(repr(key[0]).encode()) % total == segment
        ]
        if start_key is not None:
            start = held.key_of(start_key)
            found = [item for item in found if held.key_of(item) > start]
        return _page(held, found, None, held)

    async def batch_get(
        self, table: str, keys: Sequence[Mapping[str, Any]], consistent: bool = True
    ) -> tuple[list[Item], list[Item]]:
        held = self._table("batch_get_item", table)
        if not 1 <= len(keys) <= 100:
            raise Refused(f"batch_get_item {table}: {len(keys)} keys")
        found = [held.items.get(held.key_of(key)) for key in keys]
        return [copy.deepcopy(item) for item in found if item is not None], []

    async def batch_write(
        self, table: str, puts: Sequence[Mapping[str, Any]] = (), deletes: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[list[Item], list[Item]]:
        held = self._table("batch_write_item", table)
        if not 1 <= len(puts) + len(deletes) <= 25:
            raise Refused(f"batch_write_item {table}: {len(puts) + len(deletes)} requests")
        for item in puts:
            _check_size(table, item)
            held.items[held.key_of(item)] = copy.deepcopy(dict(item))
        for key in deletes:
            held.items.pop(held.key_of(key), None)
        self._lose("batch_write_item")
        return [], []

    async def create_table(
        self, table: str, hash_key: Key, range_key: Key | None = None, indexes: Sequence[IndexKeys] = ()
    ) -> bool:
        self._check("create_table")
        if table in self._tables:
            return False
        self._tables[table] = _Table(hash_key, range_key, {index.name: index for index in indexes})
        return True

    async def delete_table(self, table: str) -> None:
        self._check("delete_table")
        self._tables.pop(table, None)

    async def table_status(self, table: str) -> str | None:
        self._check("describe_table")
        return "ACTIVE" if table in self._tables else None

    def _check(self, operation: str) -> None:
        error = self.fault(operation)
        if error is not None:
            raise error

    def _lose(self, operation: str) -> None:
        error = self.fault_after(operation)
        if error is not None:
            raise error

    def _table(self, operation: str, table: str) -> _Table:
        self._check(operation)
        if table not in self._tables:
            raise MissingResource(f"{operation} {table}: no such table")
        return self._tables[table]


def _hold(
    old: Item | None,
    condition: str | None,
    names: Mapping[str, str] | None,
    values: Mapping[str, Any] | None,
    return_old: bool,
) -> None:
    if condition is not None and not Expression(condition, names, values, old or {}).holds():
        raise ConditionFailed("condition", copy.deepcopy(old) if return_old else None)


def _written(write: Write, old: Item | None) -> Item:
    if isinstance(write, Put):
        item = dict(write.item)
    else:
        item = Expression(write.update, write.names, write.values, old or dict(write.key)).updated()
    _check_size(write.table, item)
    return item


def _indexed(table: _Table, keys: _Table | IndexKeys) -> list[Item]:
    """Only what has all key attributes of an index is in it."""
    wanted = [keys.hash.name] + ([keys.range.name] if keys.range else [])
    return [item for item in table.items.values() if all(name in item for name in wanted)]


def _order(table: _Table, range_key: Key | None) -> Callable[[Item], tuple[Any, ...]]:
    own = table.keys()
    return lambda item: (
        *([comparable(item[range_key.name])] if range_key else []),
        *(comparable(item[key.name]) for key in own),
    )


def _page(table: _Table, found: Sequence[Item], limit: int | None, keys: _Table | IndexKeys) -> Page:
    """Cut as the service does: at the limit, or with the item that passes 1 MB."""
    size = 0
    items: list[Item] = []
    for item in found:
        items.append(copy.deepcopy(item))
        size += _size_bytes(item)
        if len(items) == limit or size >= _PAGE_BYTES:
            names = {key.name for key in (*table.keys(), keys.hash, keys.range) if key}
            # The service names a last key at the limit even where nothing follows.
            more = len(items) < len(found) or len(items) == limit
            return Page(items, {name: item[name] for name in names} if more else None)
    return Page(items, None)


def _check_size(table: str, item: Mapping[str, Any]) -> None:
    if _size_bytes(item) > MAX_ITEM_BYTES:
        raise InvalidRecord("too_large", f"put_item {table}: the item is above {MAX_ITEM_BYTES} bytes")


def _size_bytes(item: Mapping[str, Any]) -> int:
    total = 0
    for name, value in item.items():
        held = next(iter(value.values()))
        encoded = held.encode() if isinstance(held, str) else held
        total += len(name.encode()) + (len(encoded) if isinstance(encoded, bytes) else 1)
    return total
