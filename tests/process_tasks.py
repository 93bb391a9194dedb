"""Tasks and registries that worker processes import."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from vantage_quickbooks.errors import NetworkError
from vantage_quickbooks.registry import HostRegistry, open_registry


def read_name(connection, run):
    run.result = {"name": connection.invoke("getCompanyInfo")["companyInfo"]["CompanyName"], "process": os.getpid()}


class Meet:
    """Waits until so many processes run a task at the same time."""

    def __init__(self, folder, processes):
        self.folder, self.processes = folder, processes

    def __call__(self, _, run):
        run.result = {"process": os.getpid()}
        (self.folder / str(os.getpid())).touch()
        while len(list(self.folder.iterdir())) < self.processes:
            time.sleep(0.002)


class DieAt:
    """Ends the process that runs this company, in a way that nothing can catch."""

    def __init__(self, id_, how=signal.SIGKILL):
        self.id, self.how = id_, how

    def __call__(self, connection, run):
        if run.id == self.id:
            if self.how == "exit":
                os._exit(3)
            os.kill(os.getpid(), self.how)
            threading.Event().wait()
        read_name(connection, run)


class FailOnce:
    """Fails at the first attempt of this company, in whatever process."""

    def __init__(self, id_, marker):
        self.id, self.marker = id_, marker

    def __call__(self, connection, run):
        if run.id == self.id and not self.marker.exists():
            self.marker.touch()
            raise NetworkError("No response.")
        read_name(connection, run)


class AskToEnd:
    """Sends SIGTERM to the own process, which ends its companies as Ctrl-C does; for the first company only."""

    def __init__(self, marker):
        self.marker = marker

    def __call__(self, connection, run):
        if not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGTERM)
            while True:
                connection.invoke("getCompanyInfo")
        read_name(connection, run)


class Hang:
    """Notes that it was called, and never returns."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, *_):
        (Path(self.folder) / "hangs").touch()
        threading.Event().wait()


def return_a_lock(_, run):
    run.result = {"lock": threading.Lock()} if run.id == "birch" else {}


def die_in_a_worker(path, parent):
    """Open a registry, but in the process that tests only."""
    if os.getpid() != parent:
        os._exit(7)
    return open_registry(path)


def refuse_in_a_worker(path, parent):
    """Open a registry, but in the process that tests only."""
    return open_registry(path if os.getpid() == parent else "nonsense://nowhere")


def no_list():
    return HostRegistry(load={}.__getitem__)


class Note:
    """Notes each process that calls it."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self):
        (Path(self.folder) / f"started-{os.getpid()}").touch()
