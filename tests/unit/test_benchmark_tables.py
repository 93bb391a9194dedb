"""The tables of docs/scale.md follow from what was measured, and the plan from its formulas."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def _imports():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield


@pytest.fixture
def measured():
    from plan import Measured

    return Measured(
        quiet_calls=1,
        quiet_refreshes=1,
        quiet_cpu_s=0.02,
        first_calls=58,
        first_cpu_s=0.09,
        record_cpu_s=0.0001,
        list_s=0.0005,
        token_bytes=1_500,
        state_bytes=1_500,
        registry_bytes=1_000,
        postgresql_bytes=None,
        task_cpu_s=0.05,
    )


def scenario(measured, companies=10_000, every_s=86_400, webhooks=False, **assumed):
    from plan import Assumed, Scenario

    return Scenario(companies, every_s, webhooks, measured, Assumed(**assumed))


def test_a_night_of_ten_thousand_companies(measured):
    it = scenario(measured, share=0.3, changes=20, answer_s=0.5, utilization=0.5, cores=4, bundle=50, window_s=10_000)
    assert it.syncs == it.calls == 10_000
    assert it.month_calls == 300_000
    assert it.plan == ("builder", 0)
    assert it.first_month_calls == 580_000
    assert it.company_calls_a_minute == 1
    assert it.syncs_a_second == it.refreshes_a_second == 1
    assert it.writes_a_second == 2
    assert it.at_once == pytest.approx(1 * (2 * 0.5 + 0.02))
    assert it.tasks == 200
    assert it.cpu_s == pytest.approx(10_000 * 0.02 + 60_000 * 0.0001 + 200 * 0.05)
    assert it.cores == pytest.approx((200 + 6 + 10) / 10_000 / 0.5)
    assert it.executors == 1
    assert it.list_s == pytest.approx(5)
    assert it.database_bytes == 10_000 * 4_000
    assert it.notices_a_second == 0


def test_every_hour_takes_24_times_the_calls_and_one_refresh_each(measured):
    it = scenario(measured, companies=1_000_000, every_s=3_600)
    assert it.calls == 24_000_000
    assert it.plan == ("platinum", 4_500 + (720_000_000 - 75_000_000) / 1000 * 0.25)
    assert it.refreshes_a_second == it.syncs_a_second == pytest.approx(24_000_000 / 86_400)
    assert scenario(measured, every_s=900).refreshes_a_second == pytest.approx(10_000 / 3_600)
    assert scenario(measured, every_s=15).company_calls_a_minute == 4


def test_webhooks_leave_one_sync_a_day_to_the_companies_in_which_nothing_changes(measured):
    assert scenario(measured, every_s=3_600, webhooks=True, share=0).calls == 10_000
    every_hour = scenario(measured, every_s=3_600, webhooks=True, share=1, changes=1e9)
    assert every_hour.calls == pytest.approx(240_000)
    one_change = scenario(measured, every_s=3_600, webhooks=True, share=0.5, changes=1)
    assert one_change.calls == pytest.approx(5_000 * 1 + 5_000 * 2)
    assert one_change.notices_a_second == pytest.approx(5_000 / 86_400)


def test_postgresql_counts_where_it_was_measured(measured):
    found = dataclasses.replace(measured, postgresql_bytes=5_000)
    assert scenario(found).database_bytes == 10_000 * 5_000


def test_the_table_has_the_formula_beside_each_number(measured):
    from plan import ROWS, Assumed, scenarios, table

    lines = list(table(scenarios(measured, Assumed(), (10_000,))))
    assert lines[0] == "| | Formula | 10,000 nightly | 10,000 every 1 h | 10,000 every 1 h, webhooks |"
    assert len(lines) == 2 + len(ROWS)
    assert "| Metered calls a day | syncs × `quiet_calls` | 10,000 | 240,000 |" in lines[3]  # noqa: RUF001
    named = {field.name for kind in (measured, Assumed()) for field in dataclasses.fields(kind)}
    formulas = " ".join(row.formula for row in ROWS)
    unused = {name for name in named if f"`{name}`" not in formulas}
    assert unused == {"token_bytes", "state_bytes", "registry_bytes"}  # "the three of SQLite"


def test_every_input_is_explained(measured):
    from plan import Assumed, inputs

    lines = list(inputs(measured, Assumed()))
    assert "| `quiet_cpu_s` | 0.02 | measured | CPU seconds of it. |" in lines
    assert "| `postgresql_bytes` | not measured | measured |" in "\n".join(lines)
    assert "| `share` | 0.3 | assumed |" in "\n".join(lines)


# ---- tables of measurements ----


def run(wall, cpu, tasks=1, start=0.5, **more):
    figures = {"wall_s": wall, "cpu_s": cpu, "start_s": start, "work_s": wall - start, "tasks": tasks, "calls": 2}
    beside = {"peak_mb": 100.0, "processes": 3, "emulator_cpu_s": 1.0, "token_requests": {"total": 1}}
    return figures | beside | {"token_bytes": 100_000} | more


@pytest.fixture
def scale():
    from scale_report import Cell, Scale

    def runs(processes, spark):
        return {"processes": processes, "spark": spark}

    quick = {"companies": 20, "cpu_s": 0.5}
    quiet = {"companies": 120, "cpu_s": 2.5, "metered": 120, "token_requests": {"total": 120}, "state_bytes": 1_500.0}
    return Scale(
        made_of="",
        load=0.1,
        cells=[
            Cell(200, 1_000, 0, runs(
                {"read": [run(10, 20)], "idle": [run(2, 4)], "replay": [run(2.5, 5)]},
                {"read": [run(30, 50)], "idle": [run(12, 30, start=8)], "replay": [run(16.5, 38, start=8)]},
            )),
            Cell(500, 20, 0, runs(
                {"read": [run(9, 16), run(6, 11), run(5, 10)], "idle": [run(2, 3)]},
                {"read": [run(20, 40)] * 3, "idle": [run(13, 25, 10, start=9)]},
            )),
            Cell(1_000, 20, 0, runs({"read": [run(11, 21)], "idle": [run(3, 4)]}, {"read": [run(25, 50)], "idle": []})),
            Cell(3_000, 20, 0, runs(
                {"read": [run(31, 61)], "idle": [run(7, 8)]},
                {"read": [run(50, 100)], "idle": [run(21, 35, 60, start=9)]},
            )),
            Cell(3_000, 20, 50, runs({"read": [run(62, 61)]}, {"read": [run(93, 100)]})),
        ],
        inputs={
            "first": quiet | {"cpu_s": 10.9, "metered": 120 * 58},
            "quiet": quiet,
            "quiet_few": quick,
            "list_s": 0.0005,
            "registry_bytes": 1_000.0,
            "postgresql_bytes": 4_000.0,
        },
    )  # fmt: skip


def test_what_the_plan_needs_is_derived_from_the_cells(scale):
    from plan import Measured

    scale.finish("commit 0")
    found = Measured(**scale.plan)
    assert found.quiet_calls == found.quiet_refreshes == 1
    assert found.quiet_cpu_s == pytest.approx(0.02)  # (2.5 - 0.5) / (120 - 20)
    assert found.first_calls == 58
    assert found.first_cpu_s == pytest.approx((10.9 - 0.1) / 120)  # the start takes 0.1
    # A company of 1,000 records takes (20 - 4) / 200 s, one of 20 takes (61 - 11) / 2,500 - (8 - 3) / 2,500 s.
    assert found.record_cpu_s == pytest.approx((0.08 - 0.018) / 980)
    # 50 tasks more take 10 s in Spark, and their companies 5 s without it.
    assert found.task_cpu_s == pytest.approx((10 - 5) / 50)
    assert found.token_bytes == pytest.approx(100_000 / 3_000)
    assert found.postgresql_bytes == 4_000


def test_engines_are_compared_with_the_processes_of_the_same_cell(scale):
    scale.finish("commit 0")
    text = scale.parts()["measured"]
    assert "**3,000 companies × 20 invoices, 50 ms**" in text  # noqa: RUF001
    assert "| processes | 62.0 | 1.00 | 0.5 | 61.0 | 1.00 | 100 | 3 | 2 | 1 | 1.0 | 1 |" in text
    assert "| spark | 93.0 | 1.50 | 0.5 | 100.0 | 1.64 | 100 | 3 | 2 | 1 | 1.0 | 1 |" in text
    assert "| processes | 6.0 | 1.00 | 0.5 | 11.0 | 1.00 | 100 | 3 | 2 | 1 | 1.0 | 3 |" in text  # the medians of three
    assert "Other processes were running" not in text


def test_growth_has_no_other_size_and_no_other_latency(scale):
    lines = scale.parts()["growth"].splitlines()
    assert lines[0] == "| Companies | processes, s | spark, s | processes, ms a company | spark, ms a company |"
    assert lines[2] == "| 500 | 6.0 | 20.0 | 12.0 | 40.0 |"
    assert lines[4] == "| 3,000 | 31.0 | 50.0 | 10.3 | 16.7 |"
    assert lines[5] == "| one more: wall |  |  | 10.0 | 12.0 |"
    assert lines[6] == "| one more: CPU |  |  | 20.0 | 24.0 |"
    assert len(lines) == 7


def test_overhead_is_what_an_engine_adds_to_the_processes(scale):
    lines = scale.parts()["overhead"].splitlines()
    assert lines[2] == "| processes | 0.5 | 1.5 | 3.0 | 6.5 | 8.0 | 1 |  |  | 2.0 |  |"
    # Idle work grows by 8 s with 50 tasks, that of the processes by 5 s; 4 s more for 200,000 rows are 20 µs a row.
    assert lines[3] == "| spark | 9.0 | 4.0 | 25.0 | 12.0 | 35.0 | 60 | 60 | 100 | 8.5 | 20.0 |"


def test_without_spark_there_is_no_plan_and_the_page_says_how_to_measure(scale):
    from scale_report import MISSING

    for cell in scale.cells:
        del cell.runs["spark"]
    scale.failures["spark"] = "no Java"
    scale.finish("commit 0")
    assert scale.plan is None
    assert scale.parts()["plan"] == MISSING
    assert "- Not run to the end: spark: no Java" in scale.parts()["measured"]


def test_measurements_are_the_same_after_a_file(scale, tmp_path):
    from scale_report import Cell, Scale

    scale.finish("commit 0")
    scale.save(tmp_path / "scale.json")
    again = Scale.open(tmp_path / "scale.json")
    assert again.parts() == scale.parts()
    assert again.has(Cell(3_000, 20, 50))
    assert not again.has(Cell(3_000, 20, 150))


def test_only_the_generated_parts_of_a_page_change(scale):
    from scale_report import MISSING, generated

    page = "# Scale\n\n<!-- generated: growth -->\nold\n<!-- end: growth -->\n\nText.\n"
    assert generated(page, None) == page.replace("old\n", MISSING)
    new = generated(page, scale)
    assert new.startswith("# Scale\n\n<!-- generated: growth -->\n| Companies |")
    assert new.endswith("|\n<!-- end: growth -->\n\nText.\n")


def test_the_page_has_the_tables_of_the_last_measurement():
    """Run `python benchmarks/scale.py --tables` if a formula or the form of a table has changed."""
    from scale_report import Scale, generated

    page, stored = (ROOT / "docs" / "scale.md").read_text(), ROOT / "benchmarks" / "scale.json"
    scale = Scale.open(stored) if stored.exists() else None
    assert page == generated(page, scale)
    assert page.count("<!-- generated: ") == 5


def test_figures_in_the_text_are_those_of_the_tables():
    """Correct the sentence if a new measurement has other figures."""
    from scale_report import Scale

    scale = Scale.open(ROOT / "benchmarks" / "scale.json")
    text = " ".join((ROOT / "docs" / "scale.md").read_text().split())

    def figures(engine, figure):
        return [cell.median(engine, figure) for cell in scale.cells]

    ratios = [one / own for one, own in zip(figures("spark", "wall_s"), figures("processes", "wall_s"), strict=True)]
    starts = figures("spark", "start_s")
    assert (
        f"it takes {min(ratios):.1f} to {max(ratios):.1f} times as long, of which {min(starts):.0f} to "
        f"{max(starts):.0f} seconds are its start"
    ) in text
    first = scale.inputs["first"]
    assert f"sample companies of {first['upserts'] / first['companies']:.0f} records" in text
    assert f"the {first['entities']} entities that CDC covers" in text
    seconds = scale.task_cost("spark", "work_s")
    assert f"a task costs some {seconds:.2f} s" in " ".join((ROOT / "docs" / "spark.md").read_text().split())


def test_the_engines_of_the_full_measurement_are_sized_as_the_page_says():
    import scale

    firms = scale.FULL.firms
    assert firms == {
        (200, 1_000): [(200, 0), (200, 50)],
        (3_000, 20): [(500, 0), (1_000, 0), (3_000, 0), (3_000, 50)],
    }
