"""The facts: recorded exchanges with our names, numbers and texts. Every clone has them and judges them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from emulator import make_facts, recorded
from emulator.conformance import Bench, use
from emulator.conformance_listed import LISTED
from emulator.conformance_results import RESULTS as ALL_RESULTS
from emulator.conformance_verdict import judge

from vantage_quickbooks.emulator import Emulator

RESULTS = ALL_RESULTS["facts"]
EXCHANGES = 182
DOCS = Path(__file__).resolve().parents[2] / "docs" / "emulator.md"
VOCABULARY = Path(__file__).with_name("facts_vocabulary.txt")
FACTS = make_facts.read_all()

_needs_recordings = pytest.mark.skipif(
    not recorded.FOLDER.exists(), reason=f"SHARED RECORDINGS MISSING: {recorded.FOLDER}"
)


@pytest.fixture(scope="module")
def bench():
    use(make_facts.read_all)
    with Emulator(limits=False) as emulator:
        yield Bench(emulator)
        assert not emulator.crashes
    use(recorded.read_all)


@pytest.mark.parametrize("exchange", FACTS, ids=lambda exchange: exchange.name)
def test_the_answer_is_the_one_of_the_facts(bench, exchange):
    assert not judge(bench, exchange, RESULTS)


def test_every_exchange_is_sent():
    assert len(FACTS) == EXCHANGES


def test_no_entry_is_left_over():
    """Runs after every exchange has noted the entries that it needs: without the recordings, too."""
    if len(RESULTS.verdicts) < EXCHANGES:
        pytest.skip("not every exchange was sent in this run")
    assert not [entry.what for entry in LISTED if entry not in RESULTS.used]


def test_the_docs_have_the_counts_of_both():
    if len(RESULTS.verdicts) < EXCHANGES:
        pytest.skip("not every exchange was sent in this run")
    (row,) = re.findall(r"^\| facts \|.*$", DOCS.read_text("utf-8"), re.MULTILINE)
    assert [int(cell) for cell in re.findall(r"\d+", row)] == [EXCHANGES, *RESULTS.totals()]


def test_the_facts_are_small():
    assert sum(path.stat().st_size for path in make_facts.FOLDER.glob("*")) < 1_000_000


def test_words_are_replaced_in_their_order_length_and_case():
    words, given = make_facts.Words(), ["Ada's Ärzte", "ADA", "Amber 1234 & Sons", "Amberly", "Zoe", "zoo"]
    for text in given:
        words.replaced(text)
    words.rank()
    made = [words.replaced(text) for text in given]
    assert [len(text) for text in made] == [len(text) for text in given]
    assert sorted(made, key=str.lower) == sorted(made, key=lambda text: given[made.index(text)].lower())
    assert [re.sub("[A-Z]", "X", re.sub("[a-zäöü]", "x", text)) for text in made[1:2]] == ["XXX"]
    assert not {"ada", "amber", "sons", "amberly", "zoe", "zoo", "1234"} & _words(" ".join(made), shortest=3)


@_needs_recordings
def test_the_facts_are_those_of_the_recordings():
    """Making them again gives the same files: `python tests/emulator/make_facts.py`."""
    assert make_facts.as_files(make_facts.derive()[0]) == {
        path.name: path.read_text("utf-8") for path in make_facts.FOLDER.glob("*.json")
    }


@_needs_recordings
def test_the_facts_are_in_the_order_and_of_the_kinds_of_the_recordings():
    def essence(one):
        return one.name, one.family, one.kind, one.spelling, one.method, one.status, one.is_xml, list(one.headers or ())

    assert sorted(map(essence, FACTS)) == sorted(map(essence, recorded.read_all()))


def _words(text, shortest=4):
    """Return the words and long numbers of a text, in small letters, but no parts of hexadecimal numbers."""
    text = re.sub(r"\\[nrt]|\b(?=[a-f]*\d)[0-9a-f]{4,}\b(?<!\d{6})", " ", text)
    return {word.lower() for word in re.findall(rf"[^\W\d_]{{{shortest},}}|\d{{6,}}", text)}


def _data(one):
    """Return everything that is said in an exchange except the names of properties and elements."""
    said = [one.text, one.body.decode("utf-8", "replace"), unquote(one.target or ""), *(one.headers or {}).values()]
    return re.sub(r'"[\w@-]+"\s*:|</?[\w:]+', " ", "\n".join(said))


def _names(one):
    return re.findall(r'"([\w@-]+)"\s*:|</?([\w:]+)', one.text + one.body.decode("utf-8", "replace"))


@_needs_recordings
def test_no_word_or_number_of_the_recordings_is_in_the_facts_but_vocabulary():
    """The vocabulary is a list that was read by people: Intuit's enumerations, faults and protocol, no data."""
    given = recorded.read_all()
    theirs, ours = (set().union(*(_words(_data(one)) for one in some)) for some in (given, FACTS))
    names = {name.lower() for one in given for pair in _names(one) for name in pair}
    assert len(theirs - ours) > 700  # the data, of which nothing is left
    assert sorted((theirs & ours) - names) == VOCABULARY.read_text("utf-8").split()


@_needs_recordings
@pytest.mark.parametrize("key", ["Id", "DocNumber", "DisplayName", "FreeFormNumber", "Address", "Line1", "TotalAmt"])
def test_no_value_of_data_is_the_recorded_one(key):
    """Where an exchange has the property, its values are others: but for small Ids and zero, same in each company."""
    pattern = re.compile(rf'"{key}"\s*:\s*("[^"]*"|[\d.]+)')
    theirs = {one.name: pattern.findall(one.text) for one in recorded.read_all()}
    for one in FACTS:
        for recorded_value, value in zip(theirs[one.name], pattern.findall(one.text), strict=True):
            same = re.fullmatch(r'"?(\d|0\.?0*|\w{0,3}|redacted@example.com)"?', value)
            assert same or value != recorded_value, one.name
