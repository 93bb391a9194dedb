"""Messages of failed loads: the reason without the values that databases quote. Messages are the drivers' own words."""

from __future__ import annotations

import duckdb
import psycopg
import pytest
from dlt.load.exceptions import LoadClientJobFailed
from dlt.pipeline.exceptions import PipelineStepFailed

from vantage_quickbooks.adapters.load_errors import describe_failure


def failed(message, error, step="load"):
    """Return what dlt raises when a job fails with a driver's error."""
    job = LoadClientJobFailed("1700000000.1", "customers.abc.insert_values", message, error)
    pipeline = PipelineStepFailed.__new__(PipelineStepFailed)
    Exception.__init__(pipeline, f"Pipeline execution failed at `step={step}` with exception: {message}")
    pipeline.step = step
    pipeline.__cause__ = job
    return pipeline


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            "Conversion Error: Could not convert string 'Jane Doe' to INT32\nLINE 1: SELECT 'Jane Doe'::INT ^",
            "Conversion Error: Could not convert string '...' to INT32",
        ),
        (
            "Conversion Error: Could not convert string 'Jane O'Doe' to INT32",
            "Conversion Error: Could not convert string '...' to INT32",
        ),
        (
            'Constraint Error: Duplicate key "id: Jane Doe" violates primary key constraint.',
            "Constraint Error: Duplicate key '...' violates primary key constraint.",
        ),
        (
            'new row for relation "customers" violates check constraint "no_does"\nDETAIL:  It is (Jane Doe).',
            'new row for relation "customers" violates check constraint "no_does"',
        ),
        ('invalid input syntax for type integer: "Jane Doe"', "invalid input syntax for type integer: '...'"),
        (
            "Violation of PRIMARY KEY constraint 'PK_customers'. The duplicate key value is (Jane (Doe)).",
            "Violation of PRIMARY KEY constraint 'PK_customers'. The duplicate key value is (...).",
        ),
        ("Could not parse 'Jane Doe' in column \"name\"", "Could not parse '...' in column \"name\""),
        ("The value Jane's is too long", "'...'"),
        ("disk full", "disk full"),
    ],
)
def test_a_failed_job__is_described_without_values(message, shown):
    text, first = describe_failure(failed(message, ValueError(message)))
    assert text == shown
    assert isinstance(first, LoadClientJobFailed)


@pytest.mark.parametrize("make", [duckdb.ConversionException, psycopg.errors.NotNullViolation, psycopg.DataError])
def test_an_error_about_rows__is_described_without_values_outside_of_jobs(make):
    error = RuntimeError("Pipeline execution failed with 'Jane Doe'")
    error.__cause__ = make("the value 'Jane Doe' is not valid")
    assert describe_failure(error) == ("the value '...' is not valid", error.__cause__)


@pytest.mark.parametrize("step", ["extract", "normalize"])
def test_an_error_while_rows_are_made__is_described_without_values(step):
    error = failed("", None, step)
    error.__cause__ = ValueError("Could not convert 'Jane Doe' with type str")
    assert describe_failure(error)[0] == "Could not convert '...' with type str"


def test_an_error_of_a_connection__is_described_in_full():
    error = RuntimeError("Pipeline execution failed")
    error.__cause__ = psycopg.OperationalError('FATAL:  password authentication failed for user "loader"')
    assert describe_failure(error)[0] == 'FATAL: password authentication failed for user "loader"'
