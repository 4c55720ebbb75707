"""The star on the real engine: its rules, the same rows whatever the batches, its audit, digests that engines share."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from psycopg import sql

from contracts import catalog
from spark_jobs.warehouse import digest, export
from tests import landing_objects, spark, star_reference
from tests.star_reference import Row

# One session of Spark does most of the work, on a machine that may be busy.
pytestmark = pytest.mark.timeout(900)

LARGEST, SMALLEST = "99999999999999.9999", "-99999999999999.9999"
WAREHOUSE = catalog.load()
_numbers = iter(range(1, 1_000_000))


def line(order_id: str, line_id: str = "1", **values: Any) -> Row:
    """A line of an order; later ones have later positions."""
    at = values.pop("at", "2011-01-04T10:00:00.000Z")
    usual = {
        "customer_id": None,
        "country": "France",
        "stock_code": "A",
        "description": "LANTERN",
        "unit_price": "2.5500",
        "order_ordered_at": at,
        **dict.fromkeys(("ordered_at", "ingested_at", "arrived_at"), at),
    }
    return landing_objects.row(line_id, next(_numbers), order_id=order_id, **{**usual, **values})


def rules() -> list[Row]:
    """Lines that show a rule each."""
    return [
        # Money: the greatest that a line can be, to the last digit.
        line("rules", "1", quantity=2**31 - 1, unit_price=LARGEST, customer_id="one"),
        line("rules", "2", quantity=-(2**31), unit_price=LARGEST, customer_id="one"),
        line("rules", "3", quantity=-(2**31), unit_price=SMALLEST),
        line("rules", "4", quantity=0, unit_price="-0.0001", kind="adjustment"),
        *[line("rules", str(number), customer_id="one") for number in range(5, 10)],
        # A customer who moves and comes back, and whose last instant names two countries.
        line("move-1", customer_id="mover", country="France", at="2010-12-31T23:59:59.999Z"),
        line("move-2", customer_id="mover", country="Spain", at="2011-01-05T00:00:00.001Z"),
        line("move-3", customer_id="mover", country="France", at="2011-02-06T08:00:00.000Z"),
        line("move-4", "1", customer_id="mover", country="Spain", at="2011-02-07T08:00:00.000Z"),
        line("move-4", "2", customer_id="mover", country="Île", at="2011-02-07T08:00:00.000Z"),
        # The text on the most sales, whatever stands on more lines that are none.
        *[
            line("texts", f"d{number}", stock_code="pB", description="damaged", quantity=-1)
            for number in range(3)
        ],
        line("texts", "1", stock_code="pB", description="  RED BOWL\u00a0"),
        line("texts", "2", stock_code="pB", description="RED BOWL\t"),
        line("texts", "3", stock_code="pB", description="BOWL, RED", at="2011-01-09T00:00:00.000Z"),
        line("texts", "4", stock_code="pB", description="", at="2011-01-09T00:00:00.000Z"),
        # As many sales each: the one that was sold last; at one instant the first by code points.
        line("texts", "5", stock_code="pC", description="OLD", at="2011-01-07T00:00:00.000Z"),
        line("texts", "6", stock_code="pC", description="Ünew", at="2011-01-08T00:00:00.000Z"),
        line("texts", "7", stock_code="pC", description="Znew", at="2011-01-08T00:00:00.000Z"),
        # No sale at all: a remark is better than nothing; and nothing at all.
        line("texts", "8", stock_code="pD", description="lost?", unit_price="0.0000"),
        line("texts", "9", stock_code="pD", description="lost?", quantity=-4),
        line("texts", "10", stock_code="pE", description=None),
        line("texts", "11", stock_code="pE", description=" \t "),
    ]


def random_lines(rng: random.Random) -> list[Row]:
    """Lines of few customers, articles and instants, some of them in conflict with an earlier one."""
    made: list[Row] = []
    for number in range(150):
        identity = rng.choice(made) if made and rng.random() < 0.25 else None
        made.append(
            line(
                identity["order_id"] if identity else f"r{number}",
                customer_id=rng.choice([None, "c1", "c2", "c3", "c4"]),
                country=rng.choice(["France", "Spain", "Île"]),
                stock_code=rng.choice("ABCDEF"),
                description=rng.choice([None, "", " X", "X", "Y", "Ÿ"]),
                kind=rng.choice(["sale", "sale", "cancellation", "adjustment"]),
                quantity=rng.choice([1, 2, -1]),
                unit_price=rng.choice(["2.5500", "0.0000", "-3.0001"]),
                at=f"2011-0{rng.randint(1, 3)}-0{rng.randint(1, 4)}T0{rng.randint(0, 3)}:00:00.007Z",
            )
        )
    return made


def odd_rows() -> dict[str, list[Row]]:
    """Rows at the edges of every type, by table of the warehouse."""
    texts = ["", "-", "0:", "1:a", "a", "Ünïcode", "日本", "😀", "a\u0301", " padded ", "'\"\\\n", "é" * 200]
    instants = ["1969-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z", "2011-02-10T11:00:00.120Z"]
    fact = {
        **dict.fromkeys(["source", "order_id", "kind", "currency"], "s"),
        **dict.fromkeys(["date_key", "customer_key", "product_key", "country_key"], -(2**31)),
        "ordered_at": instants[2],
    }
    numbers = ["0.0000", "-0.0001", LARGEST, SMALLEST, "2.5500", "100.0000"]
    return {
        "dim_country": [{"country_key": n, "country": text} for n, text in enumerate(texts)],
        "dim_product": [
            {"product_key": n * (2**63 - 1), "stock_code": text or "none", "description": text}
            for n, text in enumerate(["", None])
        ]
        + [{"product_key": -n - 2, "stock_code": "s", "description": text} for n, text in enumerate(texts)],
        "dim_customer": [
            {
                "customer_key": -(2**63) + n,
                "customer_id": [None, "", "-"][n],
                "country": ["", None, "0:"][n],
                "valid_from": instants[n],
                "valid_to": [None, *instants][n],
                "is_current": bool(n % 2),
            }
            for n in range(3)
        ],
        "dim_date": [
            {
                **dict.fromkeys(field.name for field in WAREHOUSE.contracts["dim_date", 1].struct.fields),
                **row,
                "is_weekend": False,
            }
            for row in star_reference.dates([{"ordered_at": "2011-12-30"}, {"ordered_at": "2012-01-02"}])
        ],
        "fact_order_lines": [
            {**fact, "line_id": str(n), "quantity": (-1) ** n * n, "unit_price": one, "amount": one}
            for n, one in enumerate(numbers)
        ],
    }


def buckets(rows: Sequence[Row]) -> digest.Buckets:
    """What an engine's query found."""
    return {
        row["bucket"]: (int(row["rows_count"]), int(row["first_half"]), int(row["second_half"]))
        for row in rows
    }


def expected_digest(table: str, rows: Sequence[Row]) -> digest.Buckets:
    """What plain Python finds."""
    place = WAREHOUSE.warehouse_tables[table]
    return star_reference.digest(rows, WAREHOUSE.contract_of(place).struct.fields, place.identity)


@pytest.fixture(scope="module")
def given() -> dict[str, list[list[Row]]]:
    """The loads of each branch: `parts` are those of `whole` in another order, cut into batches."""
    rng = random.Random(20111209)
    first = [*rules(), *random_lines(rng)]
    again = line("rules", "5", customer_id="one")
    again["sequence_number"] = f"{0:056}"
    late = line("late", customer_id="mover", country="Spain", at="2011-01-02T00:00:00.000Z")
    whole = [first, [again], [late]]
    shuffled = [one for load in whole for one in load]
    rng.shuffle(shuffled)
    return {"whole": whole, "parts": [shuffled[:40], shuffled[40:130], shuffled[130:150], shuffled[150:]]}


@pytest.fixture(scope="module")
async def made(
    aws_endpoint: str, given: dict[str, list[list[Row]]], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """What the program found; one session of Spark for all tests here."""
    folder = tmp_path_factory.mktemp("star")
    documents = {f"odd/{table}.json": rows for table, rows in odd_rows().items()}
    for branch, loads in given.items():
        documents |= {f"loads/{branch}/{n}.json": load for n, load in enumerate(loads)}
    for name, rows in documents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return await spark.run("star.py", aws_endpoint, "star", folder)


def test_the_dimensions_follow_the_rules(made: Any, given: dict[str, list[list[Row]]]) -> None:
    kept = star_reference.lines(given["whole"][0])
    star = made["star"]

    known = sorted(star["sales.dim_customer"], key=lambda row: (row["customer_id"] or "", row["valid_from"]))
    guest, *rows = [{k: v for k, v in row.items() if k != "customer_key"} for row in known]
    assert rows == star_reference.customers(kept)
    assert guest == {
        "customer_id": None,
        "country": None,
        "valid_from": "1970-01-01T00:00:00.000Z",
        "valid_to": None,
        "is_current": True,
    }
    assert [row["country"] for row in rows if row["customer_id"] == "mover"] == [
        "France",
        "Spain",
        "France",
        "Spain",
    ]
    described = {row["stock_code"]: row["description"] for row in star["sales.dim_product"]}
    assert described == star_reference.products(kept)
    assert sorted(star["sales.dim_date"], key=lambda row: row["date_key"]) == star_reference.dates(kept)
    assert {row["country"] for row in star["sales.dim_country"]} == {row["country"] for row in kept}


def resolved(star: dict[str, list[Row]], facts: Sequence[Row]) -> list[Row]:
    """Facts with what their keys stand for in the keys' place."""
    customers = {r["customer_key"]: (r["customer_id"], r["valid_from"]) for r in star["sales.dim_customer"]}
    products = {r["product_key"]: r["stock_code"] for r in star["sales.dim_product"]}
    countries = {r["country_key"]: r["country"] for r in star["sales.dim_country"]}
    made = []
    for fact in facts:
        row = dict(fact)
        row["customer"] = customers[row.pop("customer_key")]
        row["product"] = products[row.pop("product_key")]
        row["country"] = countries[row.pop("country_key")]
        made.append(row)
    return sorted(made, key=star_reference.identity)


def test_facts_are_the_lines_as_of_their_time_and_exact(made: Any, given: dict[str, list[list[Row]]]) -> None:
    facts = resolved(made["star"], made["star"]["sales.fact_order_lines"])

    assert facts == star_reference.facts(star_reference.lines(given["whole"][0]))
    amounts = {fact["line_id"]: fact["amount"] for fact in facts if fact["order_id"] == "rules"}
    assert [amounts[number] for number in "1234"] == [
        "214748364699999999785251.6353",
        "-214748364799999999785251.6352",
        "214748364799999999785251.6352",
        "0.0000",
    ]


def test_texts_are_chosen_by_the_stated_rule(made: Any) -> None:
    described = {row["stock_code"]: row["description"] for row in made["star"]["sales.dim_product"]}

    assert {code: described[code] for code in ("pB", "pC", "pD", "pE")} == {
        "pB": "RED BOWL",
        "pC": "Znew",
        "pD": "lost?",
        "pE": None,
    }


def test_whatever_the_batches_and_their_order_the_star_is_the_same(made: Any) -> None:
    whole, parts = made["digests"]

    assert whole
    assert parts == whole


def test_a_change_without_a_difference_makes_no_snapshot(made: Any) -> None:
    assert made["kept"]
    assert [one["rows_changed"] for one in made["staged"][1].values()] == [0] * 5


def test_a_late_line_rekeys_its_customers_facts_and_touches_their_months_alone(made: Any) -> None:
    before, after = ({tuple(one) for one in files} for files in made["files"])
    staged = made["staged"][2]

    # Spain now begins three days earlier: the line of 5 January is the only one with another key.
    assert (staged["fact_order_lines"]["rows_changed"], staged["dim_customer"]["rows_changed"]) == (2, 3)
    assert {month for month, _ in before - after} == {"2011-01"}
    assert {month for month, _ in after - before} == {"2011-01"}
    assert {month for month, _ in before & after} == {"2010-12", "2011-02", "2011-03"}


def test_the_audit_names_the_rows_of_every_kind_of_fault(made: Any) -> None:
    clean, dimensions, facts = (
        {
            (fault["table"].removeprefix("sales."), fault["check"]): (fault["count"], fault["rows"])
            for fault in found
        }
        for found in made["faults"]
    )

    assert clean == {}
    star = made["star"]
    key = {row["customer_id"]: row["customer_key"] for row in star["sales.dim_customer"]}
    movers = {
        row["valid_from"]: row["customer_key"]
        for row in star["sales.dim_customer"]
        if row["customer_id"] == "mover"
    }
    article = next(row["product_key"] for row in star["sales.dim_product"] if row["stock_code"] == "A")
    france = next(row["country_key"] for row in star["sales.dim_country"] if row["country"] == "France")
    assert dimensions == {
        ("dim_country", "country_key is there once"): (1, [f"{france}: 2"]),
        ("dim_country", "country is there once"): (1, ["France: 2"]),
        ("dim_product", "product_key is there once"): (1, [f"{article}: 2"]),
        ("dim_product", "stock_code is there once"): (1, ["B: 2"]),
        ("dim_customer", "customer_key is there once"): (1, [f"{key['one']}: 2"]),
        ("dim_customer", "the guest is there"): (1, ["guest"]),
        ("dim_customer", "only the guest is without name and country, and has key 0"): (
            1,
            ["nowhere 2011-01-01 00:00:00 18"],
        ),
        ("dim_customer", "a row without an end is current, no other is"): (
            1,
            ["ended France 2011-01-01 00:00:00 19"],
        ),
        ("dim_customer", "one row of a customer is current"): (1, ["ended: 0"]),
        ("dim_customer", "a customer's rows follow each other without gap and overlap"): (
            2,
            [
                f"mover France 2010-12-31 23:59:59.999 {movers['2010-12-31T23:59:59.999Z']}",
                f"mover France 2011-02-06 08:00:00 {movers['2011-02-06T08:00:00.000Z']}",
            ],
        ),
        ("dim_customer", "a customer's next row has another country"): (
            1,
            ["same France 2011-01-01 00:00:00 20"],
        ),
        ("dim_date", "date_key is there once"): (1, ["20110104: 2"]),
        ("dim_date", "every day from the first to the last order, as the calendar has it"): (
            3,
            ["missing 2011-01-02", "missing 2011-01-03", "not so 2011-01-02"],
        ),
    }
    rules = {
        "date_key is in dim_date": ["shop rules 1"],
        "customer_key is in dim_customer": ["shop rules 2"],
        "product_key is in dim_product": ["shop rules 3"],
        "country_key is in dim_country": ["shop rules 4"],
        "date_key is the day of ordered_at": ["shop rules 1"],
        "the customer's row holds at ordered_at": ["shop move-1 1"],
        "amount is quantity times unit_price": ["shop rules 5"],
        "an order line is there once": ["shop rules 6"],
        "facts and order lines are the same, in number, sum and every value": [
            f"shop rules {number}" for number in "23478"
        ],
    }
    assert facts == {("fact_order_lines", rule): (len(rows), rows) for rule, rows in rules.items()}


def test_an_export_holds_the_star_and_what_a_run_changed(made: Any) -> None:
    exported, star = made["whole"], made["star"]
    document = export.parse(made["document"])

    for table in export.TABLES:
        assert sorted(exported[table], key=str) == sorted(star[f"sales.{table}"], key=str), table
        said = document.tables[table]
        assert (said.rows, said.total_rows) == (len(exported[table]), len(exported[table])), table
        assert said.whole == (table != "fact_order_lines"), table
        assert said.prefix == f"exports/whole-0/{table}/", table
    assert (document.run, document.published_at) == ("whole-0", "2026-11-27T05:00:00Z")


def test_exports_in_their_order_make_up_the_facts(made: Any) -> None:
    facts: dict[Any, Row] = {}
    for run in made["parts"]:
        facts |= {star_reference.identity(row): row for row in run}

    found = expected_digest("fact_order_lines", list(facts.values()))
    assert found == buckets([row for row in made["digests"][1] if row["table_name"] == "fact_order_lines"])


def test_an_exports_digests_are_those_of_its_rows(made: Any) -> None:
    for table in export.TABLES:
        found = buckets([row for row in made["whole"]["digests"] if row["table_name"] == table])
        assert found == expected_digest(table, made["whole"][table]), table


@pytest.mark.parametrize("table", export.TABLES)
def test_spark_and_postgresql_digest_alike_to_the_last_odd_value(
    made: Any, postgresql: str, namespace: str, table: str
) -> None:
    rows = odd_rows()[table]
    place = WAREHOUSE.warehouse_tables[table]

    found = theirs(postgresql, namespace, table, rows)

    assert found == expected_digest(table, rows)
    assert buckets(made["odd"][table]) == found
    assert digest.differing(found, expected_digest(table, rows[1:])), place.identity


def theirs(postgresql: str, schema: str, table: str, rows: Sequence[Row]) -> digest.Buckets:
    """What PostgreSQL finds of these rows, in the rendered table without its constraints."""
    place = WAREHOUSE.warehouse_tables[table]
    query = digest.query(
        f'"{table}"', WAREHOUSE.contract_of(place).struct.fields, place.identity, digest.POSTGRESQL
    )
    statement = (catalog.ROOT / f"generated/postgresql/{table}.sql").read_text(encoding="utf-8")
    with psycopg.connect(postgresql, autocommit=True) as connection:
        name = sql.Identifier(schema)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        connection.execute(sql.SQL("SET search_path TO {}").format(name))
        connection.execute(statement.replace(" NOT NULL", "").encode())
        for row in rows:
            values = sql.SQL(", ").join([sql.Placeholder()] * len(row))
            names = sql.SQL(", ").join(map(sql.Identifier, row))
            insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(table), names, values)
            connection.execute(insert, list(row.values()))
        found = connection.execute(query.encode()).fetchall()
    return {bucket: (int(count), int(first), int(second)) for bucket, count, first, second in found}
