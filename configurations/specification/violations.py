"""One broken rule: where, which, in words, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Violation:
    """`field` is the path in ARM's names, such as ("kustomizations", "infra", "path").

    `message` is translated and for people; `code` is for programs. `suggestion` is a value that
    keeps the rule, None where there is no obvious one.
    """

    field: tuple[str, ...]
    code: str
    message: str
    suggestion: str | None = None

    @property
    def path(self) -> str:
        return ".".join(self.field)

    def under(self, *prefix: str) -> Violation:
        """The same one, seen from further out."""
        return replace(self, field=(*prefix, *self.field))
