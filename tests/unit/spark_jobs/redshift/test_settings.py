"""What the load is told, and that its README tells the truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.kernel.core.errors import Misconfigured
from services.kernel.core.settings import load, markdown
from spark_jobs import exit_codes
from spark_jobs.warehouse.redshift import __main__ as command
from spark_jobs.warehouse.redshift.comparing import MOST_ROWS
from spark_jobs.warehouse.redshift.settings import Settings

README = (Path(__file__).parents[4] / "spark_jobs/warehouse/redshift/README.md").read_text("utf-8")
ROLE = "arn:aws:iam::123456789012:role/copy"


def test_the_readmes_settings_are_the_commands() -> None:
    assert markdown(Settings) in README


def test_the_readmes_exit_codes_are_the_commands() -> None:
    assert all(f"| {code} |" in README for code in {0, *exit_codes.ALL})
    assert f"up to {MOST_ROWS} rows" in README


def test_on_aws_a_workgroup_and_a_role_are_needed() -> None:
    for given in ({}, {"CADABRA_REDSHIFT_WORKGROUP": "shop"}, {"CADABRA_REDSHIFT_ENDPOINT": "http://x"}):
        with pytest.raises(Misconfigured, match="are needed"):
            load(Settings, given)
    given = {"CADABRA_REDSHIFT_WORKGROUP": "shop", "CADABRA_REDSHIFT_COPY_ROLE_ARN": ROLE}
    assert not load(Settings, given).is_postgresql


def test_a_password_is_not_shown() -> None:
    settings = load(Settings, {"CADABRA_REDSHIFT_ENDPOINT": "postgresql://a:hush@b/c"})
    assert settings.is_postgresql
    assert "hush" not in repr(settings)


def test_every_namespace_has_a_schema_of_its_own() -> None:
    given = {"CADABRA_NAMESPACE": "shop-eu", "CADABRA_REDSHIFT_ENDPOINT": "postgresql://a/b"}
    assert load(Settings, given).schema == "shop_eu_sales"


@pytest.mark.parametrize(
    ("environment", "code"),
    [({}, 78), ({"CADABRA_REDSHIFT_ENDPOINT": "postgresql://127.0.0.1:1/x"}, 75)],
)
def test_a_command_says_why_it_failed(
    environment: dict[str, str],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert command.main(["status", "--json"]) == code
    told = capsys.readouterr()
    assert '"error"' in told.out
    assert told.err
