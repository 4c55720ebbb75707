"""The item that says which version is in service, and the items of versions. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Item = dict[str, Any]

CURRENT = "current"
"""Subject and version of the item that says which version is in service."""
EVERYWHERE = "everywhere"
"""The subject whose item is written last and removed first: where it is, all items of its version are."""
MAX_WITHDRAWN = 20


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which version is in service.

    Args:
        serving: the version.
        previous: the one that was before it; None of the first.
        generation: rises by 1 with every change of this item.
        trained_until: of the version in service; RFC 3339, UTC.
        flipped_at: when it came into service; the same.
        forced: whether somebody passed over what the gate had to say.
        withdrawn: versions that were rolled back from, in order of their names: published again only by name.
    """

    serving: str
    previous: str | None
    generation: int
    trained_until: str
    flipped_at: str
    forced: bool = False
    withdrawn: tuple[str, ...] = ()

    def item(self) -> Item:
        """The same for the table."""
        item = {
            **key(CURRENT, CURRENT),
            "serving": {"S": self.serving},
            "generation": {"N": str(self.generation)},
            "trained_until": {"S": self.trained_until},
            "flipped_at": {"S": self.flipped_at},
            "forced": {"BOOL": self.forced},
        }
        if self.previous is not None:
            item["previous"] = {"S": self.previous}
        if self.withdrawn:
            item["withdrawn"] = {"SS": list(self.withdrawn)}
        return item


def read(item: Item) -> Pointer:
    """Read the item.

    Raises:
        KeyError, ValueError: it is not one that we write.
    """
    return Pointer(
        serving=item["serving"]["S"],
        previous=item["previous"]["S"] if "previous" in item else None,
        generation=int(item["generation"]["N"]),
        trained_until=item["trained_until"]["S"],
        flipped_at=item["flipped_at"]["S"],
        forced=item["forced"]["BOOL"],
        withdrawn=tuple(sorted(item["withdrawn"]["SS"])) if "withdrawn" in item else (),
    )


def key(subject: str, version: str) -> Item:
    """The key of an item."""
    return {"subject": {"S": subject}, "version": {"S": version}}


def record(subject: str, version: str, body: bytes) -> Item:
    """The item of one record."""
    return {**key(subject, version), "body": {"B": body}}


def size_bytes(subject: str, version: str, body: bytes) -> int:
    """How large DynamoDB finds a record's item: names and values of its attributes.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return len("subjectversionbody") + len(subject.encode()) + len(version.encode()) + len(body)


def flipped(
    now: Pointer | None,
    to: str,
    trained_until: str,
    at: str,
    *,
    forced: bool = False,
    withdraw: bool = False,
) -> Pointer:
    """The pointer that brings another version into service.

    Args:
        now: what is in service; None where nothing ever was.
        to: the version.
        withdraw: whether the version in service is rolled back from.
    """
    withdrawn = set(now.withdrawn if now else ()) - {to}
    if now and withdraw:
        withdrawn.add(now.serving)
    return Pointer(
        serving=to,
        previous=now.serving if now else None,
        generation=now.generation + 1 if now else 1,
        trained_until=trained_until,
        flipped_at=at,
        forced=forced,
        withdrawn=tuple(sorted(withdrawn)[-MAX_WITHDRAWN:]),
    )
