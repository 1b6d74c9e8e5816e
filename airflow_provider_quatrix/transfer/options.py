"""Checks of arguments that say how files are moved; light enough for DAGs that are being parsed."""

from __future__ import annotations

import hashlib
import math

# These make digests of any length, so they need a length, which is not given here.
_WITHOUT_LENGTH = {"shake_128", "shake_256"}


def checked_checksum(value: str | None) -> str | None:
    """Check the algorithm of a checksum.

    :param value: name of an algorithm of hashlib, or ``None`` for no checksum.
    :return: it.
    :raises ValueError: there is no such algorithm.
    """
    if value is None or (isinstance(value, str) and value in hashlib.algorithms_available - _WITHOUT_LENGTH):
        return value
    known = sorted(hashlib.algorithms_guaranteed - _WITHOUT_LENGTH)
    raise ValueError(f"checksum is {value!r}: give one of {', '.join(map(repr, known))}, or None for no checksum")


def checked_flag(name: str, value: bool) -> bool:
    """Check an argument that is true or false.

    :return: it.
    :raises ValueError: it is not a bool.
    """
    if value not in (True, False):
        raise ValueError(f"{name} is {value!r}: give True or False")
    return value


def checked_delete_extra(value: bool, *, if_exists: str, delete_source: bool) -> bool:
    """Check whether the target loses what the source lacks.

    :param if_exists: what is done about names that are taken.
    :param delete_source: whether sources are deleted.
    :return: it.
    :raises ValueError: it is not a bool, or contradicts the others.
    """
    if checked_flag("delete_extra", value) and if_exists not in ("update", "overwrite"):
        raise ValueError(
            f"delete_extra is True, but if_exists is {if_exists!r}: set if_exists to 'update' or 'overwrite', as a "
            "mirror has what its source has"
        )
    if value and delete_source:
        raise ValueError(
            "delete_extra and delete_source are both True: choose one, as the next run would find the source empty and "
            "empty the target too"
        )
    return value


def checked_bandwidth(value: float | None) -> float | None:
    """Check a limit of bytes per second.

    :param value: bytes per second, or ``None`` for no limit.
    :return: it.
    :raises ValueError: it is not a positive number.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"bandwidth is {value!r}: give bytes per second, more than 0, or None for no limit")
    return float(value)


def checked_verify(value: bool, checksum: str | None) -> bool:
    """Check whether a file is read back after its upload.

    :param checksum: for the comparison.
    :return: it.
    :raises ValueError: it is not a bool, or there is no checksum.
    """
    checked_flag("verify", value)
    if value and checksum is None:
        raise ValueError("verify is True, but checksum is None: give an algorithm by which to compare")
    return value


def checked_read_back(value: bool | None, checksum: str | None, *, delete_source: bool) -> bool:
    """Check whether a file is read back after its transfer.

    :param value: whether it is; ``None``: if its source is deleted.
    :param checksum: for the comparison.
    :param delete_source: whether the source is deleted.
    :return: whether the file is read back.
    :raises ValueError: it is not a bool, or there is no checksum.
    """
    if value is None and delete_source and checksum is None:
        raise ValueError(
            "delete_source is True, but checksum is None: give an algorithm by which to compare, or verify=False to go "
            "by the size"
        )
    return checked_verify(delete_source if value is None else value, checksum)
