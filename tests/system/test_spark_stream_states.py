"""Where each company of a stream continues: the rule for several attempts, without Spark.

Spark is played by a model that does what Spark may do: tasks that fail, are repeated, or end long after another attempt
was taken; drivers that are killed before or after the sink has applied a batch; fewer companies after a restart.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from registries import company

pytest.importorskip("pyspark")

from vantage_quickbooks.adapters.spark.options import SparkOptions
from vantage_quickbooks.adapters.spark.schema import CHANGE_SCHEMA
from vantage_quickbooks.adapters.spark.stream import QuickBooksStreamReader
from vantage_quickbooks.adapters.spark.stream_states import Attempt, Offset, begin_batch, prune
from vantage_quickbooks.config.settings import Settings
from vantage_quickbooks.connector.connection import earliest_state
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.errors import DamagedStateError, InputError
from vantage_quickbooks.registry import open_states
from vantage_quickbooks.sync.sync_state import EntityState, StateSerializer, SyncState, earliest

T0 = datetime(2026, 5, 1, tzinfo=UTC)
SERIALIZER = StateSerializer(Settings.parse(company(1)))
IDS = ("acme", "birch", "zulu")


@pytest.fixture(scope="module")
def connection():
    with QUICKBOOKS.connect(company(1)) as connection:
        yield connection


@pytest.fixture
def table(tmp_path):
    with open_states(tmp_path) as table:
        # The machine does not lose power in a test.
        sa.event.listen(table._engine, "connect", lambda database, _: database.execute("PRAGMA synchronous = OFF"))
        yield table


def at(position):
    """Return the state of a company whose changes were delivered up to a position."""
    since = T0 + timedelta(hours=position)
    return SERIALIZER.dumps(SyncState(entities={"Invoice": EntityState(since, seen={"1": str(position)})}))


def position(state):
    return 0 if state is None else int((SERIALIZER.loads(state).of("Invoice").since - T0) / timedelta(hours=1))


# ---- the weakest of several states -----------------------------------------------------------------------------------


def test_one_state_is_what_it_is():
    state = SyncState(3, {"Invoice": EntityState(T0, 5, seen={"1": "v"}, digest="d")})
    assert earliest([state]) == state


def test_the_earliest_time_counts_and_what_was_delivered_is_forgotten():
    one = SyncState(3, {"Invoice": EntityState(T0, 5, seen={"1": "v"}, digest="d")})
    two = SyncState(4, {"Invoice": EntityState(T0 + timedelta(1), 6, seen={"2": "v"}, digest="e")})
    for states in ([one, two], [two, one]):
        found = earliest(states)
        assert found.of("Invoice").since == T0
        assert (found.of("Invoice").seen, found.of("Invoice").digest) == ({}, None)
        assert found.round == 4


def test_each_entity_counts_for_itself():
    one = SyncState(3, {"Invoice": EntityState(T0), "Customer": EntityState(T0 + timedelta(1))})
    two = SyncState(3, {"Invoice": EntityState(T0 + timedelta(1)), "Customer": EntityState(T0)})
    assert {name: found.since for name, found in earliest([one, two]).entities.items()} == {
        "Invoice": T0,
        "Customer": T0,
    }


def test_what_is_the_same_in_all_states_is_kept():
    same = EntityState(None, 5, 2, {"1": "v"}, {"count": 1000})
    one = SyncState(3, {"Invoice": same, "Customer": EntityState(T0)})
    assert earliest([one, SyncState(3, {"Invoice": same})]).of("Invoice") == same


@pytest.mark.parametrize(
    "other",
    [EntityState(None, 5, cursor={"count": 2000}), EntityState(None, 5), EntityState(T0, 5), None],
    ids=["another position", "before the first page", "complete", "never read"],
)
def test_a_snapshot_begins_again_unless_all_are_at_the_same_position(other):
    one = SyncState(3, {"Invoice": EntityState(None, 5, 2, {"1": "v"}, {"count": 1000})})
    two = SyncState(3, {} if other is None else {"Invoice": other})
    for states in ([one, two], [two, one]):
        found = earliest(states).of("Invoice")
        assert (found.since, found.cursor, found.seen) == (None, None, {})


def test_of_a_connection__nothing_read_and_foreign_states_are_the_weakest(connection):
    assert position(earliest_state(connection, [at(5), at(3), at(4)])) == 3
    assert earliest_state(connection, [at(5), None]) is None
    assert earliest_state(connection, []) is None
    other = StateSerializer(Settings.parse(company(1, client_secret="another"))).dumps(SyncState())
    assert earliest_state(connection, [at(5), other]) is None
    foreign = StateSerializer(Settings.parse(company(2))).dumps(SyncState())
    assert earliest_state(connection, [foreign]) is None


def test_of_a_connection__a_state_of_a_newer_version_is_refused(connection):
    with pytest.raises(InputError, match="version '2'"):
        earliest_state(connection, [at(5) | {"version": 2}])


# ---- offsets ---------------------------------------------------------------------------------------------------------


def test_offsets_are_small_and_read_back():
    first = Offset.parse(Offset().to_dict()).next(T0)
    assert Offset.parse(first.to_dict()) == first
    second = first.next(T0)
    assert (second.stream, second.batch) == (first.stream, 2)
    assert len(str(second.to_dict())) < 120
    assert Offset().next().stream != first.stream


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"stream": "x", "batch": 0},
        {"stream": "", "batch": 1, "time": "2026-05-31T00:00:00+00:00"},
        {"stream": "x", "batch": -1, "time": "2026-05-31T00:00:00+00:00"},
        {"stream": "x", "batch": 1},
        {"stream": "x", "batch": 1, "time": "yesterday"},
        {"stream": "x", "batch": "1", "time": "2026-05-31T00:00:00+00:00"},
        {"stream": 1, "batch": 1, "time": "2026-05-31T00:00:00+00:00"},
    ],
)
def test_an_offset_of_another_source_is_refused(value):
    with pytest.raises(InputError, match="checkpoint"):
        Offset.parse(value)


def reader():
    options = SparkOptions.parse({"entity": "*", "registry": "/nowhere"}, "stream")
    return QuickBooksStreamReader(options, CHANGE_SCHEMA)


def test_each_trigger_plans_a_batch_without_a_look_at_anything():
    planner = reader()
    first = planner.latestOffset(planner.initialOffset(), None)
    second = planner.latestOffset(first, None)
    assert (first["batch"], second["batch"], second["stream"]) == (1, 2, first["stream"])
    assert reader().latestOffset(second, None)["stream"] == first["stream"]
    assert planner.partitions(first, first) == []


def test_a_run_until_now_plans_one_batch_also_if_spark_asks_again():
    planner = reader()
    planner.prepareForTriggerAvailableNow()
    first = planner.latestOffset(planner.initialOffset(), None)
    assert planner.latestOffset(planner.initialOffset(), None) == first
    assert planner.latestOffset(first, None) == first


def test_spark_before_4_2_asks_without_a_start():
    planner = reader()
    first = planner.latestOffset()
    assert first["batch"] == 1
    planner.partitions(first, first)  # as Spark says where a query continues
    assert planner.latestOffset() | {"time": ""} == first | {"batch": 2, "time": ""}


# ---- checkpoints that do not fit -------------------------------------------------------------------------------------


def run_batch(table, start, *reached, ids=IDS):
    """Read a batch without incident; return its end."""
    end = start.next(T0)
    begin_batch(table, start, end, ids)
    attempt = Attempt(table, start, end, ids)
    for id_ in ids:
        for state in reached:
            attempt.reach(id_, state)
        attempt.end(id_)
    return end


def test_a_checkpoint_without_its_table_fails(table):
    end = run_batch(table, Offset(), at(1))
    table.forget(end.stream)
    with pytest.raises(InputError, match=r"at batch 1, and .* has no states of that batch.*new checkpoint"):
        run_batch(table, end)


def test_a_checkpoint_that_is_older_than_the_table_fails(table):
    offsets = [Offset()]
    for number in range(5):
        offsets.append(run_batch(table, offsets[-1], at(number)))
        prune(table, offsets[-1])
    run_batch(table, offsets[4])
    with pytest.raises(InputError, match="no states of that batch"):
        run_batch(table, offsets[3])


def test_a_damaged_state_is_the_error_of_its_company_and_stays_for_the_next_batch(table, connection):
    end = run_batch(table, Offset(), at(1))
    table.save(end.stream, 1, "damage", {"acme": ["{"]})
    for _ in range(2):
        attempt = Attempt(table, end, end.next(T0), IDS)
        with pytest.raises(DamagedStateError):
            attempt.state(connection, "acme")
        assert position(attempt.state(connection, "birch")) == 1
        end = run_batch(table, end)


def test_a_new_company_begins_at_the_beginning_and_one_that_returns_where_it_was(table, connection):
    end = run_batch(table, Offset(), at(4), ids=("acme", "birch"))
    for number in range(3):
        end = run_batch(table, end, at(5 + number), ids=("acme", "zulu"))
        prune(table, end)
    attempt = Attempt(table, end, end.next(T0), ("acme", "birch", "new"))
    assert position(attempt.state(connection, "acme")) == 7
    assert position(attempt.state(connection, "birch")) == 4
    assert attempt.state(connection, "new") is None


# ---- everything that Spark may do ------------------------------------------------------------------------------------


@dataclasses.dataclass
class Running:
    """An attempt of a task that has not ended."""

    attempt: Attempt
    start: dict[str, int]
    reached: dict[str, int] = dataclasses.field(default_factory=dict)
    ended: set[str] = dataclasses.field(default_factory=set)


class Model:
    """Spark, a sink that applies rows by key, and companies whose changes are numbered.

    The sink's copy of a company is complete up to a number. Output that starts after it would leave a gap: that is what
    must not happen.
    """

    def __init__(self, table, connection, draw):
        self.table, self.connection, self.draw = table, connection, draw
        self.heads = dict.fromkeys(IDS, 0)
        self.copies = dict.fromkeys(IDS, 0)
        self.start, self.end, self.ids = Offset(), None, ()
        self.zombies = []

    def choose(self, *choices):
        return self.draw(st.sampled_from(choices))

    def happens(self):
        return self.draw(st.booleans())

    # ---- Spark ----

    def plan(self, ids=None):
        """Plan a batch, or plan the same batch again after a restart."""
        self.end = self.end or self.start.next(T0)
        ids = ids or tuple(id_ for id_ in IDS if self.happens())
        self.ids = sorted(begin_batch(self.table, self.start, self.end, ids))

    def begin_task(self):
        """Begin an attempt of all companies of the batch: one task."""
        attempt = Attempt(self.table, self.start, self.end, self.ids)
        found = {id_: position(attempt.state(self.connection, id_)) for id_ in self.ids}
        return Running(attempt, found)

    def step(self, running):
        """Read some of the next company, or all of it, or fail in it; return whether the task has ended."""
        waiting = [id_ for id_ in running.start if id_ not in running.ended]
        if not waiting:
            return True
        id_ = waiting[0]
        at_ = running.reached.get(id_, running.start[id_])
        event = self.choose("all", "some", "fails")
        if event != "fails":
            at_ = self.heads[id_] if event == "all" else min(at_ + 1, self.heads[id_])
            running.attempt.reach(id_, at(at_))
            running.reached[id_] = at_
        if event != "some":
            running.attempt.end(id_)
            running.ended.add(id_)
        return len(running.ended) == len(running.start)

    def apply(self, running):
        """Apply the output of an attempt that has ended, by key."""
        for id_, start in running.start.items():
            assert start <= self.copies[id_], f"changes {self.copies[id_] + 1} to {start} of {id_} are lost"
            self.copies[id_] = max(self.copies[id_], running.reached.get(id_, start))

    def run_task(self):
        """Repeat the task until an attempt counts; others end later, or never."""
        for repetition in range(3):
            running = self.begin_task()
            is_last, is_killed = repetition == 2 or self.happens(), False
            while not is_killed and not self.step(running):
                for id_ in self.ids:
                    self.heads[id_] += self.choose(0, 1)
                is_killed = not is_last and self.happens()
            if is_last:
                return running
            self.zombies.append(running)  # killed, or ended, but Spark did not hear of it
        raise AssertionError

    def wake_zombies(self):
        for running in self.zombies:
            if self.happens():
                self.step(running)
        self.zombies = [running for running in self.zombies if len(running.ended) < len(running.start)][-3:]

    def batch(self):
        """Read a batch, with crashes of the driver, until it is committed."""
        is_applied = False
        for crashes_left in (2, 1, 0):
            self.plan()
            self.wake_zombies()
            if crashes_left and self.choose("go on", "crash") == "crash":
                continue
            running = self.run_task()
            self.wake_zombies()
            # A sink may skip a batch that it has applied already.
            if not is_applied or self.happens():
                self.apply(running)
                is_applied = True
            if self.choose("go on", "crash") == "go on":
                break
        self.start, self.end = self.end, None
        if self.happens():
            prune(self.table, self.start)

    def finish(self):
        """Read one more batch without incident: the copies must equal the companies."""
        self.plan(IDS)
        running = self.begin_task()
        for id_ in IDS:
            running.reached[id_] = self.heads[id_]
        self.apply(running)
        assert self.copies == self.heads


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), batches=st.integers(1, 5))
def test_nothing_is_lost_if_readers_repeat_are_killed_or_late(table, connection, data, batches):
    model = Model(table, connection, data.draw)
    for _ in range(batches):
        for id_ in IDS:
            model.heads[id_] += data.draw(st.integers(0, 2))
        model.batch()
    model.finish()
    table.forget(model.end.stream)


def test_a_discarded_success_does_not_win_over_a_failure_that_counts(table, connection):
    start, end = Offset(), Offset().next(T0)
    begin_batch(table, start, end, IDS)
    discarded, counted = Attempt(table, start, end, IDS), Attempt(table, start, end, IDS)
    discarded.reach("acme", at(5))
    discarded.end("acme")
    counted.end("acme")
    assert Attempt(table, end, end.next(T0), IDS).state(connection, "acme") is None


@pytest.mark.parametrize("is_late", [False, True], ids=["before the restart", "after the restart"])
def test_a_company_that_the_repeated_batch_leaves_out_starts_where_it_was(table, connection, is_late):
    """Also a company that was new in the batch, and an attempt that ends after the restart."""
    first = run_batch(table, Offset(), at(3), ids=("acme",))
    end = first.next(T0)
    assert begin_batch(table, first, end, ("acme", "birch", "zulu")) == {"acme", "birch", "zulu"}
    lost = Attempt(table, first, end, ("acme", "zulu"))
    for id_ in ("acme", "zulu"):
        lost.reach(id_, at(7))

    def store():
        lost.end("acme")
        lost.end("zulu")

    if not is_late:
        store()
    assert begin_batch(table, first, end, ("birch",)) == {"birch"}
    if is_late:
        store()
    following = Attempt(table, end, end.next(T0), IDS)
    assert position(following.state(connection, "acme")) == 3
    assert following.state(connection, "zulu") is None


def test_a_repeated_batch_reads_no_company_that_was_not_planned_at_first(table):
    """The sink may have applied the first output already, and skip the second one by the number of the batch."""
    end = Offset().next(T0)
    assert begin_batch(table, Offset(), end, ("acme",)) == {"acme"}
    assert begin_batch(table, Offset(), end, ("acme", "zulu")) == {"acme"}
    assert begin_batch(table, end, end.next(T0), ("acme", "zulu")) == {"acme", "zulu"}
