"""Answers with recommendations: all of one version, filled up where a list is short, degraded rather than failing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from contracts.recommendations import Recommendations as Record
from services.kernel.core.errors import CadabraError, Retryable
from services.storefront.fallback import (
    COUNTRY,
    EVERYWHERE,
    OWN,
    Shown,
    fallback,
    filled,
    listed,
    merged,
    without,
)
from services.storefront.memory import Memory
from services.storefront.metrics import StorefrontMetrics
from services.storefront.pointer import InService, Known, PointerReader
from services.storefront.reasons import Reason, reason
from services.storefront.records import RecordReader
from services.storefront.since import Since

FOR_YOU, POPULAR, ALSO_BOUGHT = "for_you", "popular", "also_bought"
PARTS_OF = {
    FOR_YOU: ("you_may_like", "buy_again"),
    "you_may_like": ("you_may_like",),
    "buy_again": ("buy_again",),
    POPULAR: (),
}
"""The lists that a customer is shown, and the lists of the customer's record that each is made of."""

MAX_DRAFTS = 3
"""So many versions are tried in one request where one after another goes out of service and is removed."""

_encode = msgspec.json.Encoder().encode


class NoRecommendations(CadabraError):
    """There is nothing to recommend: no version was ever published, or the one in service holds nothing."""


class Item(msgspec.Struct, frozen=True, gc=False):
    """One article as the API shows it."""

    stock_code: str
    description: str | None
    score: float
    reason: Reason
    text: str


@dataclass(slots=True)
class _Draft:
    """An answer on its way; everything in it is of one version."""

    service: InService
    degraded: set[str]
    missing: list[str] = field(default_factory=list)
    country: str | None = None
    shown: list[Shown] = field(default_factory=list)
    left_out: int = 0


_Build = Callable[[_Draft], Awaitable[None]]


class Recommendations:
    """Gives the lists of the version in service as JSON documents; every method raises NoRecommendations."""

    def __init__(
        self,
        pointers: PointerReader,
        records: RecordReader,
        since: Since,
        memory: Memory,
        metrics: StorefrontMetrics,
    ) -> None:
        self._pointers = pointers
        self._records = records
        self._since = since
        self._memory = memory
        self._metrics = metrics

    async def of_customer(self, customer_id: str, name: str, limit: int, country: str | None) -> bytes:
        """A customer's list, without what the customer has bought since the training.

        Args:
            name: one of PARTS_OF.
            limit: articles at most.
            country: whose popular articles stand in; None for the country that the version knows of the customer.
        """
        if name == POPULAR:
            draft = await self._drafted(
                lambda draft: self._customers_popular(draft, customer_id, limit, country)
            )
        else:
            draft = await self._drafted(
                lambda draft: self._personal(draft, customer_id, PARTS_OF[name], limit, country)
            )
        return self._answer(draft, name, customer_id=customer_id, country=draft.country)

    async def also_bought(self, stock_code: str, limit: int) -> bytes:
        """What is bought together with a product; of a product that has no such list what is popular."""

        async def build(draft: _Draft) -> None:
            record = await self._read(draft, self._records.shared, f"product:{stock_code}")
            own = listed(OWN, ALSO_BOUGHT, record.articles(ALSO_BOUGHT) if record is not None else ())
            draft.shown = own[:limit] or filled([], self._everywhere(draft), {stock_code}, limit)

        return self._answer(await self._drafted(build), ALSO_BOUGHT, stock_code=stock_code)

    async def popular(self, country: str | None, limit: int) -> bytes:
        """What is popular in a country, or everywhere."""

        async def build(draft: _Draft) -> None:
            draft.country = country
            draft.shown = filled([], await self._popular(draft), (), limit)

        draft = await self._drafted(build)
        return self._answer(draft, POPULAR, country=country)

    async def _drafted(self, build: _Build) -> _Draft:
        """Build an answer of the version in service; again where it went out of service under our hands."""
        known = await self._pointers.current()
        for _ in range(MAX_DRAFTS):
            draft = _draft(known)
            await build(draft)
            if not draft.missing:
                return draft
            known = await self._pointers.again()
            if not known.certain or known.service is None:
                break
            if known.service.version == draft.service.version:
                for subject in draft.missing:
                    self._memory.keep_missing(draft.service.version, subject)
                return draft
        # Nobody can say whether the version has no such record, or has it no more.
        draft.degraded.add("recommendations")
        return draft

    async def _personal(
        self, draft: _Draft, customer_id: str, parts: Sequence[str], limit: int, country: str | None
    ) -> None:
        record, bought = await asyncio.gather(
            self._read(draft, self._records.personal, f"customer:{customer_id}"),
            self._bought(draft, customer_id),
        )
        own: list[Shown] = []
        known = set(bought)
        if record is not None:
            own = merged((name, record.articles(name)) for name in parts)
            known.update(article.stock_code for one in record.lists for article in one.items)
        left = without(own, bought)
        draft.left_out = len(own) - len(left)
        draft.country = country if country is not None or record is None else record.country
        draft.shown = left[:limit]
        if len(left) < limit:
            popular = await self._popular(draft)
            # Rather what the customer knows already than nothing.
            draft.shown = filled(left, popular, known, limit) or filled([], popular, (), limit)

    async def _customers_popular(
        self, draft: _Draft, customer_id: str, limit: int, country: str | None
    ) -> None:
        if country is None:
            record = await self._read(draft, self._records.personal, f"customer:{customer_id}")
            country = record.country if record is not None else None
        draft.country = country
        draft.shown = filled([], await self._popular(draft), (), limit)

    async def _popular(self, draft: _Draft) -> list[Shown]:
        """The popular articles of the draft's country, if it has such, then everybody's."""
        record = None
        if draft.country is not None:
            record = await self._read(draft, self._records.shared, f"country:{draft.country}")
        own = listed(COUNTRY, POPULAR, record.articles(POPULAR) if record is not None else ())
        return own + self._everywhere(draft)

    def _everywhere(self, draft: _Draft) -> list[Shown]:
        return listed(EVERYWHERE, POPULAR, draft.service.everywhere.articles(POPULAR))

    async def _read(
        self, draft: _Draft, read: Callable[[str, str], Awaitable[Record | None]], subject: str
    ) -> Record | None:
        if self._memory.is_missing(draft.service.version, subject):
            return None
        try:
            found = await read(draft.service.version, subject)
        except Retryable:
            draft.degraded.add("recommendations")
            return None
        if found is None:
            draft.missing.append(subject)
        return found

    async def _bought(self, draft: _Draft, customer_id: str) -> frozenset[str]:
        try:
            return await self._since.bought(customer_id, draft.service.trained_until)
        except Retryable:
            draft.degraded.add("order_history")
            return frozenset()

    def _answer(self, draft: _Draft, name: str, **whose: str | None) -> bytes:
        if not draft.shown:
            raise NoRecommendations("the version in service holds nothing")
        stood_in = fallback(draft.shown)
        if name == POPULAR and stood_in == (COUNTRY if draft.country is not None else EVERYWHERE):
            stood_in = None  # what was asked for
        self._count(draft, name, stood_in)
        return _encode(
            {
                "list": name,
                **whose,
                "items": [_item(shown, draft.country) for shown in draft.shown],
                "fallback": stood_in,
                "version": draft.service.version,
                "trained_until": draft.service.trained_until,
                "degraded": sorted(draft.degraded),
            }
        )

    def _count(self, draft: _Draft, name: str, stood_in: str | None) -> None:
        self._metrics.recommendations.labels(list=name, fallback=stood_in or "none").inc()
        for what in draft.degraded:
            self._metrics.degraded.labels(what=what).inc()
        if draft.left_out:
            self._metrics.left_out.inc(draft.left_out)
        if stood_in is None and name != POPULAR:
            self._metrics.filled_up.inc(sum(shown.origin != OWN for shown in draft.shown))


def _draft(known: Known) -> _Draft:
    if known.service is None:
        raise NoRecommendations("no version is in service")
    return _Draft(known.service, set() if known.certain else {"recommendations"})


def _item(shown: Shown, country: str | None) -> Item:
    article = shown.article
    why, text = reason(shown.list_name, article, country if shown.origin == COUNTRY else None)
    return Item(article.stock_code, article.description, article.score, why, text)
