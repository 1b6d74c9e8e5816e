"""Prints the constraints of an Airflow line, but with the lowest versions of what setup.cfg requires."""

from __future__ import annotations

import re
import sys
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]
# They go with the versions of what is required: other providers with Airflow's, Starlette with FastAPI's.
_GO_WITH_THEM = re.compile(r"apache-airflow(-providers-.*)?|starlette|flask.*|werkzeug|connexion.*")


def _name(requirement: str) -> str:
    return re.split(r"[\s<>=!;\[]", requirement.strip(), maxsplit=1)[0].lower()


def main(line: str) -> None:
    """Print the constraints.

    :param line: such as ``2.11``.
    """
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    required = settings["options"]["install_requires"] + settings["options.extras_require"]["emulator"]
    direct = {_name(each) for each in required.splitlines()}
    for requirement in required.splitlines():
        # The newest of the other providers would ask for newer versions of these.
        if "providers" in requirement:
            sys.stdout.write(f"{requirement.replace('>=', '==')}\n")
    for pinned in (ROOT / "constraints" / f"airflow-{line}.txt").read_text().splitlines():
        name = _name(pinned)
        if name not in direct and _GO_WITH_THEM.fullmatch(name) is None:
            sys.stdout.write(f"{pinned}\n")


if __name__ == "__main__":
    main(sys.argv[1])
