"""How a kind tells the engine that a write did not work, without the engine knowing Azure."""

from __future__ import annotations

from changes.models import Problem


class ChangeRefused(Exception):  # noqa: N818 (a refusal, not a fault)
    """A move that the state, the rights or the policy do not allow; the text is for people."""

    def __init__(self, message: str, *, code: str = "refused") -> None:
        super().__init__(message)
        self.code = code


class WriteProblem(Exception):  # noqa: N818 (named after Problem)
    """A read, write or poll that failed.

    `retry`: try again later, the approval stays good. `outcome_unknown`: the write may have been
    accepted, so read before writing again. `counts`: whether it uses up an attempt (throttling
    does not). `retry_after` in seconds. Code and message are Azure's own, free of secrets.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        code: str = "",
        message: str = "",
        retry: bool = False,
        outcome_unknown: bool = False,
        counts: bool = True,
        retry_after: float | None = None,
        correlation_id: str = "",
    ) -> None:
        super().__init__(f"{problem}: {code} {message}".strip())
        self.problem = problem
        self.code = code
        self.message = message
        self.retry = retry
        self.outcome_unknown = outcome_unknown
        self.counts = counts
        self.retry_after = retry_after
        self.correlation_id = correlation_id
