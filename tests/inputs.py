"""Inputs of actions and settings, valid and invalid: JSON values as forms and programs send them."""

from __future__ import annotations

import functools

from hypothesis import strategies as st

from vantage_quickbooks.config.schema_files import load_schema

BLANKS = st.sampled_from(["", "", " ", "\t", "\n", "\u00a0", "\u200b", "\ufeff"])
DATES = st.dates().map(str) | st.from_regex(r"(19|20|00)[0-9]{2}-[0-3][0-9]-[0-3][0-9]", fullmatch=True)
TIMES = st.builds(
    "{}T{}{}".format,
    DATES,
    st.sampled_from(["08:30:00", "24:00:00", "08:30", "23:59:59.5"]),
    st.sampled_from(["", "Z", "+14:00", "-07:00", "+25:00"]),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 1002)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "50", "1000", "1001", "+5", "007", "50.0", "1e2", "true", "FALSE", "yes", "Amy%", "a\tb"])
    | st.text(max_size=8)
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
)


def values(rules):
    """Return values for one property: often valid in a spelling that forms use, often almost valid."""
    choices = [choice for choice in rules.get("enum") or rules.get("items", {}).get("enum", ()) if choice]
    near = [SCALARS, DATES, TIMES, JSON]
    if choices:
        names = st.sampled_from(choices)
        near += [names, names.map(str.upper)]
        if "items" in rules:
            near += [st.lists(names, max_size=3), st.lists(names, min_size=1, max_size=3).map(" , ".join)]
    if "minimum" in rules:
        numbers = st.sampled_from([rules["minimum"], rules["maximum"], rules["minimum"] - 1, rules["maximum"] + 1])
        near += [numbers, numbers.map(str), numbers.map(float)]
    near += [st.sampled_from(rules["examples"])] if "examples" in rules else []
    plain = st.one_of(near)
    padded = st.builds("{}{}{}".format, BLANKS, plain.filter(lambda value: isinstance(value, str)), BLANKS)
    return plain | padded


@functools.cache
def objects(schema_name):
    """Return inputs of an action, or settings: some properties with values, rarely an unknown property."""
    properties = load_schema(schema_name)["properties"]
    known = {name: values(rules) for name, rules in properties.items()}
    if not known:
        return st.dictionaries(st.text(max_size=5), JSON, max_size=1)
    few = st.lists(st.sampled_from(sorted(known)), max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: known[name] for name in names})
    )
    return few | st.builds(lambda data, more: data | more, few, st.dictionaries(st.text(max_size=5), JSON, max_size=1))
