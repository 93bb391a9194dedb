"""Other people's form libraries, from npm: what docs/host.md says of them holds.

ajv is the validator of most JavaScript hosts, @rjsf/validator-ajv8 that of react-jsonschema-form.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from inputs import objects
from jsonschema import Draft202012Validator

from vantage_quickbooks.connector.connector import QUICKBOOKS

PACKAGES = ("ajv@8.17.1", "@rjsf/validator-ajv8@5.24.13", "@rjsf/utils@5.24.13", "react@18.3.1")
SCRIPT = """
const Ajv2020 = require("ajv/dist/2020").default;
const rjsf = require("@rjsf/validator-ajv8");
const { getSchemaType, retrieveSchema } = require("@rjsf/utils");
const jobs = JSON.parse(require("fs").readFileSync(0, "utf8"));
const attempt = (run) => { try { return run(); } catch (error) { return { error: String(error.message) }; } };
const words = ["x-hint", "x-format", "x-sensitive"];
const strict = () => {
  const ajv = new Ajv2020({ strict: true, strictTypes: true, allowUnionTypes: true, formats: { password: true } });
  ajv.addVocabulary(words);
  return ajv;
};
const withDefaults = rjsf.default;
const with2020 = rjsf.customizeValidator({ AjvClass: Ajv2020 });
const answer = (job) => ({
  bareStrict: attempt(() => String(new Ajv2020({ strict: true, formats: { password: true } }).compile(job.schema))),
  strict: attempt(() => job.inputs.map(strict().compile(job.schema)).map(Boolean)),
  rjsfDefault: attempt(() => withDefaults.validateFormData(job.inputs[0], job.schema)),
  rjsf: attempt(() => job.inputs.map((input) => with2020.validateFormData(input, job.schema).errors.length === 0)),
  kinds: attempt(() => {
    const schema = retrieveSchema(with2020, job.schema, job.schema, {});
    return Object.fromEntries(Object.entries(schema.properties).map(([name, rules]) => [name, getSchemaType(rules)]));
  }),
});
process.stdout.write(JSON.stringify(jobs.map(answer)));
"""
DESCRIBED = QUICKBOOKS.describe()
SCHEMAS = {"settings.schema": DESCRIBED["settingsSchema"]} | {
    f"{action['id']}.input.schema": action["inputSchema"] for action in DESCRIBED["actions"]
}
SAMPLE = ["settings.schema"] + [
    f"{action_id}.input.schema"
    for action_id in ("listCustomers", "listBills", "listReimburseCharges", "listAttachables", "getVendor", "query")
]
"""Schemas with all kinds of filters and other inputs. The others are generated from rows of the same kinds."""


@pytest.fixture(scope="session")
def node(npm, tmp_path_factory):
    """Run the script on pairs of schema and inputs, in one process."""
    directory = tmp_path_factory.mktemp("form_libraries")
    (directory / "try.cjs").write_text(SCRIPT)
    environment = os.environ | {"NODE_PATH": str(npm(*PACKAGES))}

    def run(*pairs):
        jobs = [{"schema": schema, "inputs": inputs} for schema, inputs in pairs]
        done = subprocess.run(
            ["node", "try.cjs"], input=json.dumps(jobs), cwd=directory, env=environment,
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    return run


def test_every_schema_works_as_docs_host_describes(node):
    page = (Path(__file__).parents[2] / "docs" / "host.md").read_text()
    assert "customizeValidator({ AjvClass: Ajv2020 })" in page
    assert 'ajv.addVocabulary(["x-hint", "x-format", "x-sensitive"])' in page
    answers = node(*((schema, schema["examples"]) for schema in SCHEMAS.values()))
    for (name, schema), answer in zip(SCHEMAS.items(), answers, strict=True):
        assert (name, answer["strict"]) == (name, [True] * len(schema["examples"]))
        assert (name, answer["rjsf"]) == (name, [True] * len(schema["examples"]))
        # The errors without these options, which are the reason for the page to mention them.
        errors = json.dumps(answer["rjsfDefault"])
        assert 'no schema with key or ref \\"https://json-schema.org/draft/2020-12/schema\\"' in errors
        if schema["properties"]:
            assert 'unknown keyword: "x-' in answer["bareStrict"]["error"]


def test_a_form_has_one_input_of_the_first_type_for_each_field(node):
    schema = SCHEMAS["listInvoices.input.schema"]
    kinds = node((schema, [{}]))[0]["kinds"]
    assert kinds == {name: rules["type"][0] for name, rules in schema["properties"].items()} | {
        name: "string" for name, rules in schema["properties"].items() if rules["type"] == ["string", "null"]
    }
    assert (kinds["max_results"], kinds["all"], kinds["fields"], kinds["status"]) == (
        "integer", "boolean", "array", "string",
    )  # fmt: skip


@pytest.mark.parametrize("name", SAMPLE)
def test_javascript_and_python_read_the_schemas_alike(node, name):
    """The patterns mean the same in both regular expression dialects."""
    inputs, schema = [], SCHEMAS[name]
    required = {key: schema["examples"][0][key] for key in schema.get("required", ())}

    # One example per input and one process for all: a list of 150 inputs is more than Hypothesis draws at once.
    @given(objects(name).filter(_is_portable))
    @settings(max_examples=200, phases=[Phase.generate])
    def generate(data):
        inputs.extend([data, required | data] if required else [data])

    generate()
    python = Draft202012Validator(schema)
    expected = [python.is_valid(data) for data in inputs]
    assert set(expected) == {True, False}
    (answers,) = node((schema, inputs))
    for answer in (answers["strict"], answers["rjsf"]):
        assert [case for case in zip(inputs, expected, answer, strict=True) if case[1] is not case[2]] == []


def _is_portable(value):
    """Return whether JavaScript reads a value alike: its numbers are doubles, and fewer characters are blanks."""
    if isinstance(value, dict):
        return all(_is_portable(item) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return all(map(_is_portable, value))
    if isinstance(value, str):
        return not set(value) & set("\x1c\x1d\x1e\x1f\x85")
    return isinstance(value, bool) or not isinstance(value, int) or abs(value) < 2**53
