"""Write docker/.env: the settings of .env.example with every empty one filled by a fresh random secret."""

from __future__ import annotations

import base64
import os
import re
import secrets
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACEHOLDER = re.compile(r"@([A-Z_]+)@")


def new_secret(name: str) -> str:
    """Return a random value of the shape the setting needs, safe in URLs and in JSON."""
    if name == "AIRFLOW_FERNET_KEY":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_hex(32)


def fill(template: str) -> str:
    """Give every empty setting a value, then put those values where ``@NAME@`` asks for them."""
    values: dict[str, str] = {}
    lines = []
    for line in template.splitlines():
        name, equals, value = line.partition("=")
        is_setting = bool(equals) and not line.startswith("#")
        if is_setting and not value:
            values[name] = new_secret(name)
            lines.append(f"{name}={values[name]}")
        else:
            lines.append(line)
    return PLACEHOLDER.sub(lambda found: values[found[1]], "\n".join(lines) + "\n")


def main(target: Path = HERE / ".env") -> int:
    """Write the file, readable by its owner only; never replace one, since its Fernet key may be in use."""
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.stderr.write(f"{target} exists. Remove it first if you want new secrets.\n")
        return 1
    with os.fdopen(handle, "w", encoding="utf-8") as env_file:
        env_file.write(fill((HERE / ".env.example").read_text(encoding="utf-8")))
    sys.stderr.write(f"{target} written.\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
