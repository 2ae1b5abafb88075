"""The summarize operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator.graph import values
from simulator.graph.expressions import Evaluate, ExpressionParser, Row
from simulator.graph.functions import AGGREGATES
from simulator.graph.tokens import QueryError

Reduce = Callable[[list[Row]], Row]


@dataclass(frozen=True)
class Summary:
    """Groups rows by some values and reduces each group to one row."""

    groups: list[tuple[str, Evaluate]]
    reductions: list[tuple[list[str], Reduce]]

    @property
    def columns(self) -> list[str]:
        reduced = [name for names, _ in self.reductions for name in names]
        return [*(name for name, _ in self.groups), *reduced]

    def apply(self, rows: list[Row]) -> list[Row]:
        if not self.groups:
            return [self._reduced({}, rows)]
        found: dict[tuple[Any, ...], tuple[Row, list[Row]]] = {}
        for row in rows:
            head = {name: evaluate(row) for name, evaluate in self.groups}
            key = tuple(values.hashable(value) for value in head.values())
            found.setdefault(key, (head, []))[1].append(row)
        return [self._reduced(head, members) for head, members in found.values()]

    def _reduced(self, head: Row, rows: list[Row]) -> Row:
        result = dict(head)
        for _, reduce in self.reductions:
            result.update(reduce(rows))
        return result


def read_summary(at: ExpressionParser) -> Summary:
    """Read ``[name =] aggregate(...), ... [by [name =] expression, ...]``."""
    reductions: list[tuple[list[str], Reduce]] = []
    while at.token.text != "by" and at.token.kind == "name":
        reductions.append(_reduction(at))
        if not at.accept(","):
            break
    groups: list[tuple[str, Evaluate]] = []
    if at.accept("by"):
        while True:
            groups.append(_group(at, len(groups)))
            if not at.accept(","):
                break
    return Summary(groups, reductions)


def _given_name(at: ExpressionParser) -> str:
    if at.peek().text == "=" and at.peek().kind == "symbol":
        name = at.take_name()
        at.expect("=")
        return name
    return ""


def _group(at: ExpressionParser, number: int) -> tuple[str, Evaluate]:
    name = _given_name(at)
    expression = at.expression()
    return name or expression.name or f"Column{number + 1}", expression.evaluate


def _reduction(at: ExpressionParser) -> tuple[list[str], Reduce]:
    name = _given_name(at)
    function = at.take_name().lower()
    if function in ("arg_max", "arg_min"):
        return _extreme(at, function)
    arguments = at.arguments()
    hint = arguments[0].name if arguments else ""
    evaluate = arguments[0].evaluate if arguments else None
    column = name or f"{function}_{hint}"
    if function == "count":
        return [column], lambda rows: {column: len(rows)}
    if evaluate is None:
        raise QueryError(f"{function}() needs an argument.")
    value = evaluate
    if function == "countif":
        return [column], lambda rows: {column: sum(1 for row in rows if value(row))}
    if function in ("sumif", "dcountif") and len(arguments) == 2:
        test = arguments[1].evaluate
        reduce = AGGREGATES[function.removesuffix("if")]
        return [column], lambda rows: {column: reduce([value(r) for r in rows if test(r)])}
    if function not in AGGREGATES:
        raise QueryError(f"Unknown aggregate: '{function}'.")
    reduce_all = AGGREGATES[function]
    return [column], lambda rows: {column: reduce_all([value(row) for row in rows])}


def _extreme(at: ExpressionParser, function: str) -> tuple[list[str], Reduce]:
    """``arg_max(value, *)`` or ``arg_max(value, column, ...)``: the row with the extreme value."""
    at.expect("(")
    subject = at.expression()
    columns: list[str] = []
    while at.accept(","):
        columns += list(at.columns) if at.accept("*") else [at.take_name()]
    at.expect(")")
    key_name = subject.name or "value"
    choose = max if function == "arg_max" else min

    def reduce(rows: list[Row]) -> Row:
        chosen = choose(rows, key=lambda row: values.sort_key(subject.evaluate(row)))
        kept = {name: chosen[name] for name in columns}
        return {key_name: subject.evaluate(chosen), **kept}

    return [key_name, *(name for name in columns if name != key_name)], reduce
