"""What waits for what: order of apply, loops, unknown names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def cycles(dependencies: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Each loop once, as names in order, the first repeated at the end: ["a", "b", "a"].

    A name that depends on itself is not a loop here: it has a rule of its own.
    """
    found: list[list[str]] = []
    finished: set[str] = set()
    for start in dependencies:
        trail: list[str] = []
        # An explicit stack: a chain of thousands must not exhaust Python's.
        stack: list[tuple[str, int]] = [(start, 0)]
        while stack:
            name, place = stack.pop()
            if place == 0:
                if name in finished:
                    continue
                trail.append(name)
            nexts = [it for it in dependencies.get(name, ()) if it in dependencies and it != name]
            if place < len(nexts):
                stack.append((name, place + 1))
                following = nexts[place]
                if following in trail:
                    found.append([*trail[trail.index(following) :], following])
                elif following not in finished:
                    stack.append((following, 0))
            else:
                finished.add(name)
                trail.pop()
    return found


def layers(dependencies: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The order of apply: each layer starts when the one before is ready.

    Unknown names are passed over; what is in a loop, or behind one, comes last in one layer.
    """
    remaining = {
        name: {it for it in wanted if it in dependencies and it != name}
        for name, wanted in dependencies.items()
    }
    result: list[list[str]] = []
    while remaining:
        ready = [name for name, wanted in remaining.items() if not wanted & remaining.keys()]
        if not ready:
            result.append(list(remaining))
            break
        result.append(ready)
        for name in ready:
            del remaining[name]
    return result


def dependents(dependencies: Mapping[str, Sequence[str]], name: str) -> list[str]:
    """Who names `name` as something to wait for."""
    return [other for other, wanted in dependencies.items() if name in wanted]
