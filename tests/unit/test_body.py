"""The body of an answer is unpacked once, whoever asks, and damage is told."""

from __future__ import annotations

import gzip
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.body import Body
from vantage_quickbooks.calls import Call
from vantage_quickbooks.client import _body
from vantage_quickbooks.errors import UnexpectedResponseError


@given(st.binary(), st.binary(max_size=20), st.booleans())
def test_a_body_is_what_was_sent_packed_or_not(data, prefix, is_packed):
    def made():
        return Body(gzip.compress(data) if is_packed else data, is_packed=is_packed)

    assert made().begins_with(data[:7])
    assert made().begins_with(prefix) is data.startswith(prefix)
    assert made().take() == data


def test_threads_unpack_it_once():
    body = Body(gzip.compress(b"page" * 500_000), is_packed=True)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: body.unpack(), range(32)))
    assert body.take() == b"page" * 500_000


@given(st.binary(min_size=1, max_size=2000), st.data())
def test_a_body_that_broke_off_is_told(data, draw):
    packed = gzip.compress(data)
    part = packed[: draw.draw(st.integers(0, len(packed) - 1))]
    with pytest.raises(UnexpectedResponseError) as caught:
        Body(part, is_packed=True).take()
    assert caught.value.retryable


def test_a_size_that_is_a_lie_takes_no_memory_and_changes_nothing():
    packed = gzip.compress(b"x" * 1000)
    with pytest.raises(UnexpectedResponseError):
        Body(packed[:-4] + b"\xff\xff\xff\xff", is_packed=True).take()


@pytest.mark.parametrize("data", [b"", b"page" * 100_000])
@pytest.mark.parametrize("packs", [True, False])
def test_a_response_is_read_as_it_came(data, packs):
    """Nothing is nothing, though it is called gzip: its status tells what happened."""
    sent = gzip.compress(data) if packs and data else data
    response = requests.Response()
    response.raw = urllib3.HTTPResponse(
        io.BytesIO(sent), headers={"Content-Encoding": "GZIP"} if packs else {}, preload_content=False
    )
    assert _body(response, Call()).take() == data


def test_what_is_no_gzip_begins_with_nothing():
    assert Body(b"<html>", is_packed=True).begins_with(b"<") is False
