r"""The query language: parse a statement, print it, compile it to SQL.

Theory of operation. QuickBooks parses with a JavaCC grammar whose own messages tell what
it expects (recorded 2015 to 2026), so the grammar below accepts exactly the tokens those
lists name, in the places where they name them, and refuses afterwards what Intuit refuses
afterwards (OR, ITERATOR, a second entity). Tokens are cut without looking at the context,
as JavaCC does: a keyword is a keyword everywhere, a word after the entity is its alias.

    statement -> tokens -> Statement (a small tree) -> Plan (SQL with parameters)

Rules of the language, each with its evidence:

* Keywords, entities, properties and values in any case (Intuit, "Data queries").
* Strings in single quotes; `\'` and `\\` are the only escapes; an empty string, a double
  quote, any other backslash is a lexical error (recorded, irregular_char.yml).
* An unquoted number is taken after `=` and in `IN`, as documented, and refused after the
  range operators (live test of December 2025, unconfirmed: quote always).
* Id takes `=` and `IN` alone and cannot be sorted (notice of November 2025).
* `' '` is null (Intuit, "Data queries").
"""

import dataclasses
import functools
from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from typing import Any, NoReturn

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedToken, VisitError

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company.entities import BY_LOWER_NAME, Entity, Property

DEFAULT_MAX_RESULTS = 100  # Intuit, "Data queries"
MAX_RESULTS_LIMIT = 1000  # Intuit, "Data queries"

_GRAMMAR = r"""
start: SELECT selection FROM source where? order? paging?

selection: STAR (COMMA IDENTIFIER)* -> everything
    | COUNT LPAR STAR RPAR -> count
    | IDENTIFIER (COMMA IDENTIFIER)* -> fields
source: context (COMMA context)*
context: IDENTIFIER (AS? IDENTIFIER)?

where: WHERE condition (connector condition)*
connector: AND | OR
condition: IDENTIFIER EQ equal_value -> compare
    | IDENTIFIER (LT | LE | GT | GE) range_value -> compare
    | IDENTIFIER LIKE STRING -> compare
    | IDENTIFIER IN LPAR equal_value (COMMA equal_value)* RPAR -> among
?equal_value: STRING | NUMBER | TRUE | FALSE | CURRENT_DATE
?range_value: STRING | TRUE | FALSE | CURRENT_DATE

order: (ORDERBY | ORDER BY) key (COMMA key)*
key: IDENTIFIER (ASC | DESC)?

paging: startposition maxresults? | maxresults startposition? | ITERATOR
startposition: STARTPOSITION NUMBER
maxresults: MAXRESULTS NUMBER

SELECT: "select"i
FROM: "from"i
WHERE: "where"i
COUNT: "count"i
AND: "and"i
OR: "or"i
IN: "in"i
LIKE: "like"i
AS: "as"i
ORDERBY: "orderby"i
ORDER: "order"i
BY: "by"i
ASC: "asc"i
DESC: "desc"i
STARTPOSITION: "startposition"i
MAXRESULTS: "maxresults"i
ITERATOR: "iterator"i
TRUE: "true"i
FALSE: "false"i
CURRENT_DATE: "current_date"i
STAR: "*"
COMMA: ","
LPAR: "("
RPAR: ")"
EQ: "="
LT: "<"
LE: "<="
GT: ">"
GE: ">="
IDENTIFIER: /[a-z_][a-z0-9_.]*/i
NUMBER: /-?[0-9]+(\.[0-9]+)?/
STRING: /'(\\['\\]|[^'\\])+'/

%ignore /[ \t\r\n\f]+/
"""

# In the order in which JavaCC numbers them, which is how its lists come (recorded). Strings, numbers
# and CURRENT_DATE are never listed: after `=` the list is "false", "true" alone (recorded, 2015).
_IMAGES = {
    "$END": "<EOF>",
    "LPAR": '"("',
    "RPAR": '")"',
    "STAR": '"*"',
    "COMMA": '","',
    "LT": '"<"',
    "LE": '"<="',
    "EQ": '"="',
    "GT": '">"',
    "GE": '">="',
    "AND": "<AND>",
    "AS": '"as"',
    "ASC": '"asc"',
    "BY": '"by"',
    "COUNT": '"count"',
    "DESC": '"desc"',
    "FALSE": '"false"',
    "FROM": '"from"',
    "IN": '"in"',
    "ITERATOR": '"iterator"',
    "LIKE": '"like"',
    "MAXRESULTS": '"maxresults"',
    "OR": "<OR>",
    "ORDER": '"order"',
    "ORDERBY": '"orderby"',
    "SELECT": '"select"',
    "STARTPOSITION": '"startposition"',
    "TRUE": '"true"',
    "WHERE": '"where"',
    "IDENTIFIER": "<IDENTIFIER>",
}
_UNLISTED = {
    "CURRENT_DATE": '"current_date"',
    "NULL": '"null"',
    "NUMBER": "<NUMBER>",
    "STRING": "<STRING>",
}


# ---- the tree ----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """A literal.

    Attributes:
        kind: `text`, `number`, `bool` or `today`.

        text: What it says, without quotes and escapes.
    """

    kind: str
    text: str

    def __str__(self) -> str:
        if self.kind != "text":
            return self.text
        return "'" + self.text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One comparison.

    Attributes:
        name: The property.

        operator: `=`, `<`, `>`, `<=`, `>=`, `LIKE` or `IN`.

        values: One literal, or for IN at least one.
    """

    name: str
    operator: str
    values: tuple[Value, ...]

    def __str__(self) -> str:
        if self.operator == "IN":
            return f"{self.name} IN ({', '.join(map(str, self.values))})"
        return f"{self.name} {self.operator} {self.values[0]}"


@dataclasses.dataclass(frozen=True, slots=True)
class Statement:
    """What was asked. `str()` prints a statement that parses to the same.

    Attributes:
        entity: Its name as written.

        fields: The properties asked for; empty is all.

        count: Asks for the number of records alone.

        where: Conditions that must all hold.

        order: Properties and whether descending.

        start: STARTPOSITION, or None.

        max_results: MAXRESULTS, or None.
    """

    entity: str
    fields: tuple[str, ...] = ()
    count: bool = False
    where: tuple[Condition, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    start: int | None = None
    max_results: int | None = None

    def __str__(self) -> str:
        what = "COUNT(*)" if self.count else ", ".join(self.fields) or "*"
        parts = [f"SELECT {what} FROM {self.entity}"]  # noqa: S608 -- no SQL: Intuit's language
        if self.where:
            parts.append("WHERE " + " AND ".join(map(str, self.where)))
        if self.order:
            parts.append("ORDERBY " + ", ".join(f"{name} DESC" if desc else name for name, desc in self.order))
        if self.start is not None:
            parts.append(f"STARTPOSITION {self.start}")
        if self.max_results is not None:
            parts.append(f"MAXRESULTS {self.max_results}")
        return " ".join(parts)


# ---- parsing -----------------------------------------------------------------------------------


def parse(statement: str) -> Statement:
    r"""
    Parse a statement.

    Args:
        statement: In Intuit's query language.

    Returns:
        Its tree.

    Raises:
        Fault: 4000 with token, line, column and what was expected; 4001 for what Intuit's
            grammar takes and Intuit refuses.

    Source: recorded, 2015 and 2016 (minimul irregular_char.yml); the layout of the messages
    is JavaCC's (TokenMgrError, ParseException).
    """
    try:
        tree = _parser().parse(statement)
    except UnexpectedToken as error:
        raise errors.parse_error(_encountered(statement, error)) from None
    except UnexpectedCharacters as error:
        raise errors.parse_error(_lexical(statement, error.pos_in_stream or 0)) from None
    try:
        return _ToStatement().transform(tree)
    except VisitError as error:  # lark's wrapping of what a rule below raised
        raise error.orig_exc from None


@functools.cache
def _parser() -> Lark:
    # "null" is a token of Intuit's and allowed nowhere (recorded, 2017: Encountered " "null" "NULL "").
    def reserve(token: Token) -> Token:
        return Token.new_borrow_pos("NULL", token.value, token) if token.lower() == "null" else token

    return Lark(_GRAMMAR, parser="lalr", lexer="basic", lexer_callbacks={"IDENTIFIER": reserve})


def _encountered(statement: str, error: UnexpectedToken) -> str:
    """Word a parse error as JavaCC's ParseException does."""
    token = error.token
    accepted = error.accepts or set()
    if token.type == "$END":
        line, column = _end(statement)
        found = "<EOF>"
    else:
        line, column = token.line or 0, token.column or 0
        image = _IMAGES.get(token.type) or _UNLISTED[token.type]
        found = f' {image} "{_escaped(token)} "'
    listed = [image for kind, image in _IMAGES.items() if kind in accepted]
    listed = listed or [image for kind, image in _UNLISTED.items() if kind in accepted]
    expecting = "".join(f"{image} {'' if image == '<EOF>' else '...'}\n    " for image in listed)
    heading = "Was expecting:" if len(listed) == 1 else "Was expecting one of:"
    return f'Encountered "{found}" at line {line}, column {column}.\n{heading}\n    {expecting}'


def _end(statement: str) -> tuple[int, int]:
    """Tell line and column of the last character, which is where JavaCC sees the end."""
    if not statement:
        return 0, 0
    before = statement[:-1]
    return before.count("\n") + 1, len(statement) - (before.rfind("\n") + 1)


def _lexical(statement: str, start: int) -> str:
    """Word a lexical error as JavaCC's TokenMgrError does: at the character where no token can go on."""
    at = start
    if statement[start] == "'":  # the only token that can break off inside: an unfinished or broken string
        at += 1
        while at < len(statement) and statement[at] != "'":
            if statement[at] == "\\":
                at += 1
                if at < len(statement) and statement[at] not in "'\\":
                    break
            at += 1
        at = min(at, len(statement))
    before = statement[:at]
    line, column = before.count("\n") + 1, at - before.rfind("\n")
    after = _escaped(statement[start:at])
    what = "<EOF> " if at == len(statement) else f'"{_escaped(statement[at])}" ({ord(statement[at])}), '
    return f'Invalid content. Lexical error at line {line}, column {column}.  Encountered: {what}after : "{after}"'


def _escaped(text: str) -> str:
    """Escape as JavaCC's addEscapes does."""
    known = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "'": "\\'", "\\": "\\\\"}
    return "".join(known.get(c) or (c if " " <= c <= "~" else f"\\u{ord(c):04x}") for c in text)


def _refuse_connective(word: str) -> NoReturn:
    # Intuit's grammar has the token and the documentation denies the feature; our words.
    raise errors.invalid_query(f"{word} is not supported")


class _ToStatement(Transformer[Token, Statement]):
    """Turn lark's tree into a `Statement`."""

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
        return {}  # `*, Sku` as well: python-quickbooks asks for items so (its pull request 379, March 2025)

    def count(self, _: list[Token]) -> dict[str, Any]:
        return {"count": True}

    def fields(self, items: list[Token]) -> dict[str, Any]:
        return {"fields": tuple(str(item) for item in items if item.type == "IDENTIFIER")}

    def context(self, items: list[Token]) -> tuple[str, str | None]:
        names = [str(item) for item in items if item.type == "IDENTIFIER"]
        return names[0], names[1] if len(names) > 1 else None

    def source(self, items: list[Any]) -> dict[str, Any]:
        contexts = [item for item in items if isinstance(item, tuple)]
        if len(contexts) > 1:  # the grammar's list shows the comma; what comes of it is not recorded: our words
            raise errors.invalid_query(f"invalid context declaration: {contexts[1][0]}")
        return {"entity": contexts[0][0], "alias": contexts[0][1]}

    def compare(self, items: list[Token]) -> Condition:
        return Condition(str(items[0]), items[1].upper(), (self._value(items[2]),))

    def among(self, items: list[Token]) -> Condition:
        values = [item for item in items[2:] if item.type not in ("LPAR", "COMMA", "RPAR")]
        return Condition(str(items[0]), "IN", tuple(map(self._value, values)))

    def connector(self, items: list[Token]) -> Token:
        if items[0].type == "OR":
            _refuse_connective("OR")
        return items[0]

    def where(self, items: list[Any]) -> dict[str, Any]:
        return {"where": tuple(item for item in items if isinstance(item, Condition))}

    def key(self, items: list[Token]) -> tuple[str, bool]:
        return str(items[0]), len(items) > 1 and items[1].type == "DESC"

    def order(self, items: list[Any]) -> dict[str, Any]:
        return {"order": tuple(item for item in items if isinstance(item, tuple))}

    @staticmethod
    def _position(token: Token) -> int:
        if "." in token:
            raise errors.invalid_query(f"value {token} is not a whole number")  # our words
        if (value := int(token)) < 1:
            # Recorded, 2013 (ruckus query_validation_error.xml).
            raise errors.invalid_query(f"value {value} is too small. Min allowed value is 1")
        return value

    def startposition(self, items: list[Token]) -> dict[str, Any]:
        return {"start": self._position(items[1])}

    def maxresults(self, items: list[Token]) -> dict[str, Any]:
        if (value := self._position(items[1])) > MAX_RESULTS_LIMIT:
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
    """Take `alias.` off the properties, so that the rest never sees it."""
    head = alias.lower() + "."

    def bare(name: str) -> str:
        return name[len(head) :] if name.lower().startswith(head) else name

    return dataclasses.replace(
        statement,
        fields=tuple(map(bare, statement.fields)),
        where=tuple(dataclasses.replace(c, name=bare(c.name)) for c in statement.where),
        order=tuple((bare(name), desc) for name, desc in statement.order),
    )


# ---- compiling ---------------------------------------------------------------------------------

# Properties that have a column of their own in `record`; all others are dug out of the JSON text.
_COLUMNS = {
    "Id": "r.id",
    "MetaData.CreateTime": "r.created",
    "MetaData.LastUpdatedTime": "r.updated",
    "Active": "r.active",
    "TxnDate": "r.txn_date",
    "DueDate": "r.due_date",
    "DocNumber": "r.doc_number",
    "Balance": "r.balance",
    "TotalAmt": "r.total",
    "CustomerRef": "r.customer",
}
_INNER = {"ref": ".value", "address": ".Address"}


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What SQLite is to do.

    Attributes:
        entity: What is asked for.

        where: SQL conditions over `record r` and `body b`.

        parameters: Their values.

        order: SQL sort keys.

        needs_body: Whether `body b` must be joined.

        offset: Records to pass over.

        limit: Records to return at most.

        fields: Properties asked for, as Intuit spells them; empty is all.

        count: Asks for the number of records alone.
    """

    entity: Entity
    where: str
    parameters: tuple[Any, ...]
    order: str
    needs_body: bool
    offset: int
    limit: int
    fields: tuple[str, ...]
    count: bool


def compile_statement(statement: Statement, *, today: date, zone: tzinfo) -> Plan:
    """
    Check a statement against what QuickBooks allows, and plan it.

    Args:
        statement: As parsed.

        today: The company's date, for CURRENT_DATE.

        zone: The company's zone, in which times without an offset are read.

    Returns:
        The plan.

    Raises:
        Fault: 4001, with Intuit's wording where it is recorded.
    """
    entity = BY_LOWER_NAME.get(statement.entity.lower())
    if entity is None or "Q" not in entity.operations:
        raise errors.invalid_query(f"invalid context declaration: {statement.entity}")
    sql = _Expressions(entity)
    clauses: list[str] = []
    parameters: list[Any] = []
    for condition in statement.where:
        prop = _property(entity, condition.name)
        if not prop.filterable:
            raise errors.invalid_query(f"property '{condition.name}' is not queryable")
        clause, values = _clause(sql.of(prop), prop, condition, today, zone)
        clauses.append(clause)
        parameters += values
    if entity.lists_names and not any(c.name.lower() == "active" for c in statement.where):
        clauses.append("r.active = 1")  # Intuit, "Data queries": inactive ones only when WHERE names Active
    return Plan(
        entity=entity,
        where=" AND ".join(clauses),
        parameters=tuple(parameters),
        order=_order(statement, entity, sql),
        needs_body=sql.needs_body,
        offset=(statement.start or 1) - 1,
        limit=statement.max_results or DEFAULT_MAX_RESULTS,
        fields=tuple(_property(entity, name).name for name in statement.fields),
        count=statement.count,
    )


class _Expressions:
    """Writes properties as SQL, and remembers whether that takes the JSON text."""

    def __init__(self, entity: Entity) -> None:
        self._entity = entity
        self.needs_body = False

    def of(self, prop: Property) -> str:
        if prop.name in _COLUMNS:
            return _COLUMNS[prop.name]
        if self._entity.lists_names and prop.name == self._entity.naming:
            return "r.name"
        self.needs_body = True
        # Of an attachment's links the first is asked; QuickBooks keeps one record for each.
        path = prop.name.replace("AttachableRef.", "AttachableRef[0].")
        return f"json_extract(b.body, '$.{path}{_INNER.get(prop.type, '')}')"


def _order(statement: Statement, entity: Entity, sql: _Expressions) -> str:
    keys = []
    for name, descending in statement.order:
        prop = _property(entity, name)
        if not prop.sortable:
            raise errors.invalid_query(f"property '{name}' is not sortable")  # our words
        keys.append(f"{sql.of(prop)}{' DESC' if descending else ''}")
    if keys:
        return ", ".join(keys)
    if entity.lists_names:
        return "r.sort_name, r.row"  # byte order (recorded: `PG&E` before `Pam Seitz`)
    return "r.updated DESC, r.row DESC"  # recorded, 2015 to 2026, of every transaction list


def _property(entity: Entity, name: str) -> Property:
    prop = entity.find(name)
    if prop is None:
        # Recorded, September 2026 (400-4001-unknown-property).
        raise errors.invalid_query(f"Property {name} not found for Entity {entity.name}")
    return prop


def _clause(expression: str, prop: Property, condition: Condition, today: date, zone: tzinfo) -> tuple[str, list[Any]]:
    """Compile one condition."""
    operator = condition.operator
    exact = prop.type in ("id", "bool", "ref", "address")
    if exact and operator not in ("=", "IN") and not (prop.type == "address" and operator == "LIKE"):
        # Documented for Id; no wording is recorded: our words.
        raise errors.invalid_query(f"operator {operator} is not supported for property '{condition.name}'")
    if operator == "LIKE":
        return _like(expression, prop, condition)
    values = [_bind(value, prop, condition, today, zone) for value in condition.values]
    textual = prop.type in ("text", "address")
    if textual and not all(value is None or value.isascii() for value in values):
        # SQLite's NOCASE folds ASCII alone; the slower function is paid only by those who need it.
        expression, values = f"fold({expression})", [value and value.casefold() for value in values]
    elif textual:
        expression += " COLLATE NOCASE"
    if operator == "IN":
        return f"{expression} IN ({', '.join('?' * len(values))})", values
    if values[0] is None:
        if operator != "=":
            raise errors.invalid_query(f"operator {operator} is not supported for null")  # our words
        return f"{expression} IS NULL", []
    return f"{expression} {operator} ?", values


def _like(expression: str, prop: Property, condition: Condition) -> tuple[str, list[Any]]:
    """Compile LIKE, whose only wildcard is the percent sign."""
    if prop.type not in ("text", "address", "date"):
        raise errors.invalid_query(f"operator LIKE is not supported for property '{condition.name}'")  # our words
    pattern = condition.values[0].text.replace("\\", "\\\\").replace("_", "\\_")
    if not pattern.isascii():
        expression, pattern = f"fold({expression})", pattern.casefold()
    return f"{expression} LIKE ? ESCAPE '\\'", [pattern]


def _bind(value: Value, prop: Property, condition: Condition, today: date, zone: tzinfo) -> Any:
    """Turn a literal into what the column holds."""
    if value.kind == "text" and value.text == " ":
        return None
    text = today.isoformat() if value.kind == "today" else value.text
    try:
        return _CONVERT[prop.type](text, zone)
    except (ValueError, OverflowError):
        # No wording is recorded: our words.
        raise errors.invalid_query(f"invalid value '{text}' for property '{condition.name}'") from None


def _instant(text: str, zone: tzinfo) -> float:
    """Read a time as an instant; a bare date is the company's midnight."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC).timestamp()


def _flag(text: str, _: tzinfo) -> int:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return int(text.lower() == "true")


def _number(text: str, _: tzinfo) -> float:
    number = float(text)
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124 -- NaN is unequal to itself
        raise ValueError(text)
    return number


_CONVERT: dict[str, Callable[[str, tzinfo], Any]] = {
    "id": lambda text, _: text,
    "text": lambda text, _: text,
    "address": lambda text, _: text,
    "ref": lambda text, _: text,
    "number": _number,
    "bool": _flag,
    "date": lambda text, _: datetime.fromisoformat(text).date().isoformat(),
    "time": _instant,
}
