"""Early pages: which pages of a full read a known size makes certain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.core.completeness import (
    early_overlap,
    early_positions,
    estimate_api_calls,
    page_positions,
)

sizes = st.integers(2, 1000)


@given(expected=st.integers(0, 200_000), size=sizes, most=st.integers(0, 9))
def test_early_pages_are_full_overlap_and_cost_no_further_call(expected, size, most):
    positions = early_positions(expected, size, most)
    assert len(positions) <= most
    ends = [size, *(position + size - 1 for position in positions)]
    for end, position in zip(ends, positions, strict=False):
        assert position == end + 1 - early_overlap(size)
    if positions:
        assert ends[-1] <= expected
        kept = ends[-1] - early_overlap(size) // 2  # about as much as is cut off
        calls = 2 + len(positions) + len(page_positions(expected, size, kept))
        assert calls <= estimate_api_calls(expected, size)


@pytest.mark.parametrize(
    ("expected", "pages"), [(None, 0), (999, 0), (1000, 0), (1997, 0), (1999, 1), (2500, 1), (100_500, 9)]
)
def test_how_many_there_are(expected, pages):
    assert len(early_positions(expected, 1000, 9)) == pages
