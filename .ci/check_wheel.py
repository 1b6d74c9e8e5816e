"""Installs the wheel beside one Airflow line, in a fresh environment, and tries what the installation promises.

Usage: check_wheel.py WHEEL LINE PYTHON
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from contextlib import contextmanager
from email import message_from_string
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).parent / "uv"
TIMEOUT = 300
USER_TEST = """
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

def test_sign_in(quatrix_emulator, quatrix_connection):
    assert QuatrixHook(quatrix_connection).test_connection()[0]
    assert quatrix_emulator.logins == 1
"""
IMPORT_ALL = """
import importlib, pkgutil, airflow_provider_quatrix as package

for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith(".__main__"):
        importlib.import_module(module.name)
"""


def main(wheel: Path, line: str, python: str) -> int:
    """Run all checks; the first that fails ends the program.

    :param wheel: the built wheel.
    :param line: ``3.3`` or ``2.11``.
    :param python: interpreter for the environment.
    :return: 0.
    """
    lowest = check_contents(wheel)
    with tempfile.TemporaryDirectory() as folder:
        environment = Environment(Path(folder), line, python)
        environment.install(str(wheel))
        environment.check_that_the_emulator_names_its_extra()
        environment.install(f"{wheel}[emulator]", "pytest")
        environment.check_provider()
        environment.check_connection()
        environment.check_fixtures()
        environment.check_imports(lowest)
    say(f"{wheel.name} works next to Airflow {line}")
    return 0


def check_contents(wheel: Path) -> list[str]:
    """Check which files the wheel holds, and its metadata.

    :return: the lowest versions of other providers that the wheel accepts.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = message_from_string(archive.read(info).decode())
        entry_points = archive.read(info.replace("METADATA", "entry_points.txt")).decode()
    package = "airflow_provider_quatrix"
    pages = [f"{package}/emulator/web/{name}" for name in ("common.js", "page.html", "recipient.html", "style.css")]
    for needed in (f"{package}/py.typed", *pages):
        expect(needed in names, f"{needed} is in the wheel")
    source = {str(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*.py")}
    expect(source <= names, f"all modules are in the wheel: {source - names or 'yes'}")
    foreign = {name for name in names if not name.startswith((f"{package}/", f"{package.replace('_', '-')}-", package))}
    expect(not foreign, f"nothing else is in the wheel: {foreign or 'nothing'}")
    expect(metadata["Name"] == "airflow-provider-quatrix", "the name is right")
    expect(metadata["License-Expression"] == "Apache-2.0", "the licence is named")
    expect(metadata["Requires-Python"] == ">=3.11", "the Python versions are named")
    expect(metadata["Description-Content-Type"] == "text/markdown", "the description is Markdown")
    expect(len(str(metadata.get_payload())) > 1000, "the README is the description")
    for group in ("apache_airflow_provider", "console_scripts", "pytest11"):
        expect(f"[{group}]" in entry_points, f"there is an entry point {group}")
    required = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    lowest = [each.replace(">=", "==") for each in required if each.startswith("apache-airflow-providers-")]
    expect(bool(lowest), f"the lowest versions of other providers are {', '.join(lowest)}")
    return lowest


class Environment:
    """A fresh virtual environment beside one Airflow line.

    :param folder: an empty folder.
    :param line: the Airflow line.
    :param python: interpreter.
    """

    def __init__(self, folder: Path, line: str, python: str) -> None:
        self.folder = folder
        self.constraints = ROOT / "constraints" / f"airflow-{line}.txt"
        self.bin = folder / "venv" / "bin"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
        self.variables = {
            **inherited,
            "AIRFLOW_HOME": str(folder / "home"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "NO_COLOR": "1",
        }
        self._run(str(UV), "venv", "--quiet", "--python", python, str(folder / "venv"))

    def install(self, *what: str) -> None:
        """Install something, and Airflow."""
        airflow = re.search(r"^apache-airflow==.+$", self.constraints.read_text(), re.MULTILINE)
        if airflow is None:
            sys.exit(f"FAILED: {self.constraints} names no Airflow")
        self._install("--constraint", str(self.constraints), airflow[0], *what)

    def _install(self, *arguments: str) -> None:
        self._run(str(UV), "pip", "install", "--quiet", "--python", str(self.bin / "python"), *arguments)

    def check_that_the_emulator_names_its_extra(self) -> None:
        """Without the extra, the command starts if Airflow itself brings what it needs, or says what to install."""
        done = self._try("quatrix-emulator", "--help")
        helped = done.returncode == 0 or "airflow-provider-quatrix[emulator]" in done.stderr
        expect(helped and "Traceback" not in done.stderr, "without its extra the emulator says what it needs")

    def check_provider(self) -> None:
        """Airflow finds the provider and its connection type."""
        self._command("airflow", "db", "migrate")
        listed = json.loads(self._command("airflow", "providers", "list", "--output", "json"))
        found = [each for each in listed if each["package_name"] == "airflow-provider-quatrix"]
        expect(len(found) == 1, "airflow providers list names the provider once")
        hooks = json.loads(self._command("airflow", "providers", "hooks", "--output", "json"))
        expect(any(each["connection_type"] == "quatrix" for each in hooks), "airflow providers hooks names the hook")
        expect("--port" in self._command("quatrix-emulator", "--help"), "quatrix-emulator --help works")

    def check_connection(self) -> None:
        """A connection is added and tested by Airflow's own commands."""
        with self._emulator() as url:
            user = ("--conn-login", "robot@example.com", "--conn-password", "Emulator-Passw0rd")
            added = ("connections", "add", "quatrix_default", "--conn-type", "quatrix", "--conn-host", url, *user)
            self._command("airflow", *added)
            tested = self._command("airflow", "connections", "test", "quatrix_default")
            with urllib.request.urlopen(f"{url}/_emulator/state", timeout=10) as answer:  # noqa: S310 - our own
                logins = json.load(answer)["counters"]["logins"]
        expect("Connection success!" in tested and logins == 1, "airflow connections test signs in")

    def check_fixtures(self) -> None:
        """The fixtures are found by pytest, and a user's test passes with them."""
        test = self.folder / "test_user.py"
        test.write_text(USER_TEST)
        passed = self._command("pytest", "-q", "-p", "no:cacheprovider", str(test))
        expect("1 passed" in passed, "a test with the fixtures passes")

    def check_imports(self, lowest: list[str]) -> None:
        """All modules can be imported next to the lowest versions of other providers, as pip does not update these."""
        self._install("--no-deps", *lowest)
        self._command("python", "-c", IMPORT_ALL)
        say(f"  all modules can be imported next to {', '.join(lowest)}")

    @contextmanager
    def _emulator(self) -> Iterator[str]:
        command = [str(self.bin / "quatrix-emulator"), "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
            try:
                yield next(iter(process.stdout or ())).split()[-1]
            finally:
                process.terminate()

    def _command(self, name: str, *arguments: str) -> str:
        return self._run(str(self.bin / name), *arguments)

    def _try(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own commands
            [str(self.bin / name), *arguments],
            env=self.variables,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def _run(self, *command: str) -> str:
        done = self._try(*command)
        expect(done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}" if done.returncode else "")
        return done.stdout


def expect(holds: bool, what: str) -> None:
    """Say that something holds, or end the program because it does not."""
    if not holds:
        sys.exit(f"FAILED: {what}")
    if what:
        say(f"  {what}")


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), *sys.argv[2:]))
