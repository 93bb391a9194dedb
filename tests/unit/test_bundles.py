"""Bundles of companies: each connection in one, each realm in one, the same ones everywhere."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.connector.bundles import Bundle, is_app_wide, make_bundles
from vantage_quickbooks.errors import (
    AccessTokenRefusedError,
    AppBlockedError,
    ClientCredentialsError,
    InputError,
    RateLimitedError,
    ReauthorizationRequired,
    RegistryError,
)
from vantage_quickbooks.registry import ConnectionEntry

realms = st.integers(1, 40).map(lambda number: str(9_130_000_000_000_000 + number))
entries = st.lists(
    st.builds(
        ConnectionEntry,
        st.integers(0, 10**6).map("c{}".format),
        realm_id=st.none() | realms,
        environment=st.sampled_from(["production", "sandbox", None]),
        error=st.sampled_from([None, RegistryError("It cannot be read.")]),
    ),
    max_size=120,
    unique_by=lambda entry: entry.id,
)


def company(entry):
    return (entry.environment, entry.realm_id) if entry.realm_id else entry.id


def bundle_of(bundles):
    """Return the number of the bundle of each company; fails if there are two."""
    found = {}
    for bundle in bundles:
        for entry in bundle.entries:
            assert found.setdefault(company(entry), bundle.number) == bundle.number
    return found


@given(entries, st.integers(1, 60), st.randoms(use_true_random=False))
def test_each_connection_is_in_one_bundle_and_each_company_too(found, size, chance):
    bundles = make_bundles(found, size)
    assert sorted(id_ for bundle in bundles for id_ in bundle.connection_ids) == sorted(entry.id for entry in found)
    assert [bundle.number for bundle in bundles] == list(range(len(bundles)))
    bundle_of(bundles)
    chance.shuffle(found)
    assert make_bundles(found, size) == bundles


@given(entries, st.integers(1, 60))
def test_no_bundle_is_empty_or_larger_than_asked_for(found, size):
    largest_company = max(Counter(map(company, found)).values(), default=1)
    sizes = [len(bundle.entries) for bundle in make_bundles(found, size)]
    assert all(1 <= one <= max(size, largest_company) for one in sizes)
    if largest_company == 1:
        assert len(sizes) == math.ceil(len(found) / size)
        assert max(sizes, default=0) - min(sizes, default=0) <= 1


@given(entries, st.integers(1, 60), realms)
def test_a_connection_that_is_added_joins_its_company_and_parts_no_other(found, size, realm):
    added = ConnectionEntry("added", realm_id=realm, environment="production")
    bundles = bundle_of(make_bundles([*found, added], size))
    assert set(map(company, found)) <= bundles.keys()


def test_the_hash_spreads_companies_that_were_connected_one_after_the_other():
    """A large customer's companies, and those of one day, do not all share one task."""
    many = [
        ConnectionEntry(f"c{n}", realm_id=str(9_130_000_000_000_000 + n), environment="production") for n in range(1000)
    ]
    bundles = make_bundles(many)
    assert [len(bundle.entries) for bundle in bundles] == [50] * 20
    first_day = {f"c{number}" for number in range(100)}
    assert max(len(first_day.intersection(bundle.connection_ids)) for bundle in bundles) < 20


def test_another_process_makes_the_same_bundles():
    many = [ConnectionEntry(f"c{n}", realm_id=str(n**7), environment="sandbox") for n in range(99)]
    script = """
import json
from vantage_quickbooks.connector.bundles import make_bundles
from vantage_quickbooks.registry import ConnectionEntry
many = [ConnectionEntry(f"c{n}", realm_id=str(n**7), environment="sandbox") for n in range(99)]
print(json.dumps([bundle.connection_ids for bundle in make_bundles(many, 7)]))
"""
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout
    assert json.loads(found) == [list(bundle.connection_ids) for bundle in make_bundles(many, 7)]


def test_a_bundle_can_be_pickled_and_has_no_stale_errors():
    (bundle,) = make_bundles([ConnectionEntry("a", "A Ltd", "1", "sandbox", RegistryError("It cannot be read."))])
    assert pickle.loads(pickle.dumps(bundle)) == bundle == Bundle(0, (ConnectionEntry("a", "A Ltd", "1", "sandbox"),))  # noqa: S301 -- our own


@pytest.mark.parametrize("size", [0, -1, True, 2.5, "50"])
def test_a_size_that_is_not_a_positive_integer_is_refused(size):
    with pytest.raises(InputError, match="size"):
        make_bundles([], size)


@pytest.mark.parametrize(
    ("error", "is_wide"),
    [
        (ClientCredentialsError("Wrong.", details={"oauthError": "invalid_client"}), True),
        (AppBlockedError("Blocked.", retry_after_s=60), True),
        (RateLimitedError("Wait."), False),
        (ReauthorizationRequired("Gone.", details={"oauthError": "invalid_grant"}), False),
        (AccessTokenRefusedError("Refused."), False),
    ],
)
def test_conditions_of_the_whole_app_are_recognized_as_errors_and_as_plain_json(error, is_wide):
    assert is_app_wide(error) is is_app_wide(error.to_dict()) is is_wide


def test_no_error_is_not_app_wide():
    assert is_app_wide(None) is False
