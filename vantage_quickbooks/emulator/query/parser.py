r"""Parses a statement of Intuit's query language.

Theory of operation. QuickBooks parses with a JavaCC grammar, and its error messages list the tokens it expects
(recorded 2015 to 2026). `grammar.lark` accepts exactly those tokens in those places. What Intuit's grammar accepts and
Intuit then refuses (OR, ITERATOR, a second entity) is refused here after parsing. The lexer ignores context, as
JavaCC's does: a keyword is a keyword everywhere, and a word after the entity is its alias.

    statement -> tokens -> Statement (statement.py) -> Plan (sql.py) -> Page (execute.py)

Rules of the language, each with its evidence:

* Keywords, entities, properties and values are case-insensitive (Intuit, "Data queries",
  https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/data-queries).
* Strings are in single quotes. `\'` and `\\` are the only escapes. An empty string, a double quote or any other
  backslash is a lexical error (recorded, irregular_char.yml).
* An unquoted number is accepted after `=` and in `IN`, as documented, and refused after the range operators (live test
  of December 2025, unconfirmed: always quote).
* `!=` is accepted (live tests of python-quickbooks), `&&` is AND and `||` is OR (parse_messages.py).
* STARTPOSITION 0 is 1 (sample code of two of Intuit's SDKs; refused in 2013).
* Id takes only `=` and `IN` and cannot be sorted (notice of November 2025).
* `' '` means null (Intuit, "Data queries").
"""

from __future__ import annotations

import dataclasses
import functools
from importlib import resources
from typing import Any, NoReturn

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedToken, VisitError

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.query import parse_messages
from vantage_quickbooks.emulator.query.statement import Condition, Statement, Value

MAX_RESULTS_LIMIT = 1000
"""Source: https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/data-queries."""


def parse(statement: str) -> Statement:
    """Parse a statement.

    Args:
        statement: In Intuit's query language.

    Raises:
        Fault: 4000 with token, line, column and the expected tokens; 4001 for what Intuit's grammar accepts and Intuit
            then refuses.

    Source: recorded, 2015 and 2016 (minimul irregular_char.yml); the layout of the messages is JavaCC's (TokenMgrError,
    ParseException).
    """
    try:
        tree = _parser().parse(statement)
    except UnexpectedToken as error:
        raise errors.parse_error(parse_messages.unexpected_token(statement, error)) from None
    except UnexpectedCharacters as error:
        raise errors.parse_error(parse_messages.lexical_error(statement, error.pos_in_stream or 0)) from None
    try:
        return _ToStatement().transform(tree)
    except VisitError as error:  # lark wraps what a rule below raises
        raise error.orig_exc from None


@functools.cache
def _parser() -> Lark:
    # "null" is a token of Intuit's and allowed nowhere (recorded, 2017: Encountered " "null" "NULL "").
    def reserve(token: Token) -> Token:
        return Token.new_borrow_pos("NULL", token.value, token) if token.lower() == "null" else token

    return Lark(grammar(), parser="lalr", lexer="basic", lexer_callbacks={"IDENTIFIER": reserve})


def grammar() -> str:
    """Return the grammar's text, in lark's notation."""
    return (resources.files(__package__) / "grammar.lark").read_text("utf-8")


def _refuse_connective(word: str) -> NoReturn:
    # Intuit's grammar has the token, and its documentation excludes the feature; our words.
    raise errors.invalid_query(f"{word} is not supported")


class _ToStatement(Transformer[Token, Statement]):
    """Converts lark's tree to a `Statement`."""

    def __default_token__(self, token: Token) -> Token:
        return token

    @staticmethod
    def _value(token: Token) -> Value:
        if token.type == "STRING":
            inner = token[1:-1]
            return Value("text", inner.replace("\\'", "'").replace("\\\\", "\\") if "\\" in inner else inner)
        if token.type == "NUMBER":
            return Value("number", str(token))
        if token.type == "CURRENT_DATE":
            return Value("today", "CURRENT_DATE")
        return Value("bool", token.lower())

    def everything(self, _: list[Token]) -> dict[str, Any]:
        return {}  # `*, Sku` too, as python-quickbooks selects items (its pull request 379, March 2025)

    def count(self, _: list[Token]) -> dict[str, Any]:
        return {"count": True}

    def fields(self, items: list[Token]) -> dict[str, Any]:
        return {"fields": tuple(str(item) for item in items if item.type == "IDENTIFIER")}

    def context(self, items: list[Token]) -> tuple[str, str | None]:
        names = [str(item) for item in items if item.type == "IDENTIFIER"]
        return names[0], names[1] if len(names) > 1 else None

    def source(self, items: list[Any]) -> dict[str, Any]:
        contexts = [item for item in items if isinstance(item, tuple)]
        if len(contexts) > 1:  # the grammar accepts the comma; the refusal is not recorded: our words
            raise errors.invalid_query(f"invalid context declaration: {contexts[1][0]}")
        return {"entity": contexts[0][0], "alias": contexts[0][1]}

    def compare(self, items: list[Token]) -> Condition:
        return Condition(str(items[0]), items[1].upper(), (self._value(items[2]),))

    def among(self, items: list[Token]) -> Condition:
        values = [item for item in items[2:] if item.type not in ("LPAR", "COMMA", "RPAR")]
        return Condition(str(items[0]), "IN", tuple(map(self._value, values)))

    def connector(self, items: list[Token]) -> Token:
        if items[0].type in ("OR", "DOUBLE_BAR"):
            _refuse_connective("OR")
        return items[0]

    def where(self, items: list[Any]) -> dict[str, Any]:
        return {"where": tuple(item for item in items if isinstance(item, Condition))}

    def key(self, items: list[Token]) -> tuple[str, bool]:
        return str(items[0]), len(items) > 1 and items[1].type == "DESC"

    def order(self, items: list[Any]) -> dict[str, Any]:
        return {"order": tuple(item for item in items if isinstance(item, tuple))}

    @staticmethod
    def _position(token: Token, smallest: int) -> int:
        if "." in token:
            raise errors.invalid_query(f"value {token} is not a whole number")  # our words
        if (value := int(token)) < smallest:
            # Recorded, 2013 (ruckus query_validation_error.xml), when 0 was refused too.
            raise errors.invalid_query(f"value {value} is too small. Min allowed value is 1")
        return value

    def startposition(self, items: list[Token]) -> dict[str, Any]:
        return {"start": self._position(items[1], 0) or 1}

    def maxresults(self, items: list[Token]) -> dict[str, Any]:
        if (value := self._position(items[1], 1)) > MAX_RESULTS_LIMIT:
            # Quoted, January 2014 (github.com/ruckus/quickbooks-ruby/issues/24).
            raise errors.invalid_query(f"value {value} is too large. Max allowed value is {MAX_RESULTS_LIMIT}")
        return {"max_results": value}

    def paging(self, items: list[Any]) -> dict[str, Any]:
        if isinstance(items[0], Token):
            _refuse_connective("ITERATOR")
        return functools.reduce(lambda a, b: a | b, items)

    def start(self, items: list[Any]) -> Statement:
        parts: dict[str, Any] = functools.reduce(lambda a, b: a | b, (i for i in items if isinstance(i, dict)))
        alias = parts.pop("alias")
        statement = Statement(**parts)
        return _without_alias(statement, alias) if alias else statement


def _without_alias(statement: Statement, alias: str) -> Statement:
    """Remove the entity's alias from the properties."""
    head = alias.lower() + "."

    def bare(name: str) -> str:
        return name[len(head) :] if name.lower().startswith(head) else name

    return dataclasses.replace(
        statement,
        fields=tuple(map(bare, statement.fields)),
        where=tuple(dataclasses.replace(c, name=bare(c.name)) for c in statement.where),
        order=tuple((bare(name), desc) for name, desc in statement.order),
    )
