"""Set-up notices what is missing, broken or half done, and says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local import setup
from deploy.local.engines import engine, fetch
from deploy.local.layout import ROOT

PROGRAMS = ("python3.11", "make", "java", "javac", "mvn", "node", "npm", "head", "tail", "grep", "sed", "sh")


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """A folder of engines of the test's own, with the Kinesis engine in it."""
    shutil.copytree(engine.ENGINES / "kinesis", tmp_path / "kinesis")
    return tmp_path


def copy_of_ours(work: Path) -> Path:
    """What npm would bring, without the network."""
    return Path(shutil.copytree(engine.ENGINES / "kinesis", work / "fetched"))


def test_a_corrupted_file_is_named_and_fetched_again(
    fetched: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (fetched / "kinesis" / "main.js").open("ab") as file:
        file.write(b"// altered")

    step = setup.Step(
        "Kinesis engine",
        lambda: fetch.fault("kinesis", fetched),
        lambda: fetch.install("kinesis", fetched, copy_of_ours),
    )
    setup.take(step, "[1/1] Kinesis engine", quiet=True)

    assert "main.js has other content than the manifest says" in capsys.readouterr().out
    assert fetch.fault("kinesis", fetched) == ""


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "server.json").unlink(), "server.json is missing"),
        (lambda folder: (folder / "extra.js").write_text("x"), "extra.js is not in the manifest"),
        (shutil.rmtree, "not there yet"),
    ],
)
def test_every_other_difference_is_named(fetched: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(fetched / "kinesis")

    assert fetch.fault("kinesis", fetched) == said


def test_a_jar_of_spark_that_is_lost_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "spark-jars"
    folder.mkdir()
    for jar in (engine.ENGINES / "spark-jars").glob("*.jar"):
        (folder / jar.name).symlink_to(jar)
    assert fetch.fault("spark-jars", tmp_path) == ""

    (folder / "hadoop-aws-3.4.1.jar").unlink()

    assert fetch.fault("spark-jars", tmp_path) == "hadoop-aws-3.4.1.jar is missing"


def test_a_fetch_that_brings_something_else_changes_nothing(fetched: Path) -> None:
    def altered(work: Path) -> Path:
        folder = copy_of_ours(work)
        (folder / "main.js").write_text("something else")
        return folder

    with pytest.raises(fetch.FetchFailed, match=r"main\.js has other content"):
        fetch.install("kinesis", fetched, altered)

    assert fetch.fault("kinesis", fetched) == ""
    assert [path.name for path in fetched.iterdir()] == ["kinesis"]


def test_what_an_interrupted_fetch_left_is_removed(fetched: Path) -> None:
    (fetched / ".fetch-abc" / "node_modules").mkdir(parents=True)

    fetch.sweep(fetched)

    assert [path.name for path in fetched.iterdir()] == ["kinesis"]


def test_a_failing_client_is_quoted(tmp_path: Path) -> None:
    def without_a_lock(work: Path) -> Path:
        fetch.run(["npm", "ci"], work)
        return work

    with pytest.raises(fetch.FetchFailed, match=r"`npm ci` ended with"):
        fetch.install("kinesis", tmp_path, without_a_lock)


def test_an_interrupted_build_of_the_environment_is_started_again(tmp_path: Path) -> None:
    lock = tmp_path / "dev.lock"
    lock.write_text("# nothing\n")
    environment = setup.Environment(tmp_path / "venv", lock)
    assert environment.fault() == "not there yet"

    environment.build()
    assert environment.fault() == ""

    (tmp_path / "venv" / "unfinished").touch()
    (tmp_path / "venv" / "half-written").touch()
    assert environment.fault() == "an earlier build was interrupted"

    environment.build()
    assert environment.fault() == ""
    assert not (tmp_path / "venv" / "half-written").exists()

    lock.write_text("# changed\n")
    assert environment.fault() == "built from another lock file"


def test_a_second_set_up_waits_for_the_first(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from deploy.local import setup\n"
        "with setup.only_one(Path(sys.argv[1])): print('my turn', flush=True)"
    )
    with setup.only_one(tmp_path / "lock"):
        second = subprocess.Popen(
            ["python3.11", "-c", code, str(tmp_path / "lock")], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert second.stdout is not None
        assert "waiting for it" in second.stdout.readline()
        assert second.poll() is None

    assert second.communicate(timeout=20)[0] == "my turn\n"


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        (("python3.11",), "python3.11 (Debian: apt-get install python3.11 python3.11-venv)"),
        (("make",), "make (Debian: apt-get install make)"),
        (("java", "javac"), "java 17 or newer (Debian: apt-get install openjdk-17-jdk-headless)"),
        (("javac",), "javac 17 or newer (Debian: apt-get install openjdk-17-jdk-headless)"),
        (("mvn",), "mvn (Maven) (Debian: apt-get install maven)"),
        (("npm",), "npm (Debian: apt-get install npm)"),
    ],
)
def test_each_missing_program_gives_one_line(tmp_path: Path, lacking: tuple[str, ...], said: str) -> None:
    result = check_with(tmp_path, [name for name in PROGRAMS if name not in lacking])

    assert result.stderr == f"missing: {said}\n"
    assert result.returncode == 1


def test_all_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    result = check_with(tmp_path, ["head", "tail", "grep", "sed", "sh"])

    assert len(result.stderr.splitlines()) == 6
    assert result.returncode == 1


def test_an_old_node_counts_as_missing(tmp_path: Path) -> None:
    result = check_with(tmp_path, [name for name in PROGRAMS if name != "node"], {"node": "v18.20.4"})

    assert result.stderr.startswith("missing: node 20 or newer")
    assert result.returncode == 1


def test_nothing_is_missing_here(tmp_path: Path) -> None:
    assert check_with(tmp_path, list(PROGRAMS)).returncode == 0


def check_with(
    folder: Path, present: list[str], versions: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the check where only these programs are found; `versions` are stand-ins that print a version."""
    for name in present:
        found = os.path.realpath(sys.executable) if name == "python3.11" else shutil.which(name)
        assert found is not None, f"{name} must be here for this test"
        (folder / name).symlink_to(found)
    for name, version in (versions or {}).items():
        (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
        (folder / name).chmod(0o755)
    return subprocess.run(
        ["/bin/sh", str(ROOT / "deploy/local/prerequisites.sh")],
        env={"PATH": str(folder), "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )
