"""What a job is told, and what its code may set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flink_jobs import properties
from flink_jobs.properties import NotPermitted, WrongProperties


def test_groups_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "properties.json"
    path.write_text(properties.document({"orders": {"stream.arn": "arn:x"}, "rules": {}}))

    told = properties.load(path)

    assert told.required("orders", "stream.arn") == "arn:x"
    assert told.group("rules") == told.group("absent") == {}
    with pytest.raises(WrongProperties, match=r"orders has no aws\.region"):
        told.required("orders", "aws.region")


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", '[{"PropertyGroupId": "x"}]', '[{"PropertyGroupId": "x", "PropertyMap": {"a": 1}}]'],
)
def test_another_form_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "properties.json"
    path.write_text(text)
    if text == "{}":
        assert properties.load(path).groups == {}
        return
    with pytest.raises(WrongProperties):
        properties.load(path)


def test_where_no_service_wrote_them_the_file_is_named() -> None:
    with pytest.raises(WrongProperties, match=r"/etc/flink/application_properties\.json"):
        properties.load()


def test_what_the_service_does_not_let_code_set_is_refused() -> None:
    assert properties.permitted({"python.execution-mode": "thread"}) == {"python.execution-mode": "thread"}
    with pytest.raises(NotPermitted, match=r"execution\.checkpointing\.interval, state\.backend\.type"):
        properties.permitted(
            {"state.backend.type": "hashmap", "execution.checkpointing.interval": "1 s", "pipeline.name": "x"}
        )


def test_without_a_cluster_of_its_own_a_job_has_no_cluster_options(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert properties.cluster_options() == {}

    (tmp_path / "cluster.json").write_text(json.dumps({"rest.port": "1"}))
    monkeypatch.setenv(properties.CLUSTER_VARIABLE, str(tmp_path / "cluster.json"))

    assert properties.cluster_options() == {"rest.port": "1"}
