"""Programs that Debian packages, in a folder of this checkout: fetched by apt without root, installed nowhere.

A program that the machine has is used as it is. For another one, apt says what the machine lacks of it and of what it
needs, fetches that, checks it by Debian's signatures, and the packages are unpacked side by side. What the machine has
already is used from there, so such a folder belongs to one machine.

    python3.11 -m deploy.local.engines.debian chromium    # fetch one now, and print its path

Standard library only: set-up runs this before any environment exists.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.engines import fetch
from deploy.local.engines.engine import ENGINES

_MORE_PATH = "/usr/sbin:/sbin"
_FONTS = Path("/usr/share/fonts")
_STAMP = "packages.txt"


@dataclass(frozen=True, slots=True)
class Package:
    """How Debian packages a program.

    Args:
        packages: what is asked of apt; what those need comes along, without recommendations.
        executable: the program inside the packages.
        version: the argument that makes it print its version and end.
        fonts: whether it draws text and so needs a font.
    """

    packages: tuple[str, ...]
    executable: str
    version: str = "--version"
    fonts: bool = False


PACKAGES = {
    "apache2": Package(("apache2",), "usr/sbin/apache2", version="-v"),
    "chromium": Package(("chromium", "fonts-dejavu-core"), "usr/lib/chromium/chromium", fonts=True),
    "goaccess": Package(("goaccess",), "usr/bin/goaccess"),
}


@dataclass(frozen=True, slots=True)
class Program:
    """A program that can be started.

    Args:
        environment: what it needs on top of the usual.
        folder: where its packages were unpacked, as `/` would be; `/` itself for one of the machine's own.
    """

    path: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = Path("/")


def program(name: str, engines: Path = ENGINES) -> Program:
    """The program of this name, from its folder or the machine's own.

    Raises:
        FileNotFoundError: it is in neither place.
    """
    found = _found(name, engines)
    if found is None:
        raise FileNotFoundError(f"{name} is not here: `python3.11 -m deploy.local.engines.debian {name}`")
    return found


def ensure(name: str, engines: Path = ENGINES) -> Program:
    """The program of this name, fetched where it is not here; whoever wants one at the same time waits.

    Raises:
        FetchFailed: apt cannot fetch it; the message says in one line what is missing.
    """
    folder = engines / "debian"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fetch.sweep(folder)
        if fault(name, engines):
            fetch.install(name, folder, lambda work: unpacked(name, work))
            (folder / f"{name}.lacking").unlink(missing_ok=True)
    return program(name, engines)


def ensure_once(name: str, engines: Path) -> None:
    """As `ensure`, for set-up: where apt cannot fetch it a note stays, so that not every set-up asks again.

    Raises:
        FetchFailed: apt cannot fetch it.
    """
    try:
        ensure(name, engines)
    except fetch.FetchFailed as failure:
        (engines / "debian" / f"{name}.lacking").write_text(f"{failure}\n", encoding="utf-8")
        raise


def first_fault(name: str, engines: Path) -> str:
    """As `fault`, for set-up: empty too where apt could not fetch it once."""
    return "" if (engines / "debian" / f"{name}.lacking").is_file() else fault(name, engines)


def fault(name: str, engines: Path) -> str:
    """Why it has to be fetched; empty where it is here, with a font if it needs one."""
    package = PACKAGES[name]
    stamp = engines / "debian" / name / _STAMP
    is_whole = stamp.is_file() and stamp.read_text(encoding="utf-8").split() == list(package.packages)
    if _found(name, engines) is None or (package.fonts and not is_whole and not any(_FONTS.rglob("*.ttf"))):
        return "not there yet"
    return ""


def unpacked(name: str, work: Path) -> Path:
    """Fetch what the machine lacks of a program and unpack it; returns the folder, in which the program runs.

    Raises:
        FetchFailed: apt cannot fetch it, or it does not run.
    """
    package = PACKAGES[name]
    folder = work / name
    folder.mkdir()
    for archive in _fetched(package.packages, work):
        fetch.run(["dpkg-deb", "-x", str(archive), str(folder)], work)
    (folder / _STAMP).write_text("\n".join(package.packages) + "\n", encoding="utf-8")
    _runs(name, folder)
    return folder


def _fetched(packages: tuple[str, ...], work: Path) -> list[Path]:
    """The archives of what the machine lacks; with the machine's package lists, else with newer ones of our own."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise fetch.FetchFailed(f"{packages[0]}: not here, and this machine has no apt-get to fetch it with")
    for folder in ("archives/partial", "lists/partial"):
        (work / folder).mkdir(parents=True)
    options = ["-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User=root", "-o", f"Dir::Cache={work}"]
    options += ["-o", f"Dir::Cache::archives={work / 'archives'}", "-qq"]
    own_lists = ["-o", f"Dir::State::lists={work / 'lists'}"]
    install = ["install", "-y", "--no-install-recommends", "--download-only", *packages]
    if _apt([*options, *install]):
        updating = _apt([*options, *own_lists, "update"])
        why = _apt([*options, *own_lists, *install])
        if why:
            raise fetch.FetchFailed(f"{packages[0]}: apt cannot fetch it: {updating or why}")
    return sorted((work / "archives").glob("*.deb"))


def _apt(arguments: list[str]) -> str:
    """Run apt-get; what it complained of last, "" where it did what it was asked."""
    result = subprocess.run(
        ["apt-get", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
    )
    if not result.returncode:
        return ""
    complaints = [line for line in result.stdout.splitlines() if line.startswith(("E:", "Err:"))]
    return complaints[-1] if complaints else f"apt-get ended with {result.returncode}"


def _runs(name: str, folder: Path) -> None:
    """See that a program that was unpacked finds all its libraries; one of the machine's own does already."""
    executable = folder / PACKAGES[name].executable
    if not executable.exists():
        if _of_the_machine(name) is None:
            raise fetch.FetchFailed(f"{name}: {executable.name} is in none of the packages that apt fetched")
        return
    result = subprocess.run(
        [str(executable), PACKAGES[name].version],
        env={**os.environ, **environment(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        last = (result.stderr.strip() or "no output").splitlines()[-1]
        raise fetch.FetchFailed(f"{name} does not run from its folder: {last}")


def _found(name: str, engines: Path) -> Program | None:
    folder = engines / "debian" / name
    executable = folder / PACKAGES[name].executable
    if executable.is_file():
        return Program(executable, environment(folder), folder)
    own = _of_the_machine(name)
    if own is None:
        return None
    return Program(own, environment(folder) if folder.is_dir() else {})


def _of_the_machine(name: str) -> Path | None:
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_MORE_PATH}")
    return Path(found) if found else None


def environment(folder: Path) -> dict[str, str]:
    """What a program needs to find the libraries and fonts that were unpacked beside it.

    Source: ld.so(8), LD_LIBRARY_PATH; fonts-conf(5), FONTCONFIG_FILE.
    """
    found: dict[str, str] = {}
    libraries = sorted({str(path.parent) for path in folder.rglob("lib*.so*")})
    if libraries:
        found["LD_LIBRARY_PATH"] = ":".join(libraries)
    fonts = folder / "usr" / "share" / "fonts"
    if fonts.is_dir():
        settings = folder / "fonts.conf"
        if not settings.is_file():
            settings.write_text(_FONT_SETTINGS, encoding="utf-8")
        found["FONTCONFIG_FILE"] = str(settings)
    return found


# Its own folder first, by its place beside this file: the whole is moved once it is complete.
_FONT_SETTINGS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir prefix="relative">usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
"""


def main(arguments: list[str] | None = None) -> int:
    """Fetch one program where it is not here, and print its path; 1 with one message where that cannot be."""
    parser = argparse.ArgumentParser(prog="deploy.local.engines.debian", description=main.__doc__)
    parser.add_argument("name", choices=sorted(PACKAGES))
    try:
        print(ensure(parser.parse_args(arguments).name).path)
    except fetch.FetchFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
