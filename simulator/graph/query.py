"""A whole query: a table and the operators that its rows go through."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator.graph import values
from simulator.graph.aggregates import read_summary
from simulator.graph.expressions import Evaluate, Expression, ExpressionParser, Row
from simulator.graph.functions import Scalar
from simulator.graph.joins import joined
from simulator.graph.tokens import QueryError, tokenise

Stage = Callable[[list[Row]], list[Row]]
Source = Callable[[str], list[Row] | None]

COLUMNS = (
    "id",
    "name",
    "type",
    "tenantId",
    "kind",
    "location",
    "resourceGroup",
    "subscriptionId",
    "managedBy",
    "sku",
    "plan",
    "properties",
    "tags",
    "identity",
    "zones",
    "extendedLocation",
    "systemData",
)
_OPERATORS = {
    "where": "_where",
    "filter": "_where",
    "project": "_project",
    "project-away": "_project_away",
    "project-keep": "_project_keep",
    "project-rename": "_project_rename",
    "extend": "_extend",
    "parse": "_parse",
    "order": "_order",
    "sort": "_order",
    "summarize": "_summarize",
    "distinct": "_distinct",
    "limit": "_limit",
    "take": "_limit",
    "top": "_top",
    "count": "_count",
    "mv-expand": "_mv_expand",
    "mvexpand": "_mv_expand",
    "join": "_join",
}


@dataclass
class Query:
    """A compiled query. ``is_cut`` tells that it limits its rows itself."""

    table: str
    stages: list[Stage] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    is_cut: bool = False

    def run(self, source: Source) -> list[Row]:
        rows = source(self.table)
        if rows is None:
            raise QueryError(f"'{self.table}' is not a table of Resource Graph.")
        try:
            for stage in self.stages:
                rows = stage(rows)
        except (TypeError, ValueError, ArithmeticError, re.error) as error:
            raise QueryError(f"The values do not fit the operator: {error}.") from error
        return rows


def compile_query(text: str, scalars: dict[str, Scalar], source: Source) -> Query:
    """Compile a query; raises ``QueryError``. Joined tables are read through ``source``."""
    parser = QueryParser(ExpressionParser(tokenise(text), scalars), source)
    query = parser.query()
    if parser.at.token.kind != "end":
        raise parser.at.error("'|' or the end is expected")
    return query


class QueryParser:
    def __init__(self, at: ExpressionParser, source: Source) -> None:
        self.at = at
        self._source = source

    def query(self) -> Query:
        at = self.at
        # Without a table the query starts with an operator and reads "resources".
        table = "resources" if at.token.text in _OPERATORS else at.take_name()
        query = Query(table)
        at.columns = list(COLUMNS)
        if at.token.text in _OPERATORS:
            self._operator(query)
        while at.accept("|"):
            self._operator(query)
        query.columns = at.columns
        return query

    def _operator(self, query: Query) -> None:
        name = self.at.take().text
        method = _OPERATORS.get(name)
        if method is None:
            raise QueryError(f"The operator '{name}' is not supported.")
        getattr(self, method)(query)

    # -- operators

    def _where(self, query: Query) -> None:
        test = self.at.expression().evaluate
        query.stages.append(lambda rows: [row for row in rows if test(row)])

    def _project(self, query: Query) -> None:
        items = self._named_list()
        self.at.columns = [name for name, _ in items]
        query.stages.append(
            lambda rows: [{name: evaluate(row) for name, evaluate in items} for row in rows]
        )

    def _extend(self, query: Query) -> None:
        items = self._named_list()
        known = self.at.columns
        self.at.columns = known + [name for name, _ in items if name not in known]

        def stage(rows: list[Row]) -> list[Row]:
            return [{**row, **{name: evaluate(row) for name, evaluate in items}} for row in rows]

        query.stages.append(stage)

    def _project_away(self, query: Query) -> None:
        patterns = self._patterns()
        self._keep(query, [c for c in self.at.columns if not _matches_any(c, patterns)])

    def _project_keep(self, query: Query) -> None:
        patterns = self._patterns()
        self._keep(query, [c for c in self.at.columns if _matches_any(c, patterns)])

    def _keep(self, query: Query, kept: list[str]) -> None:
        self.at.columns = kept
        query.stages.append(lambda rows: [{name: row[name] for name in kept} for row in rows])

    def _project_rename(self, query: Query) -> None:
        renamed: dict[str, str] = {}
        while True:
            new = self.at.take_name()
            self.at.expect("=")
            old = self.at.take_name()
            self.at.column(old)
            renamed[old] = new
            if not self.at.accept(","):
                break
        self.at.columns = [renamed.get(name, name) for name in self.at.columns]
        query.stages.append(
            lambda rows: [{renamed.get(k, k): v for k, v in row.items()} for row in rows]
        )

    def _parse(self, query: Query) -> None:
        if self.at.accept("kind"):
            self.at.expect("=")
            self.at.take_name()
        subject = self.at.expression().evaluate
        self.at.expect("with")
        pattern, names = self._parse_pattern()
        known = self.at.columns
        self.at.columns = known + [name for name in names if name not in known]

        def stage(rows: list[Row]) -> list[Row]:
            parsed = []
            for row in rows:
                match = pattern.fullmatch(values.as_text(subject(row)))
                found = match.groups() if match else ("",) * len(names)
                parsed.append({**row, **dict(zip(names, found, strict=True))})
            return parsed

        query.stages.append(stage)

    def _parse_pattern(self) -> tuple[re.Pattern[str], list[str]]:
        """``* "text" name "text" *``: names take as little as they can, case counts."""
        parts: list[str] = []
        names: list[str] = []
        while True:
            token = self.at.token
            if token.kind == "string":
                parts.append(re.escape(token.value))
            elif token.kind == "name":
                names.append(token.text)
                parts.append("(.*?)")
            elif token.text == "*":
                parts.append(".*?")
            else:
                break
            self.at.take()
            if self.at.token.text == ":" and token.kind == "name":
                self.at.take()
                self.at.take_name()
        return re.compile("".join(parts), re.DOTALL), names

    def _order(self, query: Query) -> None:
        self.at.expect("by")
        keys = self._sort_keys()
        query.stages.append(lambda rows: _sorted(rows, keys))

    def _sort_keys(self) -> list[tuple[Evaluate, bool]]:
        keys = []
        while True:
            evaluate = self.at.expression().evaluate
            ascending = self.at.accept("asc")
            if not ascending:
                self.at.accept("desc")
            if self.at.accept("nulls") and not self.at.accept("first"):
                self.at.expect("last")
            keys.append((evaluate, ascending))
            if not self.at.accept(","):
                return keys

    def _summarize(self, query: Query) -> None:
        summary = read_summary(self.at)
        self.at.columns = summary.columns
        query.stages.append(summary.apply)

    def _distinct(self, query: Query) -> None:
        if self.at.accept("*"):
            items = [(name, self.at.column(name).evaluate) for name in self.at.columns]
        else:
            items = self._named_list()
        self.at.columns = [name for name, _ in items]

        def stage(rows: list[Row]) -> list[Row]:
            seen: dict[tuple[Any, ...], Row] = {}
            for row in rows:
                found = {name: evaluate(row) for name, evaluate in items}
                seen.setdefault(tuple(values.hashable(v) for v in found.values()), found)
            return list(seen.values())

        query.stages.append(stage)

    def _limit(self, query: Query) -> None:
        count = self._number()
        query.is_cut = True
        query.stages.append(lambda rows: rows[:count])

    def _top(self, query: Query) -> None:
        count = self._number()
        self.at.expect("by")
        keys = self._sort_keys()
        query.is_cut = True
        query.stages.append(lambda rows: _sorted(rows, keys)[:count])

    def _count(self, query: Query) -> None:
        self.at.columns = ["Count"]
        query.stages.append(lambda rows: [{"Count": len(rows)}])

    def _mv_expand(self, query: Query) -> None:
        name, evaluate = self._named()
        if self.at.accept("to"):
            self.at.expect("typeof")
            self.at.expect("(")
            self.at.take_name()
            self.at.expect(")")
        if name not in self.at.columns:
            self.at.columns = [*self.at.columns, name]

        def stage(rows: list[Row]) -> list[Row]:
            expanded: list[Row] = []
            for row in rows:
                value = evaluate(row)
                if isinstance(value, dict):
                    expanded += [{**row, name: {key: item}} for key, item in value.items()]
                elif isinstance(value, list):
                    expanded += [{**row, name: item} for item in value]
                elif value is not None:
                    expanded.append({**row, name: value})
            return expanded

        query.stages.append(stage)

    def _join(self, query: Query) -> None:
        at = self.at
        kind = "innerunique"
        if at.accept("kind"):
            at.expect("=")
            kind = at.take_name()
        left_columns = at.columns
        at.expect("(")
        right = QueryParser(at, self._source).query()
        at.expect(")")
        at.expect("on")
        pairs = self._join_pairs()
        stage, at.columns = joined(kind, left_columns, right.columns, pairs)
        source = self._source
        query.stages.append(lambda rows: stage(rows, right.run(source)))

    def _join_pairs(self) -> list[tuple[str, str]]:
        pairs = []
        while True:
            first = self.at.take()
            if first.text == "$left":
                self.at.expect(".")
                left = self.at.take_name()
                self.at.expect("==")
                self.at.take()
                self.at.expect(".")
                pairs.append((left, self.at.take_name()))
            else:
                pairs.append((first.text, first.text))
            if not self.at.accept(","):
                return pairs

    # -- parts of operators

    def _named_list(self) -> list[tuple[str, Evaluate]]:
        items: dict[str, Evaluate] = {}
        unnamed = 0
        while True:
            name, evaluate = self._named()
            if not name:
                unnamed += 1
                name = f"Column{unnamed}"
            items[name] = evaluate
            if not self.at.accept(","):
                return list(items.items())

    def _named(self) -> tuple[str, Evaluate]:
        at = self.at
        if at.token.kind == "name" and at.peek().text == "=" and at.peek().kind == "symbol":
            name = at.take_name()
            at.expect("=")
            return name, at.expression().evaluate
        expression: Expression = at.expression()
        return expression.name, expression.evaluate

    def _patterns(self) -> list[str]:
        patterns = []
        while True:
            text = ""
            while self.at.token.kind == "name" or self.at.token.text == "*":
                text += self.at.take().text
            patterns.append(text)
            if not self.at.accept(","):
                return patterns

    def _number(self) -> int:
        token = self.at.take()
        if token.kind != "number":
            raise self.at.error("a number is expected")
        return int(token.value)


def _matches_any(column: str, patterns: list[str]) -> bool:
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), column) for pattern in patterns
    )


def _sorted(rows: list[Row], keys: list[tuple[Evaluate, bool]]) -> list[Row]:
    """Sort by several keys. Nulls come first ascending and last descending."""
    for evaluate, ascending in reversed(keys):
        rows = sorted(
            rows,
            key=lambda row, evaluate=evaluate: values.sort_key(evaluate(row)),  # type: ignore[misc]
            reverse=not ascending,
        )
    return rows
