"""Recorded refusals: the same statement must be refused in the same words."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "recordings" / "minimul-qbo_api"
FILES = ("2015-2016-oauth1/misc/irregular_char.yml", "2020-oauth2/error/400.yml")


def recorded_refusals():
    found = []
    for name in FILES:
        path = RECORDINGS / name
        if not path.exists():
            return [pytest.param(None, None, marks=pytest.mark.skip(f"SHARED RECORDINGS MISSING: {path}"))]
        for exchange in yaml.safe_load(path.read_text("utf-8"))["http_interactions"]:
            query = parse_qs(urlsplit(exchange["request"]["uri"]).query).get("query")
            body = exchange["response"]["body"]["string"]
            if query and '"Fault"' in body:
                found.append((query[0], body))
    return found


@pytest.mark.parametrize(("statement", "body"), recorded_refusals())
def test_a_recorded_statement_is_refused_in_the_recorded_words(client, statement, body):
    answer = client.query(statement)
    # 200 in 2015, 400 since October 2016 (shared/recordings/README.md)
    assert answer.status_code == 400
    assert body[: body.index(',"time"')] == answer.text[: answer.text.index(',"time"')]
