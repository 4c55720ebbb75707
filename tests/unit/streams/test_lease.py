"""A lease and its row: ours, and rows as the Kinesis Client Library writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.streams.lease import SHARD_END, Lease, from_item, to_item
from services.kernel.streams.records import Position

# As amazon-kclpy with KCL 3 wrote them to a local DynamoDB.
KCL_ROW = {
    "checkpoint": {"S": "49680477307599070399646748371299752939918028629906292770"},
    "endingHashKey": {"S": "255211775190703847597530955573826158588"},
    "leaseCounter": {"N": "44"},
    "ownerSwitchesSinceCheckpoint": {"N": "0"},
    "checkpointSubSequenceNumber": {"N": "0"},
    "leaseKey": {"S": "shardId-000000000002"},
    "leaseOwner": {"S": "110eb08e-0b6a-457b-9e38-43cd14231f04"},
    "throughputKBps": {"N": "0.0"},
    "startingHashKey": {"S": "170141183460469231731687303715884105726"},
}
KCL_COORDINATOR_ROW = {"key": {"S": "Leader"}, "leaseDuration": {"S": "120000"}}


def test_a_row_of_kcl_is_read() -> None:
    lease = from_item(KCL_ROW)
    assert lease is not None
    assert lease.shard_id == "shardId-000000000002"
    assert lease.owner == "110eb08e-0b6a-457b-9e38-43cd14231f04"
    assert lease.counter == 44
    number = 49680477307599070399646748371299752939918028629906292770
    assert lease.position == Position("AT_SEQUENCE_NUMBER", number)
    assert lease.place == (number, 0)


def test_our_row_has_the_attributes_that_kcl_reads() -> None:
    lease = from_item(KCL_ROW)
    assert lease is not None
    unknown = {"throughputKBps"}  # left as they are by an update of ours
    assert to_item(lease) == {name: value for name, value in KCL_ROW.items() if name not in unknown}


def test_rows_of_other_kinds_are_passed_over() -> None:
    assert from_item(KCL_COORDINATOR_ROW) is None


names = st.text("abc-0123456789", min_size=1, max_size=12)


@given(
    st.builds(
        Lease,
        shard_id=names,
        owner=st.none() | names,
        counter=st.integers(0, 2**40),
        checkpoint=st.sampled_from(["TRIM_HORIZON", SHARD_END]) | st.integers(0, 10**56).map(str),
        parents=st.sets(names, max_size=2).map(lambda found: tuple(sorted(found))),
        children=st.sets(names, max_size=2).map(lambda found: tuple(sorted(found))),
        deaths=st.integers(0, 9),
        sub_sequence=st.integers(0, 9),
        paused=st.none() | names,
    )
)
def test_a_lease_survives_its_row(lease: Lease) -> None:
    assert from_item(to_item(lease)) == lease


@pytest.mark.parametrize(
    ("lease", "position"),
    [
        (Lease("s"), Position("TRIM_HORIZON")),
        (Lease("s", checkpoint="12"), Position("AT_SEQUENCE_NUMBER", 12)),
        (Lease("s", checkpoint="12", sub_sequence=3), Position("AT_SEQUENCE_NUMBER", 12)),
    ],
)
def test_where_a_new_owner_begins(lease: Lease, position: Position) -> None:
    assert lease.position == position


def test_which_record_of_an_aggregate_was_at_work_survives_its_row() -> None:
    lease = Lease("s", attempt_sequence=12, attempt_sub_sequence=3, attempts=1)
    assert from_item(to_item(lease)) == lease
    assert to_item(lease)["attemptSubSequence"] == {"N": "3"}


@pytest.mark.parametrize("checkpoint", ["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP", SHARD_END])
def test_a_checkpoint_that_is_no_number_has_no_place(checkpoint: str) -> None:
    assert Lease("s", checkpoint=checkpoint, sub_sequence=3).place is None
