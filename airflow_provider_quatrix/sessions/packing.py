"""An account's record as text: JSON, with encrypted sessions."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_quatrix.sessions.record import AccountRecord, Block, Claim, Failure, Refusal, Session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_quatrix.sessions.cipher import RecordCipher

_VERSION = 2

T = TypeVar("T")


def pack(record: AccountRecord, cipher: RecordCipher) -> str:
    """Return a record as JSON, with the session encrypted.

    The rest is not secret. It stays readable for tasks that sign in to the account with other credentials.
    """
    own = record.session
    sessions = dict(record.others)
    if own.revision:
        sessions[cipher.fingerprint] = (own.revision, cipher.encrypt(json.dumps(asdict(own))))
    members = {
        "version": _VERSION,
        "epoch": record.epoch,
        "revision": record.revision,
        "attempts": list(record.attempts),
        "refunded": list(record.refunded),
        "totp_step": record.totp_step,
        "claim": None if record.claim is None else asdict(record.claim),
        "block": asdict(record.block),
        "refusals": {name: asdict(refusal) for name, refusal in record.refusals.items()},
        "failure": asdict(record.failure),
        "sessions": {name: list(entry) for name, entry in sessions.items()},
    }
    return json.dumps(members)


def unpack(text: str | None, cipher: RecordCipher) -> AccountRecord:
    """Read a packed record.

    :param text: from the store; ``None`` for nothing.
    :return: the record; an empty one if the text is invalid, or was written by another version of this package.
    """
    try:
        members = json.loads(text or "{}")
        if members.get("version") != _VERSION:
            return AccountRecord()
        return _unpacked(members, cipher)
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError):
        return AccountRecord()


def _unpacked(members: dict[str, Any], cipher: RecordCipher) -> AccountRecord:
    others = {str(name): (int(entry[0]), str(entry[1])) for name, entry in members["sessions"].items()}
    own = cipher.decrypt(others.pop(cipher.fingerprint, (0, ""))[1])
    step, claim = members["totp_step"], members["claim"]
    return AccountRecord(
        epoch=str(members["epoch"]),
        revision=int(members["revision"]),
        session=Session() if own is None else _part(Session, json.loads(own)),
        others=others,
        block=_part(Block, members["block"]),
        refusals={str(name): _part(Refusal, entry) for name, entry in members["refusals"].items()},
        claim=None if claim is None else _part(Claim, claim),
        failure=_part(Failure, members["failure"]),
        totp_step=None if step is None else int(step),
        attempts=_times(members["attempts"]),
        refunded=_times(members["refunded"]),
    )


def _times(values: Iterable[Any]) -> tuple[float, ...]:
    moments = [float(value) for value in values]
    return tuple(sorted(moment for moment in moments if math.isfinite(moment)))


def _part(kind: type[T], members: dict[str, Any]) -> T:
    """Return one part of the record.

    :raises TypeError: a member has the wrong type.
    :raises ValueError: a number is not finite.
    """
    made = kind(**members)
    for entry in fields(kind):  # type: ignore[arg-type]
        value, wanted = getattr(made, entry.name), str(entry.type)
        allowed = {"str": str, "bool": bool, "int": int, "float": int | float}[wanted.removesuffix(" | None")]
        if not (isinstance(value, allowed) or (value is None and wanted.endswith("None"))):
            raise TypeError(entry.name)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(entry.name)
    return made
