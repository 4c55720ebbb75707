"""What AWS knows things by: a deployment's namespace goes before the names of the contracts. Pure."""

from __future__ import annotations


def physical_name(namespace: str, name: str) -> str:
    """The name of a stream, table or topic as AWS knows it."""
    return f"{namespace}-{name}"


def bucket_name(namespace: str) -> str:
    """The name of the lake's bucket. All of AWS shares these names: a deployment's namespace must be its own."""
    return physical_name(namespace, "lake")


def database_name(namespace: str, group: str = "sales") -> str:
    """The name of the lake's database in the Glue Data Catalog, and of the warehouse's schema.

    Args:
        group: what stands before the point in the name of a lake table, as in `contracts/lake/`.

    Source: Athena takes lower-case letters, digits and underscores in a database's name.
    """
    return f"{namespace}_{group}".replace("-", "_")


def lease_table(namespace: str, application: str) -> str:
    """The name of an application's lease table as AWS knows it."""
    return physical_name(namespace, f"leases-{application}")
