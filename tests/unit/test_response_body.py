"""The body of a response: decompressed once, with a limit, and damage is reported."""

from __future__ import annotations

import gzip
import io
import random
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.api.response_body import BodyLimit, ResponseBody
from vantage_quickbooks.api.transport import read_response
from vantage_quickbooks.errors import UnexpectedResponseError


@given(st.binary(), st.binary(max_size=20), st.booleans())
def test_a_body_is_what_was_sent_compressed_or_not(data, prefix, is_compressed):
    def made():
        return ResponseBody(gzip.compress(data) if is_compressed else data, is_compressed=is_compressed)

    assert made().startswith(data[:7])
    assert made().startswith(prefix) is data.startswith(prefix)
    assert made().read() == data


def test_threads_decompress_a_body_once():
    body = ResponseBody(gzip.compress(b"page" * 500_000), is_compressed=True)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: body.decompress(), range(32)))
    assert body.read() == b"page" * 500_000


@given(st.binary(min_size=1, max_size=2000), st.data())
def test_a_truncated_body_is_reported(data, draw):
    packed = gzip.compress(data)
    part = packed[: draw.draw(st.integers(0, len(packed) - 1))]
    with pytest.raises(UnexpectedResponseError) as caught:
        ResponseBody(part, is_compressed=True).read()
    assert caught.value.retryable


def test_a_wrong_size_in_the_trailer_is_reported():
    packed = gzip.compress(b"x" * 1000)
    with pytest.raises(UnexpectedResponseError):
        ResponseBody(packed[:-4] + b"\xff\xff\xff\xff", is_compressed=True).read()


@pytest.mark.parametrize("data", [b"", b"page" * 100_000])
@pytest.mark.parametrize("packs", [True, False])
def test_a_response_is_read_as_received(data, packs):
    """An empty body stays empty, even if its encoding is gzip."""
    sent = gzip.compress(data) if packs and data else data
    response = requests.Response()
    response.raw = urllib3.HTTPResponse(
        io.BytesIO(sent), headers={"Content-Encoding": "GZIP"} if packs else {}, preload_content=False
    )
    assert read_response(response, BodyLimit()).read() == data


def test_a_body_that_is_not_gzip_starts_with_nothing():
    assert ResponseBody(b"<html>", is_compressed=True).startswith(b"<") is False


# ---- limits ----------------------------------------------------------------------------------------------------------


def received(sent, encoding, limit):
    response = requests.Response()
    response.raw = urllib3.HTTPResponse(
        io.BytesIO(sent), headers={"Content-Encoding": encoding} if encoding else {}, preload_content=False
    )
    return read_response(response, limit)


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("encoding", [None, "gzip"])
@pytest.mark.parametrize("size", [999, 1000, 1001])
def test_a_body_has_a_limit_compressed_or_not(size, encoding, members):
    data = b"x" * size
    sent = data
    if encoding:
        parts = [data] if members == 1 else [data[:600], data[600:]]
        sent = b"".join(gzip.compress(part) for part in parts)
    limit = BodyLimit(1000, "A_VARIABLE")
    if size <= 1000:
        assert received(sent, encoding, limit).read() == data
        return
    with pytest.raises(UnexpectedResponseError, match="A_VARIABLE") as caught:
        received(sent, encoding, limit).read()
    assert caught.value.details == {"maxBytes": 1000, "variable": "A_VARIABLE"}
    assert caught.value.retryable is False


def test_the_limit_applies_during_decompression():
    """A body of 512 MiB is rejected at 1 MiB, and its size is never allocated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(512)) + packer.flush()
    assert len(packed) < 1 << 20
    for sent in (packed, gzip.compress(b"{") + packed):
        tracemalloc.start()
        try:
            with pytest.raises(UnexpectedResponseError, match="larger than the limit of 1 MiB"):
                received(sent, "gzip", BodyLimit(1 << 20)).read()
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()


def test_the_limit_applies_to_the_compressed_body():
    """A body that is too large when compressed is rejected before decompression."""
    noise = random.Random(1).randbytes(200_000)
    with pytest.raises(UnexpectedResponseError, match="larger than"):
        received(gzip.compress(noise), "gzip", BodyLimit(100_000))


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=8))
def test_a_body_of_many_members_is_their_contents_joined(parts):
    """RFC 1952 section 2.2: a gzip file is a series of members."""
    assert ResponseBody(b"".join(gzip.compress(part) for part in parts), is_compressed=True).read() == b"".join(parts)


@pytest.mark.parametrize(
    "rest", [b"\0", b"garbage", gzip.compress(b"more", mtime=0)[:-1], gzip.compress(b"", mtime=0)[:5]]
)
def test_data_after_a_member_is_a_member_or_damage(rest):
    with pytest.raises(UnexpectedResponseError, match="damaged"):
        ResponseBody(gzip.compress(b"{}") + rest, is_compressed=True).read()


def test_an_encoding_that_was_not_requested_is_refused():
    """urllib3 would decompress it in one piece, however large."""
    with pytest.raises(UnexpectedResponseError, match=r"not requested .deflate."):
        received(zlib.compress(b"{}"), "deflate", BodyLimit())
