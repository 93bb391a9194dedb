"""A Spark in this process's own JVM: two task slots, loopback only, no files outside a temporary directory.

`make test` installs Java where it can (`.ci/system-packages`), and PySpark, which takes 480 MB: other environments go
without. All test files named `test_spark*.py` go to one worker of pytest-xdist, so that one JVM serves them.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys

import pytest

_SPARK = "test_spark"
CONFIGURATION = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.log.level": "ERROR",
    "spark.sql.catalogImplementation": "in-memory",  # no Hive, no Derby
    "spark.sql.python.filterPushdown.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Let one worker have all files that need Spark, and distribute the others by file."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class OneWorkerForSpark(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return _SPARK if file.rpartition("/")[2].startswith(_SPARK) else file

    return OneWorkerForSpark(config, log)


def needs_spark(item):
    """Return whether a test is one of those that one worker does alone."""
    return item.path.name.startswith(_SPARK)


def need_spark():
    """Skip the test where PySpark or Java is missing."""
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("!!! NOT TESTED WITH SPARK: pip install 'vantage-quickbooks[spark]' !!!")
    if shutil.which("java") is None:
        pytest.skip("!!! NOT TESTED WITH SPARK: as root, apt-get install openjdk-17-jre-headless !!!")


@pytest.fixture(scope="session")
def spark_configuration(tmp_path_factory):
    """Configuration of a local Spark; programs that tests start build their own session with it."""
    need_spark()
    folder = tmp_path_factory.mktemp("spark")
    java = f"-Djava.io.tmpdir={folder} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    return CONFIGURATION | {
        "spark.driver.extraJavaOptions": java,
        "spark.local.dir": str(folder / "local"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }


@pytest.fixture(scope="session")
def spark_environment(tmp_path_factory):
    """Environment variables of a process that starts Spark, besides those that it inherits."""
    return {
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "XDG_STATE_HOME": str(tmp_path_factory.mktemp("spark-state")),
    }


@pytest.fixture(scope="session")
def spark(spark_configuration, spark_environment):
    """A running SparkSession, local[2]; its Python workers have the environment that the session started with."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("VANTAGE_QUICKBOOKS_", "SPARK_", "PYSPARK_"))]:
            patch.delenv(name)
        for name, value in spark_environment.items():
            patch.setenv(name, value)
        from pyspark.sql import SparkSession

        session = SparkSession.builder.master("local[2]").config(map=spark_configuration).getOrCreate()
        try:
            yield session
        finally:
            _stop(session)


def _stop(session):
    """Stop the session and the process behind it, which Spark itself keeps until Python exits."""
    from pyspark import SparkContext

    gateway = session.sparkContext._gateway
    session.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()  # the JVM ends when its input does
    gateway.proc.wait(60)
    SparkContext._gateway = SparkContext._jvm = None
