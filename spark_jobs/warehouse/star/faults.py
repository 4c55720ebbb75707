"""The star's audit: what has to hold before anybody may see it, whatever wrote it.

A pass over the dimensions counts the rows that break each rule, a pass over lines and facts does so for the facts; only
where a count is not 0 are the rows looked for. That no required column is null is held by the tables themselves.
"""

from __future__ import annotations

from spark_jobs.warehouse.audit import Fault
from spark_jobs.warehouse.lake import Lake
from spark_jobs.warehouse.star import dimension_rules, fact_rules


def faults(lake: Lake) -> list[Fault]:
    """What of the star at this branch breaks a rule; empty where all is well.

    Facts are judged once the dimensions that they refer to are sound.
    """
    return dimension_rules.faults(lake) or fact_rules.faults(lake)
