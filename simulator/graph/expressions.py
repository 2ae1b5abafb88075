"""Expressions, compiled into functions of a row."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator.graph import values
from simulator.graph.functions import Scalar
from simulator.graph.tokens import QueryError, Token

Row = dict[str, Any]
Evaluate = Callable[[Row], Any]

# Conversions leave the name of what they convert: tostring(properties.x) is properties_x.
_TRANSPARENT = {"tostring", "toint", "tolong", "todatetime", "tobool", "todouble", "bin"}


@dataclass(frozen=True)
class Expression:
    """A compiled expression, and the column name it has when none is given."""

    evaluate: Evaluate
    name: str = ""


def _text(value: Any) -> str:
    return values.as_text(value).lower()


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": values.equal,
    "!=": lambda a, b: not values.equal(a, b),
    "<>": lambda a, b: not values.equal(a, b),
    "=~": values.same_text,
    "!~": lambda a, b: not values.same_text(a, b),
    "<": values.compared(operator.lt),
    "<=": values.compared(operator.le),
    ">": values.compared(operator.gt),
    ">=": values.compared(operator.ge),
    "contains": lambda a, b: _text(b) in _text(a),
    "!contains": lambda a, b: _text(b) not in _text(a),
    "contains_cs": lambda a, b: values.as_text(b) in values.as_text(a),
    "has": values.has_term,
    "!has": lambda a, b: not values.has_term(a, b),
    "has_cs": lambda a, b: values.has_term(a, b, case=True),
    "startswith": lambda a, b: _text(a).startswith(_text(b)),
    "!startswith": lambda a, b: not _text(a).startswith(_text(b)),
    "endswith": lambda a, b: _text(a).endswith(_text(b)),
    "!endswith": lambda a, b: not _text(a).endswith(_text(b)),
}
_MEMBERSHIPS = ("in", "!in", "in~", "!in~", "has_any", "has_all")
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
}


class ExpressionParser:
    """Reads expressions from a token stream. ``columns`` are those of the rows at this point."""

    def __init__(self, tokens: list[Token], scalars: dict[str, Scalar]) -> None:
        self._tokens = tokens
        self._position = 0
        self._scalars = scalars
        self.columns: list[str] = []

    # -- the stream

    @property
    def token(self) -> Token:
        return self._tokens[self._position]

    def take(self) -> Token:
        token = self.token
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token

    def accept(self, text: str) -> bool:
        if self.token.kind in ("symbol", "name") and self.token.text == text:
            self._position += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise self.error(f"'{text}' is expected")

    def take_name(self) -> str:
        if self.token.kind != "name":
            raise self.error("a name is expected")
        return self.take().text

    def peek(self, ahead: int = 1) -> Token:
        return self._tokens[min(self._position + ahead, len(self._tokens) - 1)]

    def error(self, reason: str) -> QueryError:
        return QueryError(
            f"Syntax error at position {self.token.position} near '{self.token.text}': {reason}."
        )

    # -- expressions by precedence

    def expression(self) -> Expression:
        left = self._conjunction()
        while self.accept("or"):
            left = _either(left.evaluate, self._conjunction().evaluate)
        return left

    def _conjunction(self) -> Expression:
        left = self._comparison()
        while self.accept("and"):
            left = _both(left.evaluate, self._comparison().evaluate)
        return left

    def _comparison(self) -> Expression:
        left = self._sum()
        word = self.token.text if self.token.kind in ("symbol", "name") else ""
        if word in _COMPARISONS:
            self.take()
            compare = _COMPARISONS[word]
            first, second = left.evaluate, self._sum().evaluate
            return Expression(lambda row: compare(first(row), second(row)))
        if word in _MEMBERSHIPS:
            self.take()
            return self._membership(word, left.evaluate)
        if word == "matches":
            self.take()
            self.expect("regex")
            return _matches(left.evaluate, self._sum().evaluate)
        if word in ("between", "!between"):
            self.take()
            return self._between(word, left.evaluate)
        return left

    def _membership(self, word: str, subject: Evaluate) -> Expression:
        items = [item.evaluate for item in self.arguments()]
        test = _membership_test(word)
        return Expression(lambda row: test(subject(row), _flattened(items, row)))

    def _between(self, word: str, subject: Evaluate) -> Expression:
        self.expect("(")
        low = self._sum().evaluate
        self.expect("..")
        high = self._sum().evaluate
        self.expect(")")
        at_most = _COMPARISONS["<="]
        wanted = word == "between"

        def test(row: Row) -> bool:
            value = subject(row)
            return (at_most(low(row), value) and at_most(value, high(row))) is wanted

        return Expression(test)

    def _sum(self) -> Expression:
        left = self._product()
        while self.token.kind == "symbol" and self.token.text in ("+", "-"):
            sign = self.take().text
            left = _calculated(sign, left.evaluate, self._product().evaluate)
        return left

    def _product(self) -> Expression:
        left = self._unary()
        while self.token.kind == "symbol" and self.token.text in ("*", "/", "%"):
            sign = self.take().text
            left = _calculated(sign, left.evaluate, self._unary().evaluate)
        return left

    def _unary(self) -> Expression:
        if self.accept("-"):
            inner = self._unary().evaluate
            return Expression(lambda row: -inner(row))
        return self._postfix(self._primary())

    def _postfix(self, base: Expression) -> Expression:
        while True:
            if self.token.text == "." and self.token.kind == "symbol":
                self.take()
                name = self.take_name()
                base = Expression(_member(base.evaluate, name), f"{base.name}_{name}")
            elif self.accept("["):
                index = self.expression()
                self.expect("]")
                base = Expression(_item(base.evaluate, index.evaluate), f"{base.name}_")
            else:
                return base

    def _primary(self) -> Expression:
        token = self.token
        if token.kind in ("string", "number", "timespan"):
            self.take()
            value = token.value
            return Expression(lambda row: value)
        if self.accept("("):
            inner = self.expression()
            self.expect(")")
            return inner
        if token.kind != "name":
            raise self.error("an expression is expected")
        if self.peek().text == "(" and self.peek().kind == "symbol":
            return self._call()
        self.take()
        if token.text in ("true", "false"):
            flag = token.text == "true"
            return Expression(lambda row: flag)
        if token.text == "null":
            return Expression(lambda row: None)
        return self.column(token.text)

    def column(self, name: str) -> Expression:
        if name not in self.columns:
            raise QueryError(
                f"Failed to resolve column or scalar expression named '{name}'. "
                "(Column names are case-sensitive.)"
            )
        return Expression(operator.itemgetter(name), name)

    def _call(self) -> Expression:
        name = self.take_name()
        if name in ("dynamic", "datetime") and self.peek().kind != "string":
            return self._literal(name)
        function = self._scalars.get(name.lower())
        if function is None:
            raise QueryError(f"Unknown function: '{name}'.")
        arguments = self.arguments()
        evaluates = tuple(argument.evaluate for argument in arguments)
        hint = arguments[0].name if arguments and name.lower() in _TRANSPARENT else ""
        return Expression(_called(name, function, evaluates), hint)

    def _literal(self, name: str) -> Expression:
        """``dynamic([...])`` and ``datetime(2024-01-01)``, whose content is no expression."""
        self.expect("(")
        parts = []
        depth = 1
        while depth:
            token = self.take()
            if token.kind == "end":
                raise self.error("')' is expected")
            depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "symbol" else 0
            if depth:
                parts.append(f'"{token.value}"' if token.kind == "string" else token.text)
        text = "".join(parts)
        value = values.as_dynamic(text) if name == "dynamic" else values.as_moment(text)
        return Expression(lambda row: value)

    def arguments(self) -> list[Expression]:
        self.expect("(")
        found: list[Expression] = []
        while not self.accept(")"):
            if found:
                self.expect(",")
            found.append(self.expression())
        return found


def _both(left: Evaluate, right: Evaluate) -> Expression:
    return Expression(lambda row: bool(left(row) and right(row)))


def _either(left: Evaluate, right: Evaluate) -> Expression:
    return Expression(lambda row: bool(left(row) or right(row)))


def _calculated(sign: str, left: Evaluate, right: Evaluate) -> Expression:
    calculate = _ARITHMETIC[sign]

    def evaluate(row: Row) -> Any:
        first, second = left(row), right(row)
        if first is None or second is None:
            return None
        try:
            return calculate(first, second)
        except (TypeError, ZeroDivisionError):
            return None

    return Expression(evaluate)


def _matches(subject: Evaluate, pattern: Evaluate) -> Expression:
    def evaluate(row: Row) -> bool:
        return re.search(values.as_text(pattern(row)), values.as_text(subject(row))) is not None

    return Expression(evaluate)


def _member(base: Evaluate, name: str) -> Evaluate:
    def evaluate(row: Row) -> Any:
        value = base(row)
        return value.get(name) if isinstance(value, dict) else None

    return evaluate


def _item(base: Evaluate, index: Evaluate) -> Evaluate:
    def evaluate(row: Row) -> Any:
        value, key = base(row), index(row)
        if isinstance(value, dict):
            return value.get(key)
        if isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
            return value[key]
        return None

    return evaluate


def _called(name: str, function: Scalar, arguments: tuple[Evaluate, ...]) -> Evaluate:
    def evaluate(row: Row) -> Any:
        try:
            return function(*[argument(row) for argument in arguments])
        except (TypeError, ValueError, AttributeError, ArithmeticError, re.error) as error:
            raise QueryError(f"{name}(): {error}") from error

    return evaluate


def _flattened(items: list[Evaluate], row: Row) -> list[Any]:
    found = [item(row) for item in items]
    return found[0] if len(found) == 1 and isinstance(found[0], list) else found


def _membership_test(word: str) -> Callable[[Any, list[Any]], bool]:
    match word:
        case "in":
            return lambda value, items: any(values.equal(value, item) for item in items)
        case "!in":
            return lambda value, items: not any(values.equal(value, item) for item in items)
        case "in~":
            return lambda value, items: any(values.same_text(value, item) for item in items)
        case "!in~":
            return lambda value, items: not any(values.same_text(value, item) for item in items)
        case "has_any":
            return lambda value, items: any(values.has_term(value, item) for item in items)
    return lambda value, items: all(values.has_term(value, item) for item in items)
