"""No command destroys the content of a file, and no grant is lost because a file cannot be written."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from vantage_quickbooks.cli import main

pytestmark = pytest.mark.system

PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]
REAL = {
    "client_id": "ABreal0000000000000000000000000000000000000000000",
    "client_secret": "real-secret-0123456789",
    "refresh_token": "real-refresh-token-0123456789",
    "realm_id": "9130000000000001",
}


@pytest.fixture
def environment(tmp_path):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VANTAGE_")}
    (tmp_path / "temporary").mkdir()
    return kept | {
        "XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path / "temporary"), "BROWSER": "true"
    }  # fmt: skip


@contextlib.contextmanager
def started(*args, env, **options):
    """Start the program; end it as Ctrl-C does."""
    with subprocess.Popen(
        [*PROGRAM, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, **options
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


def lines_until(stream, pattern):
    text = ""
    for line in stream:
        text += line
        if found := re.search(pattern, text):
            return found
    raise AssertionError(text)


# ---- emulator --write-settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [json.dumps(REAL), '{"client_id": "x"}', "not JSON at all", "[]", "\xff\xfe"], ids=range(5)
)
def test_emulator__never_overwrites_other_content(tmp_path, environment, content):
    target = tmp_path / "settings.json"
    target.write_text(content, encoding="latin-1")
    with started("emulator", "--write-settings", target, env=environment) as process:
        assert process.wait(60) == 2  # it refuses before it serves
        said = process.stderr.read()
    assert target.read_text(encoding="latin-1") == content
    assert str(target) in said
    assert "--force" in said
    assert not any(value in said for value in REAL.values())


def test_emulator__overwrites_its_own_settings_and_with_force_those_of_others(tmp_path, environment):
    target = tmp_path / "settings.json"
    found = []
    for seed, more in ((1, ()), (2, ()), (3, ("--force",))):
        if more:
            target.write_text(json.dumps(REAL))
        args = ("emulator", "--seed", seed, "--write-settings", target, *more)
        with started(*args, env=environment) as process:
            lines_until(process.stdout, "In another terminal")
            found.append(json.loads(target.read_text())["realm_id"])
            assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert len(set(found)) == 3


@pytest.mark.parametrize("target", ["/dev/null", "directory", "missing/settings.json", "fifo"])
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_emulator__a_path_that_is_not_a_regular_file_is_refused(tmp_path, environment, target, force):
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with started("emulator", "--write-settings", tmp_path / target, *force, env=environment) as process:
        assert process.wait(60) == 2
        assert target in process.stderr.read()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


# ---- connect ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def consent(tmp_path, emulator, environment):
    """Run `connect` up to the question for consent; `agree` gives it."""
    app = tmp_path / "app.json"
    form = emulator.settings()
    app.write_text(json.dumps({name: form[name] for name in ("client_id", "client_secret")}))
    environment |= {f"VANTAGE_QUICKBOOKS_{name}": emulator.url for name in ("API_URL", "OAUTH_URL")}

    @contextlib.contextmanager
    def run(target, *more):
        args = ("connect", "--settings", app, "--write-settings", target, "--port", 0, "--no-browser", *more)
        with started(*args, env=environment) as process:
            url = lines_until(process.stderr, r"http://127\S+/connect/oauth2\S+(?=\n)")[0]
            asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}

            def agree():
                data = {**asked, "realm": emulator.realm_id, "decision": "approve"}
                requests.post(url.split("?")[0], data=data, timeout=30)
                status = process.wait(60)
                return status, process.stderr.read()

            yield agree

    return run


def app_file(tmp_path, emulator, **more):
    form = emulator.settings()
    path = tmp_path / "app.json"
    path.write_text(json.dumps({name: form[name] for name in ("client_id", "client_secret")} | more))
    return path


@pytest.mark.parametrize("broken", ["missing directory", "directory", "no directory", "other settings", "other text"])
def test_connect__an_unwritable_file_is_found_before_consent(tmp_path, emulator, capsys, broken):
    target = tmp_path / "settings.json"
    if broken == "missing directory":
        target = tmp_path / "missing" / "settings.json"
    elif broken == "directory":
        target.mkdir()
    elif broken == "no directory":
        (tmp_path / "file").write_text("")
        target = tmp_path / "file" / "settings.json"
    else:
        target.write_text(json.dumps(REAL) if broken == "other settings" else "a shopping list")
    before = target.read_text() if target.is_file() else None
    args = ["connect", "--settings", str(app_file(tmp_path, emulator)), "--write-settings", str(target)]
    assert main([*args, "--port", "0", "--no-browser"]) == 2
    said = capsys.readouterr().err
    assert "Open this address" not in said
    assert target.name in said
    assert (target.read_text() if target.is_file() else None) == before


def test_connect__a_full_disk_is_found_before_consent(tmp_path, emulator, environment):
    """Tested by the limit of a process on the size of files."""
    place = tmp_path / "place"
    place.mkdir()
    args = ["connect", "--settings", app_file(tmp_path, emulator), "--write-settings", place / "settings.json"]
    limit = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100, 100))
    with started(*args, "--port", 0, "--no-browser", env=environment, preexec_fn=limit) as process:
        assert process.wait(60) == 2
        said = process.stderr.read()
    assert "settings.json cannot be written: File too large." in said
    assert list(place.iterdir()) == []


def test_connect__again_for_the_same_company_overwrites(tmp_path, emulator, consent):
    target = tmp_path / "settings.json"
    for _ in range(2):
        with consent(target) as agree:
            status, said = agree()
            assert status == 0, said
    assert json.loads(target.read_text())["realm_id"] == emulator.realm_id
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.glob("*settings*")) == ["settings.json"]


@pytest.mark.parametrize("how", ["directory gone", "another company", "other settings meanwhile"])
def test_connect__settings_that_cannot_be_written_are_kept_elsewhere(tmp_path, emulator, environment, consent, how):
    place = tmp_path / "place"
    place.mkdir()
    target = place / "settings.json"
    if how == "another company":
        held = emulator.settings() | {"realm_id": "1234567890"}
        target.write_text(json.dumps(held))
    with consent(target) as agree:
        if how == "directory gone":
            place.rename(tmp_path / "moved")
        elif how == "other settings meanwhile":
            target.write_text(json.dumps(REAL))
        status, said = agree()
    assert status == 1, said
    kept = Path(re.search(r"(/\S+\.json), readable by you only", said)[1])
    assert kept != target
    settings = json.loads(kept.read_text())
    assert settings["realm_id"] == emulator.realm_id
    assert settings["refresh_token"] not in said
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    if how == "another company":
        assert json.loads(target.read_text()) == held
    elif how == "other settings meanwhile":
        assert json.loads(target.read_text()) == REAL
    tested = subprocess.run(
        [*PROGRAM, "test", "--settings", kept], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert tested.returncode == 0, tested.stderr


def test_connect__ctrl_c_leaves_no_file(tmp_path, consent):
    place = tmp_path / "place"
    place.mkdir()
    with consent(place / "settings.json"):
        pass
    assert list(place.iterdir()) == []
