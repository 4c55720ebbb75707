"""The star that is made of the order lines: what it holds is a function of the set of lines, never of their batches.

Keys are hashes of what they stand for (`keys`), so that every run and every order of arrival makes the same ones.
`stage` brings it up to date after the lines of a branch changed, `faults` says what of it may not be published, and
`stage_export` hands it on to the warehouse.
"""

from spark_jobs.warehouse.star.exported import stage_export, stage_whole_export
from spark_jobs.warehouse.star.faults import faults
from spark_jobs.warehouse.star.staging import Staged, stage

__all__ = ["Staged", "faults", "stage", "stage_export", "stage_whole_export"]
