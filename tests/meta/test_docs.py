"""The documentation compared with the program: links, commands, options, variables, extras, and the form of pages."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from vantage_quickbooks.cli.app import app

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "vantage_quickbooks"
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
}
PLACEHOLDERS = {"COMMAND": []}
"""Commands that stand for any other."""


def text_and_code(page):
    """Return the lines outside of fenced code, and the blocks as pairs of language and text."""
    text, blocks, block = [], [], None
    for line in page.splitlines():
        if line.lstrip().startswith("```"):
            if block is None:
                block = (line.strip().strip("`"), [])
            else:
                blocks.append((block[0], "\n".join(block[1])))
                block = None
        elif block is None:
            text.append(line)
        else:
            block[1].append(line)
    assert block is None, "a block of code has no end"
    return text, blocks


def anchors(page):
    """Return the anchors of headings, as GitHub makes them."""
    headings = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line.lstrip("#").strip())
                for line in text_and_code(page)[0] if re.match(r"#+ ", line)]  # fmt: skip
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", [*PAGES, "CHANGELOG.md"])
def test_links_lead_to_files_and_headings(name):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", (ROOT / name).read_text()):
        if target.startswith(("https://", "http://")):
            continue
        file, _, anchor = target.partition("#")
        path = (ROOT / name).parent / file if file else ROOT / name
        if not path.exists() or (anchor and anchor not in anchors(path.read_text())):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("name", [*PAGES, "CHANGELOG.md"])
def test_lines_are_short(name):
    """120 characters, and a few that a quick edit may add.

    Tables, pictures, code, lines with a long URL and generated parts excepted.
    """
    page = re.sub(r"<!-- generated: .*?<!-- end: ", "", (ROOT / name).read_text(), flags=re.DOTALL)
    lines, _ = text_and_code(page)
    long = [line for line in lines if len(line) > 130 and not line.startswith(("|", "![")) and "](http" not in line]
    assert long == []


def test_the_readme_leads_to_every_page():
    linked = set(re.findall(r"\]\((docs/[a-z-]+\.md)", PAGES["README.md"]))
    assert linked == {name for name in PAGES if name.startswith("docs/")}


def test_every_picture_is_shown():
    shown = {Path(target).name for page in PAGES.values() for target in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page)}
    assert shown == {path.name for path in (ROOT / "docs").glob("*.png")}


def written_commands():
    """Yield each command line of the program in the docs, with its page."""
    for name, page in PAGES.items():
        text, blocks = text_and_code(page)
        for span in re.findall(r"`([^`]+)`", "\n".join(text)):
            if span.startswith("vantage-quickbooks "):
                yield name, span.replace("\n", " ")
        for language, block in blocks:
            if language not in {"python", "json", "js", "sql", "yaml", "text"}:
                for line in block.replace("\\\n", " ").splitlines():
                    if found := re.search(r"(?:^|[\s/(])vantage-quickbooks (?!\|)([^|;&#)]*)", line):
                        yield name, "vantage-quickbooks " + found[1].strip()


def find_command(words):
    """Return the command that the words begin with, and the words that follow it."""
    command, context = app, click.Context(app)
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(context, rest[0])
        assert found is not None, f"no command {rest[0]}"
        command = found
        rest.pop(0)
    return command, rest


def options_of(command):
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {
        "--help",
        "--version",
    }


def unknown_parts(line):
    """Return the command and options of a command line that do not exist."""
    words = shlex.split(re.sub(r"\[([^\]]*)\]", r"\1", line).replace("'", "").replace('"', ""))[1:]
    if not words or words[0] in PLACEHOLDERS:
        return []
    try:
        command, rest = find_command(words)
    except AssertionError as error:
        return [str(error)]
    options = options_of(command)
    return [word for word in rest if re.match(r"--?[a-z]", word) and word.split("=")[0].rstrip(".,") not in options]


def test_commands_and_their_options_exist():
    written = sorted(set(written_commands()))
    assert len(written) > 60
    assert [(name, line, parts) for name, line in written if (parts := unknown_parts(line))] == []


def every_command(command=app, context=None):
    context = context or click.Context(app)
    yield command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from every_command(command.get_command(context, name), context)


OTHERS_OPTIONS = {
    "--connector", "--actions", "--conformance-only", "--full", "--quick", "--invoices", "--dist", "--preload",
    "--compare", "--share", "--answer-s",
}  # fmt: skip
"""Options of pytest's plugin, of scripts in benchmarks/ and tests/, and of other programs."""


def test_options_that_texts_name_exist():
    known = {option for command in every_command() for option in options_of(command)} | OTHERS_OPTIONS
    unknown = [
        (name, option)
        for name, page in PAGES.items()
        for span in re.findall(r"`([^`]+)`", "\n".join(text_and_code(page)[0]))
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", span)
        if option not in known and not re.match(r"\.?\S*(python|pytest|pip|spark-submit)", span)
    ]
    assert unknown == []


def test_every_option_of_the_program_is_explained_somewhere():
    """In the docs; `--help` has them all, so options of one line of help need no more."""
    text = "\n".join(PAGES.values())
    long = {option for command in every_command() for option in options_of(command) if option.startswith("--")}
    assert sorted(option for option in long if not re.search(rf"{option}(?![\w-])", text)) == []


def test_variables_that_the_docs_name_exist():
    source = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    settings = {f"VANTAGE_QUICKBOOKS_{name}" for name in
                ("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN", "REALM_ID", "MAX_RESULTS", "ENVIRONMENT")}  # fmt: skip
    named = {
        variable for page in PAGES.values() for variable in re.findall(r"VANTAGE_QUICKBOOKS_[A-Z_]+[A-Z]", page)
    } - settings
    assert {name for name in named if not re.search(rf"{name}(?![A-Z_])", source)} == set()


def test_each_variable_has_one_row():
    rows = re.findall(r"^\| `(VANTAGE_QUICKBOOKS_[A-Z_]+)` \|", PAGES["docs/settings.md"], re.MULTILINE)
    assert len(rows) == len(set(rows)) >= 14


def test_extras_that_the_docs_name_exist_and_each_is_named():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"].keys()
    named = set()
    for page in PAGES.values():
        for group in re.findall(r"(?:vantage-quickbooks|'\.|(?<=`))\[([a-z,]+)\](?=['`])", page):
            named |= set(group.split(","))
    assert named - extras == set()
    assert extras - named - {"test", "lint"} == set()


def test_the_readme_has_a_row_for_each_extra():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"].keys()
    rows = re.findall(r"^\| ((?:`\[[a-z]+\]`(?:, )?)+) \|", PAGES["README.md"], re.MULTILINE)
    assert sorted(re.findall(r"\[([a-z]+)\]", " ".join(rows))) == sorted(extras - {"all", "test", "lint"})


def test_files_and_modules_that_the_docs_name_exist():
    missing = []
    for name, page in PAGES.items():
        for span in re.findall(r"`([^`\n]+)`", "\n".join(text_and_code(page)[0])):
            path = re.search(r"(?<![\w/.])(?:tests|benchmarks|vantage_quickbooks|schemas|\.ci)/[\w./-]*\w", span)
            if path and "<" not in span and not (ROOT / path[0]).exists():
                missing.append((name, span))
            module = re.fullmatch(r"vantage_quickbooks((?:\.[a-z_]+)+)(?:\.[A-Z]\w*)*", span)
            if module and not any(
                (PACKAGE / "/".join(parts)).exists() or (PACKAGE / ("/".join(parts) + ".py")).exists()
                for parts in (module[1][1:].split("."), module[1][1:].split(".")[:-1])
            ):
                missing.append((name, span))
    assert missing == []


def test_python_code_can_be_parsed():
    wrong = []
    for name, page in PAGES.items():
        for language, block in text_and_code(page)[1]:
            if language == "python":
                try:
                    compile(block, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                except SyntaxError as error:
                    wrong.append((name, str(error)))
    assert wrong == []
