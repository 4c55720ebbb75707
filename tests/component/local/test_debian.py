"""Programs of Debian's, fetched without root: how they are fetched, and that Apache and Chromium do their work."""

from __future__ import annotations

import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest
from playwright.async_api import Error

from deploy.local import processes, setup
from deploy.local.engines import debian, fetch
from tests import apache
from tests.browsers import colours, opened_page
from tests.fault.waiting import until

APT = """#!/bin/sh
echo "$*" >> {calls}
case "$*" in
*update*) touch {updated} ;;
*) [ -e {updated} ] || {{ echo 'E: Unable to locate package goaccess'; exit 100; }}
   for word in $*; do case $word in Dir::Cache::archives=*) cp {archive} "${{word#*=}}/" ;; esac; done ;;
esac
"""


class Machine:
    """A machine whose apt-get knows no package until its lists are brought up to date."""

    def __init__(self, folder: Path, script: str) -> None:
        self.engines = folder / "engines"
        self.engines.mkdir()
        self.calls = folder / "calls"
        self.programs = folder / "bin"
        self.programs.mkdir()
        for name in ("dpkg-deb", "sh", "touch", "cp", "tar"):
            found = shutil.which(name)
            assert found is not None
            (self.programs / name).symlink_to(found)
        self._write_apt(folder, self._packed(folder, script))

    def _packed(self, folder: Path, script: str) -> Path:
        tree = folder / "tree"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN" / "control").write_text(
            "Package: goaccess\nVersion: 1\nArchitecture: all\nMaintainer: us <us@example.com>\nDescription: ours\n"
        )
        executable = tree / "usr" / "bin" / "goaccess"
        executable.parent.mkdir(parents=True)
        executable.write_text(script)
        executable.chmod(0o755)
        (tree / "usr" / "lib").mkdir()
        (tree / "usr" / "lib" / "libours.so.1").touch()
        archive = folder / "goaccess_1_all.deb"
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-b", tree, archive], check=True, capture_output=True
        )
        return archive

    def _write_apt(self, folder: Path, archive: Path) -> None:
        apt = self.programs / "apt-get"
        apt.write_text(APT.format(calls=self.calls, updated=folder / "updated", archive=archive))
        apt.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose package is a script that prints its version."""
    return machine_with(tmp_path, monkeypatch, "#!/bin/sh\necho 1.0\n")


def machine_with(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Machine:
    made = Machine(folder, script)
    monkeypatch.setenv("PATH", str(made.programs))
    monkeypatch.setattr(debian, "_MORE_PATH", str(made.programs))
    return made


def test_what_is_lacking_is_fetched_with_lists_of_our_own_where_the_machines_are_empty(
    machine: Machine,
) -> None:
    found = debian.ensure("goaccess", machine.engines)

    assert found.path == machine.engines / "debian" / "goaccess" / "usr" / "bin" / "goaccess"
    assert found.environment == {"LD_LIBRARY_PATH": str(found.folder / "usr" / "lib")}
    first, update, second = machine.calls.read_text().splitlines()
    assert "Dir::State::lists" not in first
    assert "Dir::State::lists" in update
    assert "Dir::State::lists" in second
    assert str(machine.engines) in second
    assert sorted(path.name for path in (machine.engines / "debian").iterdir()) == ["goaccess", "lock"]


def test_it_is_fetched_once(machine: Machine) -> None:
    for _ in range(2):
        debian.ensure("goaccess", machine.engines)

    assert len(machine.calls.read_text().splitlines()) == 3
    assert debian.fault("goaccess", machine.engines) == ""


def test_the_machines_own_is_used_as_it_is(machine: Machine) -> None:
    own = machine.programs / "goaccess"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)

    assert debian.ensure("goaccess", machine.engines) == debian.Program(own)
    assert not machine.calls.exists()


def test_a_machine_without_apt_is_told_in_one_line(machine: Machine) -> None:
    (machine.programs / "apt-get").unlink()

    with pytest.raises(
        fetch.FetchFailed, match=r"^goaccess: not here, and this machine has no apt-get [^\n]*$"
    ):
        debian.ensure("goaccess", machine.engines)
    with pytest.raises(FileNotFoundError, match=r"deploy\.local\.engines\.debian goaccess"):
        debian.program("goaccess", machine.engines)


def test_what_apt_complains_of_last_is_told_in_one_line(machine: Machine) -> None:
    (machine.programs / "apt-get").write_text(
        "#!/bin/sh\necho 'W: a warning'\necho 'E: no network'\necho more\nexit 100\n"
    )

    with pytest.raises(fetch.FetchFailed, match=r"^goaccess: apt cannot fetch it: E: no network$"):
        debian.ensure("goaccess", machine.engines)
    assert debian.fault("goaccess", machine.engines) == "not there yet"


def test_a_program_that_does_not_run_is_not_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = machine_with(tmp_path, monkeypatch, "#!/bin/sh\necho 'libours.so.2: not found' >&2\nexit 127\n")

    with pytest.raises(fetch.FetchFailed, match=r"does not run from its folder: libours\.so\.2: not found"):
        debian.ensure("goaccess", machine.engines)
    assert debian.fault("goaccess", machine.engines) == "not there yet"


def test_set_up_goes_on_without_it_and_asks_once(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    (machine.programs / "apt-get").unlink()
    step = setup.Step(
        "goaccess",
        lambda: debian.first_fault("goaccess", machine.engines),
        lambda: debian.ensure_once("goaccess", machine.engines),
        without="tests will ask",
    )

    setup.take(step, "[1/1] goaccess", quiet=True)
    assert "[1/1] goaccess: left out, tests will ask: goaccess: not here" in capsys.readouterr().out
    setup.take(step, "[1/1] goaccess", quiet=True)
    assert capsys.readouterr().out == ""


async def test_apache_serves_and_writes_its_log_in_our_format(tmp_path: Path) -> None:
    with apache.started(tmp_path, '%h \\"%r\\" %>s %{ms}T') as one:
        asked(f"{one.url}/index.html?page=1")
        # A request is logged once it was answered.
        line = '127.0.0.1 "GET /index.html?page=1 HTTP/1.1" 200 '
        await until(lambda: line in one.log.read_text(), 20, "the request is in the log")
        workers = apaches_of(tmp_path)

        assert len(workers) >= 2
        for address in [one for worker in workers for one in processes.listening_addresses(worker)]:
            assert address.startswith("127.0.0.1:")
    assert apaches_of(tmp_path) == []


async def test_apache_goes_on_in_a_new_log_once_told(tmp_path: Path) -> None:
    with apache.started(tmp_path) as one:
        old = tmp_path / "access.log.1"
        one.log.rename(old)
        asked(f"{one.url}/?old")
        await until(lambda: "/?old" in old.read_text(), 20, "the request is in the renamed log")
        one.reopen_logs()
        await until(one.log.exists, 20, "a new log is there")

        def asked_and_in_the_new_log() -> bool:
            # A worker of before may still answer, into the old log.
            asked(f"{one.url}/?new")
            return "/?new" in one.log.read_text()

        await until(asked_and_in_the_new_log, 20, "a request is in the new log")


def asked(url: str) -> None:
    """Ask a server of ours."""
    urllib.request.urlopen(url, timeout=10).close()  # noqa: S310 - http to ourselves


def apaches_of(folder: Path) -> list[int]:
    """The processes of an Apache whose settings are in this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def test_chromium_draws_text_and_colours(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(
        "<body style='margin: 0; background: #fff'><div id=bar style='width: 40px; height: 10px; background: #cc0000'>"
        "</div><p id=text style='color: #000; font: 20px sans-serif'>Requests per second</p>"
    )
    async with opened_page() as page:
        await page.goto(file.as_uri())

        assert await colours(page, "#bar") == {"#cc0000": 400}
        text = await colours(page, "#text")
        assert text["#ffffff"] > text["#000000"] > 100


async def test_what_a_script_of_the_page_complains_of_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="no chart"):
        async with opened_page() as page:
            await page.set_content("<script>throw new Error('no chart')</script>")


async def test_chromium_reaches_this_machine_alone() -> None:
    async with opened_page() as page:
        with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
            await page.goto("http://www.example.com/")
