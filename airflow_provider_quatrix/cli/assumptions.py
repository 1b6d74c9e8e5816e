"""What this package assumes about the service, where nothing is published or a client depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Assumption:
    """One assumption.

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
            "A login returns the session id in the member `session_id`",
            "the header X-Auth-Token is read instead; if that is missing too, nobody can sign in",
        ),
        Assumption(
            "second-factor",
            "A login without a required second factor is answered by HTTP 207 with Mfa-Code 71 (2FA) or 73 (PIN)",
            "accounts with a second factor need an API key",
        ),
        Assumption(
            "keepalive",
            "Keepalive answers HTTP 200 without a body",
            "other successful responses are accepted, if they are JSON",
        ),
        Assumption(
            "unknown-session",
            "A call with an ended session is refused with HTTP 401, without a request for a second factor",
            "tasks fail when the session ends, instead of signing in again",
        ),
        Assumption(
            "unknown-logout",
            "A logout without a session is refused with HTTP 401, or succeeds",
            "a logout task fails if the session has already ended",
        ),
        Assumption(
            "idle-end", "A session ends 15 minutes after its last call", "if it ends earlier, more logins are needed"
        ),
        Assumption(
            "login-limit",
            "The 16th login in 15 minutes is refused with HTTP 429 and Retry-After",
            "nothing changes: the package stops at 12",
        ),
        Assumption(
            "captcha-words",
            "The response of a blocked account contains the word `captcha`, or what `captcha_pattern` matches",
            "a block is taken for a refused password; set `captcha_pattern`",
        ),
        Assumption(
            "captcha-session",
            "A login that is refused because of a CAPTCHA returns the session id that a token unblocks",
            "a person has to pass the CAPTCHA in a browser",
        ),
        Assumption(
            "captcha-token", "A CAPTCHA token unblocks the session", "a person has to pass the CAPTCHA in a browser"
        ),
        Assumption("api-key", "An API key is sent as a Bearer token", "API keys do not work; use a password"),
        Assumption(
            "api-key-captcha",
            "API keys are exempt from CAPTCHA blocks",
            "tasks with an API key fail while the account is blocked",
        ),
        Assumption("profile", "The profile contains id, e-mail and home folder", "the Test button fails"),
        Assumption("quota", "The used and allowed storage are in bytes", "`quota()` fails"),
        Assumption(
            "clock",
            "Responses contain the service's time, and it is within half a minute of this host's",
            "2FA codes are refused, and `min_age` uses this host's clock: set the clock",
        ),
        Assumption("listing", "A folder's entries have an id, a name, a size and a time each", "entries are left out"),
        Assumption(
            "path", "`file/id` resolves paths, and answers 404 if nothing is there", "no call with a path works"
        ),
        Assumption("not-found", "A call with an unknown id is answered by 404, or code 20", "retries do not help"),
        Assumption("conflict", "A taken name is refused with code 30 to 32, or 409", "`if_exists` does not work"),
        Assumption(
            "unfinished-visible",
            "An unfinished upload is listed under its name",
            "`cleanup` does not find what killed uploads left behind",
        ),
        Assumption("chunk-again", "A chunk that is sent again does no harm", "an upload fails if a response is lost"),
        Assumption("finalize-size", "The last call of an upload returns how many bytes arrived", "no upload succeeds"),
        Assumption("finalize-once", "Finishing an upload a second time is answered by 404", "no known effect"),
        Assumption(
            "modified-exact",
            "A modification time is kept to the microsecond",
            "`if_exists='update'` sends unchanged files again",
        ),
        Assumption("range", "Downloads honour Range", "a download that breaks starts again"),
        Assumption("link-again", "A download link works more than once", "a download that breaks needs a new link"),
        Assumption("move", "A moved file keeps its id", "a retry may not recognise the work of the first try"),
        Assumption("copy", "`file/copyone` has copied when it responds", "copies fail"),
        Assumption(
            "overwrite", "A move with `overwrite` replaces the file with that name", "`if_exists='overwrite'` fails"
        ),
        Assumption("overwrite-final", "A replaced file is gone for good", "it goes to the Trash, and uses storage"),
        Assumption(
            "counted-name",
            "If a name is taken, the new file becomes `name(1).ending`",
            "`if_exists='rename'` makes names of another form",
        ),
        Assumption(
            "delete-unknown",
            "When several files are deleted, unknown ids are ignored",
            "a deletion fails if somebody else deletes at the same time",
        ),
        Assumption(
            "trash", "A deleted file goes to the Trash, and is gone when it is deleted again", "it is gone at once"
        ),
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
