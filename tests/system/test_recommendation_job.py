"""The recommendations' job on Glue and S3: what of the order lines counts, what a version holds, and that it is one."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import os
import random
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog, validate
from deploy.local import spark as local_spark
from deploy.local.layout import ROOT
from services.kernel.adapters.s3 import S3
from tests import spark
from tests.engines import Engines, local_environment
from tests.landing_objects import Row, row

# One session of Spark does most of the work, on a machine that may be busy.
pytestmark = pytest.mark.timeout(900)

NAMESPACE = "recommended"
CUSTOMERS, GROUPS, ARTICLES = 240, 4, 10
FIRST, LAST = datetime(2011, 1, 3, 9, tzinfo=UTC), datetime(2011, 12, 9, 12, tzinfo=UTC)
GIVEN_BACK, GUESTS_ONLY, GUESTS_OTHER, FREE, BOOKED = "20099", "30001", "30002", "40001", "50001"


class Shop:
    """Order lines, as they are sent."""

    def __init__(self) -> None:
        self.lines: list[Row] = []
        self._rng = random.Random(5)

    def order(self, customer: str | None, at: datetime, codes: list[str], **changed: Any) -> None:
        """An order of these articles."""
        number = f"{len(self.lines):06}"
        for place, code in enumerate(codes):
            whole = {"quantity": 6, "order_id": number, "country": "France", **changed}
            told = at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
            self.lines.append(
                row(
                    str(place),
                    len(self.lines),
                    customer_id=customer,
                    stock_code=code,
                    ordered_at=told,
                    **whole,
                )
            )

    def customers(self) -> None:
        """Customers of four tastes, each with a few orders; the last one is on the last day."""
        for number in range(CUSTOMERS):
            taste = 20000 + 100 * (number % GROUPS)
            for _ in range(self._rng.randint(2, 5)):
                at = FIRST + (LAST - FIRST) * self._rng.random()
                codes = [
                    str(taste + one) for one in self._rng.sample(range(ARTICLES), self._rng.randint(2, 6))
                ]
                self.order(f"c{number}", at, codes, country="Norway" if number == 7 else "France")
        self.order("c0", LAST, ["20000", "20001"])

    def oddities(self) -> None:
        """Everything that must not count, or not as it comes."""
        bought = LAST - timedelta(days=60)
        self.order("gives-back", bought, [GIVEN_BACK, "20000"])
        back = {"kind": "cancellation", "quantity": -6}
        self.order("gives-back", bought + timedelta(days=2), [GIVEN_BACK], **back)
        self.order("only-back", bought, ["20000"], **back)
        for day in range(30):
            self.order(None, LAST - timedelta(days=day), [GUESTS_ONLY, GUESTS_OTHER])
        self.order("c1", bought, ["POST", "M", "D", "85123a", "20100"])
        self.order("c1", bought, [FREE], unit_price="0")
        self.order("c1", bought, [BOOKED], kind="adjustment")
        self.order("wholesale", bought, ["20003", "20003"], quantity=2_000_000_000)
        self.order("c2", datetime(2099, 1, 1, tzinfo=UTC), ["20000"])


@pytest.fixture(scope="module")
def lines() -> list[Row]:
    """All lines of the shop."""
    shop = Shop()
    shop.customers()
    shop.oddities()
    return shop.lines


@pytest.fixture(scope="module")
async def result(aws_endpoint: str, tmp_path_factory: pytest.TempPathFactory, lines: list[Row]) -> Any:
    """What the program told: one session of Spark for all tests of this module that need one."""
    folder = tmp_path_factory.mktemp("recommendations")
    codes = sorted({line["stock_code"] for line in lines})
    products = [
        {"product_key": key, "stock_code": code, "description": None if code == "20001" else f'"{code}" é'}
        for key, code in enumerate(codes)
    ]
    (folder / "order_lines.json").write_text(json.dumps(lines), encoding="utf-8")
    (folder / "dim_product.json").write_text(json.dumps(products), encoding="utf-8")
    return await spark.run("recommendations.py", aws_endpoint, NAMESPACE, folder)


def items(record: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of a record."""
    return next((found["items"] for found in record["lists"] if found["name"] == name), [])


def codes(record: dict[str, Any], name: str) -> list[str]:
    """The articles of a list."""
    return [item["stock_code"] for item in items(record, name)]


async def test_a_version_is_complete_and_says_what_it_was_made_of(result: Any) -> None:
    manifest, told = result["manifest"], result["first"]
    folder = f"recommendations/v1/{told['version']}/"

    assert manifest["version"] == told["version"]
    assert (manifest["digest"], manifest["choice"]) == (told["digest"], told["choice"])
    assert {f"{folder}{name}" for name in (*manifest["files"], "model.npz", "manifest.json")} == set(
        result["keys"]
    )
    assert manifest["snapshots"].keys() == {"sales.order_lines", "sales.dim_product"}
    assert manifest["trained_until"] == "2011-12-10T00:00:00.000Z"
    assert manifest["seed"] == 1
    assert manifest["recipe"].keys() == manifest["choice"]["lists"].keys()
    assert manifest["figures"]["seconds"]["choose"] > 0


async def test_digest_and_subjects_are_those_of_the_records(result: Any) -> None:
    digest, subjects = hashlib.sha256(), dict.fromkeys(("customer", "product", "country", "everywhere"), 0)
    for subject, record in sorted(result["records"].items(), key=lambda one: one[0].encode()):
        body = json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        digest.update(f"{subject}\0{body}\n".encode())
        subjects[subject.partition(":")[0]] += 1

    assert result["manifest"]["digest"] == digest.hexdigest()
    assert result["manifest"]["subjects"] == subjects


async def test_records_hold_the_contract(result: Any) -> None:
    contract = catalog.contract("recommendations", 1)
    faults = {subject: validate.faults(contract, record) for subject, record in result["records"].items()}

    assert {subject: found for subject, found in faults.items() if found} == {}
    assert all(subject == record["subject"] for subject, record in result["records"].items())


async def test_every_customer_with_a_purchase_has_lists_of_new_and_of_own_articles(result: Any) -> None:
    customers = {name.partition(":")[2] for name in result["records"] if name.startswith("customer:")}

    assert customers == {*(f"c{number}" for number in range(CUSTOMERS)), "gives-back", "wholesale"}
    for name in customers:
        record = result["records"][f"customer:{name}"]
        assert not set(codes(record, "you_may_like")) & set(codes(record, "buy_again"))
    assert result["records"]["customer:c7"]["country"] == "Norway"
    assert {"country:France", "country:Norway", "everywhere"} <= result["records"].keys()


async def test_what_was_given_back_is_no_purchase(result: Any) -> None:
    record = result["records"]["customer:gives-back"]

    assert codes(record, "buy_again") == ["20000"]
    assert GIVEN_BACK not in codes(record, "you_may_like")
    assert "customer:only-back" not in result["records"]


async def test_guests_orders_teach_what_goes_together_and_nothing_else(result: Any) -> None:
    assert codes(result["records"][f"product:{GUESTS_ONLY}"], "also_bought") == [GUESTS_OTHER]
    assert items(result["records"][f"product:{GUESTS_ONLY}"], "also_bought")[0]["times"] == 30
    bought = {result["articles"][number] for block in result["histories"] for number in block[3]}
    assert bought == set(result["articles"]) - {GUESTS_ONLY, GUESTS_OTHER}


async def test_postage_gifts_bookings_and_the_future_do_not_count(result: Any, lines: list[Row]) -> None:
    listed = {item for record in result["records"].values() for one in record["lists"] for item in names(one)}

    assert listed <= {line["stock_code"] for line in lines}
    assert not listed & {"POST", "M", "D", "85123a", FREE, BOOKED}
    assert (
        not {f"product:{code}" for code in ("POST", "M", "D", "85123a", FREE, BOOKED)}
        & result["records"].keys()
    )


def names(one: dict[str, Any]) -> list[str]:
    """The articles of one list."""
    return [item["stock_code"] for item in one["items"]]


async def test_pieces_buy_no_place(result: Any) -> None:
    """Two thousand million pieces twice, in one order, are one buyer like any other, and fit into a column."""
    (again,) = items(result["records"]["customer:wholesale"], "buy_again")

    assert (again["stock_code"], again["times"]) == ("20003", 1)
    assert max(units for block in result["histories"] for units in block[6]) == 2**31 - 1


async def test_texts_are_the_lakes(result: Any) -> None:
    assert result["records"]["product:20000"]["description"] == '"20000" é'
    assert result["records"]["product:20001"]["description"] is None


async def test_the_same_lake_gives_the_same_lists(result: Any) -> None:
    first, again = result["first"], result["again"]

    assert again["version"] != first["version"]
    assert (again["digest"], again["recipe"], again["subjects"]) == tuple(
        first[name] for name in ("digest", "recipe", "subjects")
    )


async def test_histories_are_in_order_and_whole(result: Any, lines: list[Row]) -> None:
    for _customers, _countries, starts, article, day, order, units in result["histories"]:
        for begin, end in itertools.pairwise(starts):
            events = list(zip(day, order, article, units, strict=True))[begin:end]
            assert events == sorted(events)
            assert sorted(set(order[begin:end])) == list(range(max(order[begin:end]) + 1))
    guests = {line["order_id"] for line in lines if line["customer_id"] is None}
    assert result["baskets"] > len(guests) == 30
    assert result["fewer"] == [10, (datetime(2011, 6, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days]


async def test_blocks_of_spark_give_what_blocks_at_hand_give(result: Any) -> None:
    here, few, many = result["sums"]
    assert here == few == many
    assert result["customers"][0] == result["customers"][1] == result["customers"][2]
    assert result["of_nothing"] == "there is no block"


async def test_als_gives_the_same_factors_again(result: Any) -> None:
    one, other = result["factors"]

    assert one == other
    assert any(value for row in one for value in row)


async def test_a_lake_without_tables_is_told_from_a_bug(result: Any) -> None:
    code, said = result["empty"]

    assert code == 65
    assert "sales.order_lines: there is no such table" in said


async def test_a_driver_that_is_killed_before_its_manifest_leaves_no_version(
    aws_endpoint: str, result: Any, tmp_path: Path
) -> None:
    environment = {
        **local_environment(Engines("", "", "", aws=aws_endpoint)),
        **local_spark.environment(tmp_path / "spark"),
        "HOME": str(tmp_path),
        "CADABRA_NAMESPACE": NAMESPACE,
    }
    before = await manifests(aws_endpoint)
    process = await asyncio.create_subprocess_exec(
        local_spark.PYTHON,
        *("-m", "spark_jobs.recommendations", "train", "--only", "popularity_all"),
        env=environment,
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    async with asyncio.timeout(400):
        while b"read back ..." not in (line := await process.stderr.readline()):
            assert line, "it ended before its lists were written"
    os.killpg(process.pid, signal.SIGKILL)
    await process.wait()

    assert await manifests(aws_endpoint) == before
    assert len(before) == 2


async def manifests(aws: str) -> list[str]:
    """Keys of all manifests."""
    async with S3.open(aws, "us-east-1") as s3:
        found = [one.key async for one in s3.list(f"{NAMESPACE}-lake", "recommendations/v1/")]
    return [key for key in found if key.endswith("/manifest.json")]
