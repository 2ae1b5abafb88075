"""The grammar of ARM paths. ARM compares every part without regard to case."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.arm.errors import ArmError


@dataclass(frozen=True)
class Target:
    """What a path points at.

    ``types`` and ``names`` alternate below the last ``/providers/``; a path that ends with a type
    names a collection (or, with POST, an action). ``scope`` is everything before that provider:
    a subscription, a resource group or, for extension resources, another resource's id.
    """

    path: str
    subscription: str | None
    resource_group: str | None
    scope: str
    namespace: str | None = None
    types: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def is_collection(self) -> bool:
        return len(self.types) > len(self.names)

    @property
    def full_type(self) -> str:
        """The lower-cased type with its namespace: ``microsoft.kubernetes/connectedclusters``."""
        return "/".join((self.namespace or "", *self.types)).lower()

    @property
    def name(self) -> str:
        return self.names[-1]

    @property
    def parent(self) -> Target:
        """The scope, when it is a resource itself."""
        return parse(self.scope)

    def up(self) -> Target:
        """The resource above a nested type: of ``a/1/b/2`` this is ``a/1``."""
        cut = -1 if self.is_collection else -2
        return parse("/".join(self.path.split("/")[:cut]))


def parse(path: str) -> Target:
    """Take a path apart; raises ``ArmError`` for one that ARM has no meaning for."""
    parts = [part for part in path.split("/") if part]
    clean = "/" + "/".join(parts)
    subscription = resource_group = None
    position = 0
    if parts[:1] and parts[0].lower() == "subscriptions" and len(parts) > 1:
        subscription, position = parts[1], 2
        if len(parts) > 3 and parts[2].lower() == "resourcegroups":
            resource_group, position = parts[3], 4
    rest = parts[position:]
    lowered = [part.lower() for part in rest]
    if "providers" not in lowered:
        return _without_provider(clean, parts, subscription, resource_group, rest)
    last = len(lowered) - 1 - lowered[::-1].index("providers")
    scope = "/" + "/".join(parts[: position + last]) if position + last else ""
    tail = rest[last + 1 :]
    if last and lowered[0] != "providers":
        raise _invalid(clean)
    return Target(
        path=clean,
        subscription=subscription,
        resource_group=resource_group,
        scope=scope,
        namespace=tail[0] if tail else None,
        types=tuple(tail[1::2]) if tail else ("providers",),
        names=tuple(tail[2::2]),
    )


def _without_provider(
    path: str,
    parts: list[str],
    subscription: str | None,
    resource_group: str | None,
    rest: list[str],
) -> Target:
    if len(rest) > 1:
        raise _invalid(path)
    if rest:
        return Target(path, subscription, resource_group, path.rsplit("/", 1)[0], None, (rest[0],))
    if resource_group is not None:
        return Target(
            path, subscription, resource_group, path, None, ("resourcegroups",), (resource_group,)
        )
    if subscription is not None:
        return Target(path, subscription, None, path, None, ("subscriptions",), (subscription,))
    raise _invalid(path)


def _invalid(path: str) -> ArmError:
    return ArmError(404, "InvalidRequestUri", f"The request URI '{path}' is invalid.")
