"""The alarm store: incidents, the outbox of their messages, silences; every change is one conditional write.

An incident's change and the message that it makes due are one transaction, so that neither is ever without the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.alarm_notifier import items
from services.alarm_notifier.incident import Change, Incident
from services.alarm_notifier.message import Message
from services.alarm_notifier.silence import Silence
from services.alarm_notifier.times import to_text
from services.kernel.adapters.dynamodb import MAX_KEYS_PER_BATCH_GET, DynamoDB, Item
from services.kernel.adapters.transaction import Put, Update, Write
from services.kernel.core.names import physical_name

_VERSION = "version = :version"
_ABSENT = "attribute_not_exists(incident_id)"
_TOLD = "SET told = :told, told_opening = :opening, told_at_ms = :now, version = version + :one"


@dataclass(frozen=True, slots=True)
class Tables:
    """Physical names."""

    incidents: str
    messages: str
    silences: str

    @classmethod
    def of(cls, namespace: str) -> Tables:
        """Those of a namespace."""
        names = ("alarm_incidents", "alarm_messages", "alarm_silences")
        return cls(*(physical_name(namespace, name) for name in names))


class AlarmStore:
    """What is known and what is to be told, in DynamoDB.

    Every method raises what DynamoDB's do; a write that was not answered may have happened, and meets its own effect
    as ConditionFailed when it is tried again.
    """

    def __init__(self, dynamodb: DynamoDB, tables: Tables) -> None:
        self._dynamodb = dynamodb
        self._tables = tables

    # Incidents

    async def incident(self, incident_id: str) -> Incident:
        """What is known of an incident, consistently; of version 0 where nothing is."""
        item = await self._dynamodb.get_item(self._tables.incidents, {"incident_id": {"S": incident_id}})
        return items.incident(item) if item else Incident(incident_id=incident_id)

    async def incidents(self, ids: Sequence[str]) -> dict[str, Incident]:
        """Those that are known of these, consistently, by id."""
        found: dict[str, Incident] = {}
        left = [{"incident_id": {"S": one}} for one in sorted(set(ids))]
        while left:
            batch, left = left[:MAX_KEYS_PER_BATCH_GET], left[MAX_KEYS_PER_BATCH_GET:]
            got, again = await self._dynamodb.batch_get(self._tables.incidents, batch)
            found |= {one.incident_id: one for one in map(items.incident, got)}
            left += again
        return found

    async def listed(
        self, name: str, limit: int | None = None, start_key: Item | None = None
    ) -> tuple[list[Incident], Item | None]:
        """One page of the incidents of a list (firing, resolved, heartbeat), newest first; moments late.

        Returns:
            The incidents, and where the next page starts.
        """
        page = await self._dynamodb.query(
            self._tables.incidents,
            "#list = :list",
            {":list": {"S": name}},
            names={"#list": "list"},
            index="by_list",
            forward=False,
            limit=limit,
            start_key=start_key,
        )
        return [items.incident(item) for item in page.items], page.last_key

    async def all_listed(self, name: str) -> list[Incident]:
        """All incidents of a list."""
        found, at = await self.listed(name)
        while at is not None:
            more, at = await self.listed(name, start_key=at)
            found += more
        return found

    async def change(self, change: Change, heir: Incident | None = None) -> None:
        """Write an incident's new state together with its message, and the incident that inherits what was told.

        Raises:
            ConditionFailed: one of the incidents has changed meanwhile; read them again.
        """
        writes: list[Write] = [self._put_incident(change.incident)]
        if change.message is not None:
            writes.append(self.put_new(change.message))
        if heir is not None:
            writes.append(self._put_incident(heir))
        await self._dynamodb.transact(writes)

    def _put_incident(self, incident: Incident) -> Put:
        item = items.of_incident(incident)
        if incident.version == 1:
            return Put(self._tables.incidents, item, _ABSENT)
        return Put(self._tables.incidents, item, _VERSION, values={":version": _n(incident.version - 1)})

    # The outbox

    async def open_messages(self) -> list[Message]:
        """Every message that waits or is being told; moments late, so that writes have to be conditional."""
        found: list[Message] = []
        at: Item | None = None
        while True:
            page = await self._dynamodb.query(
                self._tables.messages,
                "#open = :open",
                {":open": {"S": items.OPEN}},
                names={"#open": "open"},
                index="by_due",
                start_key=at,
            )
            found += map(items.message, page.items)
            at = page.last_key
            if at is None:
                return found

    async def messages_of(self, incident_id: str) -> list[Message]:
        """Every message about an incident, in order, consistently."""
        values = {":id": {"S": incident_id}}
        found: list[Message] = []
        at: Item | None = None
        while True:
            page = await self._dynamodb.query(
                self._tables.messages, "incident_id = :id", values, start_key=at, consistent=True
            )
            found += map(items.message, page.items)
            at = page.last_key
            if at is None:
                return found

    async def message(self, incident_id: str, message_id: str) -> Message | None:
        """One message, consistently."""
        key = {"incident_id": {"S": incident_id}, "message_id": {"S": message_id}}
        item = await self._dynamodb.get_item(self._tables.messages, key)
        return items.message(item) if item else None

    async def add(self, message: Message) -> None:
        """Put a message of no incident into the outbox.

        Raises:
            ConditionFailed: there is one of this id.
        """
        await self._dynamodb.transact([self.put_new(message)])

    async def update(self, messages: Sequence[Message], beside: Sequence[Write] = ()) -> None:
        """Write messages in place of the version before each, together with other writes, all or nothing.

        Raises:
            ConditionFailed: one of them has changed meanwhile.
        """
        await self._dynamodb.transact([*beside, *(self._replace(message) for message in messages)])

    async def sent(self, messages: Sequence[Message], told: dict[str, str], now_ms: int) -> None:
        """Write messages that SNS has, and on their incidents what people were told.

        Args:
            told: severity by incident, of those of which people were told that they fire.
        """
        openings = {message.incident_id: message.opening for message in messages}
        updates = [self._tell(one, told[one], openings[one], now_ms) for one in told]
        await self.update(messages, updates)

    def _tell(self, incident_id: str, severity: str, opening: int, now_ms: int) -> Update:
        values = {":told": {"S": severity}, ":opening": _n(opening), ":now": _n(now_ms), ":one": _n(1)}
        return Update(self._tables.incidents, {"incident_id": {"S": incident_id}}, _TOLD, values=values)

    def put_new(self, message: Message) -> Put:
        """The write that puts a new message into the outbox, for a transaction."""
        return Put(self._tables.messages, items.of_message(message), _ABSENT)

    def _replace(self, message: Message) -> Put:
        values = {":version": _n(message.version - 1)}
        return Put(self._tables.messages, items.of_message(message), _VERSION, values=values)

    # Silences

    async def silences(self, now_ms: int) -> list[Silence]:
        """Those in force, consistently, the one that ends first first."""
        found: list[Silence] = []
        at: Item | None = None
        while True:
            page = await self._dynamodb.query(
                self._tables.silences,
                "#list = :list AND silence_sort > :now",
                {":list": {"S": items.SILENCES}, ":now": {"S": to_text(now_ms)}},
                names={"#list": "list"},
                start_key=at,
                consistent=True,
            )
            found += [one for one in map(items.silence, page.items) if one.in_force(now_ms)]
            at = page.last_key
            if at is None:
                return found

    async def put_silence(self, silence: Silence) -> None:
        """Write a silence, new or changed; its end is part of its key and never changes."""
        await self._dynamodb.put_item(self._tables.silences, items.of_silence(silence))


def _n(number: int) -> dict[str, str]:
    return {"N": str(number)}
