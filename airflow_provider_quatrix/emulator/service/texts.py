"""Texts that people write: subjects, messages, names of people."""

from __future__ import annotations

from .errors import bad_parameter


def checked_text(parameter: str, text: str, shortest: int, longest: int) -> str:
    """Check a text.

    :param parameter: its name in a refusal.
    :param shortest: fewest characters.
    :param longest: most characters.
    :return: the text.
    :raises ApiError: 400 when it has another length, or contains half of a character.
    """
    if not shortest <= len(text) <= longest:
        raise bad_parameter(parameter, f"must have {shortest} to {longest} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise bad_parameter(parameter, "contains half of a character") from None
    return text
