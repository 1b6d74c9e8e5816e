"""What this package assumes about the service where nothing is published, or where a client would break without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Assumption:
    """One of them.

    :param name: short, for scripts.
    :param text: what the service does.
    :param otherwise: what it means for users where the service does not.
    """

    name: str
    text: str
    otherwise: str


ASSUMPTIONS = {
    assumption.name: assumption
    for assumption in (
        Assumption(
            "login-answer",
            "A login hands out the session id in the member `session_id`",
            "the header X-Auth-Token is read instead; without either nobody can sign in",
        ),
        Assumption(
            "second-factor",
            "A second factor is asked for by HTTP 207 with Mfa-Code 71 (2FA) or 73 (PIN)",
            "accounts with a second factor need an API key",
        ),
        Assumption(
            "keepalive", "Keepalive answers HTTP 200 without a body", "other successes do as well, if they are JSON"
        ),
        Assumption(
            "unknown-session",
            "A session that has ended is refused by HTTP 401, which asks for no second factor",
            "tasks fail when the session ends, instead of signing in again",
        ),
        Assumption(
            "unknown-logout",
            "A logout without a session is refused by HTTP 401, or fine",
            "a logout task fails where the session has ended before",
        ),
        Assumption(
            "idle-end", "A session ends 15 minutes after its last call", "more logins are needed, if it ends earlier"
        ),
        Assumption(
            "login-limit",
            "The 16th login in 15 minutes is refused by HTTP 429 with Retry-After",
            "nothing: the package stops at 12 by itself",
        ),
        Assumption(
            "captcha-words",
            "A CAPTCHA block says so by the word `captcha`, or what `captcha_pattern` matches",
            "a block is taken for a refused password; set `captcha_pattern`",
        ),
        Assumption(
            "captcha-session",
            "A login that is refused for a CAPTCHA hands out the session id that a token unblocks",
            "a person has to pass the CAPTCHA in a browser",
        ),
        Assumption(
            "captcha-token", "A CAPTCHA token unblocks the session", "a person has to pass the CAPTCHA in a browser"
        ),
        Assumption("api-key", "An API key is sent as a Bearer token", "API keys do not work; use a password"),
        Assumption(
            "api-key-captcha", "API keys are exempt from CAPTCHA blocks", "tasks with an API key fail while blocked"
        ),
        Assumption("profile", "The profile tells id, e-mail and home folder", "the Test button fails"),
        Assumption("quota", "Storage is told in bytes", "`quota()` fails"),
        Assumption(
            "clock",
            "Answers tell the service's time, within half a minute of this host's",
            "2FA codes are refused, and `min_age` goes by this host's clock: set it",
        ),
        Assumption("listing", "A folder's entries have an id, a name, a size and a time each", "entries are left out"),
        Assumption("path", "Paths are resolved by `file/id`, 404 where nothing is", "no call with a path works"),
        Assumption("not-found", "An id that does not exist is answered by 404, or code 20", "retries do not help"),
        Assumption("conflict", "A taken name is refused as one, by code 30 to 32 or 409", "`if_exists` does not work"),
        Assumption(
            "unfinished-visible",
            "An unfinished upload is listed under its name",
            "`cleanup` does not find what killed uploads have left",
        ),
        Assumption("chunk-again", "A chunk that is sent again does no harm", "an upload fails where an answer is lost"),
        Assumption("finalize-size", "The end of an upload tells how many bytes arrived", "no upload succeeds"),
        Assumption("finalize-once", "An upload that was ended before is answered by 404", "nothing that is known"),
        Assumption(
            "modified-exact",
            "A modification time is kept to the microsecond",
            "`if_exists='update'` sends files again that have not changed",
        ),
        Assumption("range", "Downloads honour Range", "a download that breaks off begins anew"),
        Assumption("link-again", "A download link works more than once", "a download that breaks off needs another"),
        Assumption("move", "A moved file keeps its id", "another try of a task may not recognise its own work"),
        Assumption("copy", "`file/copyone` copies at once", "copies fail"),
        Assumption("overwrite", "A move with `overwrite` replaces what has the name", "`if_exists='overwrite'` fails"),
        Assumption("overwrite-final", "What is replaced is gone for good", "it stays in the Trash, and takes storage"),
        Assumption(
            "counted-name", "A taken name becomes `name(1).ending`", "`if_exists='rename'` gives names of another form"
        ),
        Assumption(
            "delete-unknown",
            "Unknown ids are left out where several are deleted",
            "a deletion fails where somebody else deletes at the same time",
        ),
        Assumption("trash", "What is deleted goes to the Trash, and is gone when deleted again", "it is gone at once"),
    )
}

HOLDS, FAILS, NOT_TRIED = "holds", "fails", "not tried"


@dataclass(frozen=True)
class Finding:
    """What became of an assumption.

    :param assumption: which.
    :param result: ``holds``, ``fails`` or ``not tried``.
    :param seen: what was seen, or why it was not tried; one line.
    """

    assumption: Assumption
    result: str
    seen: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON carries it."""
        return {
            "name": self.assumption.name,
            "assumption": self.assumption.text,
            "otherwise": self.assumption.otherwise,
            "result": self.result,
            "seen": self.seen,
        }


def lines_of(findings: list[Finding]) -> list[str]:
    """Return findings for people: what fails first, with its consequence."""
    order = (FAILS, HOLDS, NOT_TRIED)
    lines = []
    for finding in sorted(findings, key=lambda finding: order.index(finding.result)):
        text = f"{finding.result:10} {finding.assumption.name:19} {finding.assumption.text}"
        lines.append(f"{text} ({finding.seen})" if finding.seen else text)
        if finding.result == FAILS:
            lines.append(f"{'':30} otherwise: {finding.assumption.otherwise}")
    count = [sum(finding.result == result for finding in findings) for result in (HOLDS, FAILS, NOT_TRIED)]
    return [*lines, f"{count[0]} hold, {count[1]} fail, {count[2]} were not tried"]
