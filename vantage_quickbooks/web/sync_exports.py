"""Exports: a whole list or a report of a connection as a file, made in the background.

A file is written under another name and appears when it is complete; a run that fails or is canceled leaves none.
"""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING, Any

from starlette.responses import FileResponse

from vantage_quickbooks.errors import CancelledError, ConnectorError
from vantage_quickbooks.tabular import csv_text
from vantage_quickbooks.web import download
from vantage_quickbooks.web.listings import action_fields
from vantage_quickbooks.web.runs import Run
from vantage_quickbooks.web.templating import NotFound
from vantage_quickbooks.web.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from vantage_quickbooks.contract import Connection
    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.store import Record

__all__ = ["FORMATS", "ExportPages", "ExportTask"]

FORMATS = {
    "csv": ("CSV", "The columns of the table, for spreadsheets."),
    "ndjson": ("NDJSON", "One record per line, with all fields."),
    "parquet": ("Parquet", "Typed columns, for pandas, DuckDB and warehouses."),
}
"""Formats of files, with their names and what they are for."""

_MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


class ExportTask:
    """An export of one action's rows.

    Args:
        host: The connections.
        title: What is exported.
        action: The action's descriptor.
        data: Its input.
        kind: A name of `FORMATS`.
        path: Where to write the file.

    Attributes:
        title: For the pages of the run.
        template: That of its outcome.
        what: What is exported.
        kind: The format.
        file_name: The name of the file for the browser.
        size: Bytes of the file.
        count: Rows of the file.
    """

    template = "export_result.html"

    def __init__(  # noqa: PLR0917 -- what it writes, and where
        self, host: Host, title: str, action: Mapping[str, Any], data: Mapping[str, Any], kind: str, path: Path
    ) -> None:
        self._host = host
        self._action = action
        self._data = data
        self._path = path
        self.kind = kind
        self.what = title
        self.title = f"Export of {title}"
        self.file_name = ""
        self.size = self.count = 0

    def execute(self, run: Run) -> None:
        """Write the file, and show it when it is complete."""
        connection = self._host.connection(run.record)
        draft = self._path.with_name(f"{self._path.name}.part")
        try:
            writers: dict[str, Callable[[Run, Connection, Path], None]] = {
                "csv": self._write_csv,
                "ndjson": self._write_lines,
                "parquet": self._write_parquet,
            }
            try:
                writers[self.kind](run, connection, draft)
                draft.replace(self._path)
            except OSError as error:
                raise ConnectorError(
                    f"The file cannot be written: {error.strerror or type(error).__name__}. Free some space on the "
                    "disk for temporary files (TMPDIR), and export again.",
                    code="OUTPUT_UNWRITABLE",
                ) from None
        finally:
            draft.unlink(missing_ok=True)
        name = f"{run.record.id}-{self._action['id']}"
        chosen = "-".join(str(value) for value in self._data.values() if isinstance(value, str))
        self.file_name = f"{name}{'-' + chosen if chosen else ''}-{run.started_at:%Y-%m-%d}.{self.kind}"
        self.size = self._path.stat().st_size
        run.file, run.done = self._path, self.count

    def _offers(self, run: Run, capability: str) -> bool:
        return self._host.offers(run.record.connector, capability, run.record)

    def _pages(self, run: Run, connection: Connection, as_: str) -> Iterator[Any]:
        for page in connection.stream(self._action["id"], self._data, as_=as_):  # type: ignore[arg-type]
            if run.is_cancelled():
                raise CancelledError("The export was canceled.")
            yield page

    def _rows(self, run: Run, connection: Connection) -> Iterator[list[Mapping[str, Any]]]:
        """Yield the rows of each page, or those of a connector that has no pages."""
        key = self._action["rowsKey"]
        if self._offers(run, "stream"):
            pages: Iterator[Any] = (page.get(key, []) for page in self._pages(run, connection, "results"))
        else:
            outcome = connection.call(self._action["id"], self._data)
            if not outcome["success"]:
                run.error = outcome["error"]
                return
            pages = iter([outcome["data"].get(key, [])])
        for rows in pages:
            yield rows
            self.count += len(rows)

    def _write_csv(self, run: Run, connection: Connection, path: Path) -> None:
        # The columns are those of all rows, so the rows are on disk before the first line is written.
        for rows in self._rows(run, connection):
            run.rows.append(rows)
        with path.open("xb") as file:
            if not run.rows:
                names = [column.field for column in run.rows.fields.columns]
                file.write(f"\ufeff{csv_text([], names)}".encode())
                return
            for chunk in download.as_csv(run):
                file.write(chunk)

    def _write_lines(self, run: Run, connection: Connection, path: Path) -> None:
        has_lines = self._offers(run, "ndjson") and bool(self._action.get("fullReadInput"))
        with path.open("xb") as file:
            if has_lines:
                for lines in self._pages(run, connection, "ndjson"):
                    file.write(lines)
                    self.count += bytes(lines).count(b"\n")
                return
            for rows in self._rows(run, connection):
                for row in rows:
                    file.write(json.dumps(row, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")

    def _write_parquet(self, run: Run, connection: Connection, path: Path) -> None:
        from pyarrow import parquet  # noqa: PLC0415 -- optional, and slow to import

        writer = None
        try:
            for batch in self._pages(run, connection, "arrow"):
                writer = writer or parquet.ParquetWriter(path, batch.schema, compression="zstd")
                writer.write_batch(batch)
                self.count += batch.num_rows
        finally:
            if writer is not None:
                writer.close()
        if writer is None:
            raise ConnectorError("There is nothing to export.", code="NOTHING_TO_EXPORT")


class ExportPages(View):
    """The form of an export, and its file.

    Args:
        host: The connectors and connections.
        runs: The runs.
        templates: The page templates.
    """

    def show(self, request: Request) -> Response:
        """Show the form."""
        return self._form(request, self._record(request), "")

    def start(self, request: Request) -> Response:
        """Start an export."""
        record = self._record(request)
        form = request.state.form
        what, kind = form.get("what", [""])[0], form.get("format", [""])[0]
        titles = {value: title for _, options in self._choices(record) for value, title in options}
        if what not in titles or kind not in self._formats(record):
            return self._form(request, record, "Choose what to export, and a format.", what)
        action_id, _, option = what.partition(":")
        action = self._host.action(record.connector, action_id) or {}
        data = dict(action.get("fullReadInput") or {})
        if option:
            data[_only_choice(action)[0]] = option
        run = Run(record, None)
        path = self._runs.new_file(f"{run.id}.{kind}")
        run.task = ExportTask(self._host, titles[what], action, data, kind, path)
        if not self._runs.start(run, action):
            return self._too_many_runs()
        run.wait()
        return self._to_result(run)

    def file(self, request: Request) -> Response:
        """Send the file of an export."""
        run = self._runs.get(request.path_params["run"])
        if run is None or run.file is None or not isinstance(run.task, ExportTask) or run.state != "done":
            raise NotFound("This file is no longer stored. Export again.")
        return FileResponse(run.file, media_type=_MEDIA[run.task.kind], filename=run.task.file_name)

    def _form(self, request: Request, record: Record, error: str, what: str = "") -> Response:
        target = self._host.sync_target
        can_sync = target is not None and self._host.offers(record.connector, "sync", record)
        return self._page(
            request,
            "export.html",
            422 if error else 200,
            record=record,
            choices=self._choices(record),
            formats=self._formats(record),
            error=error,
            what=what or request.query_params.get("what", ""),
            sync_place=target.describe() if target and can_sync else "",
            is_ready=self._host.is_ready(record),
        )

    def _formats(self, record: Record) -> dict[str, tuple[str, str]]:
        has_parquet = self._host.offers(record.connector, "arrow", record) and _has_pyarrow()
        return {kind: texts for kind, texts in FORMATS.items() if kind != "parquet" or has_parquet}

    def _choices(self, record: Record) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return what can be exported, as groups of values and titles: lists, and each choice of a report."""
        described = self._host.describe(record.connector)
        lists: list[tuple[str, str]] = []
        groups: list[tuple[str, list[tuple[str, str]]]] = []
        for listed in described["actions"]:
            if not listed["rowsKey"] or listed["readOnly"] is False or listed["sensitiveOutput"]:
                continue
            if listed["fullReadInput"]:
                title = str((listed.get("listing") or {}).get("title") or listed["title"])
                lists.append((str(listed["id"]), title))
            else:
                action = self._host.action(record.connector, str(listed["id"])) or {}
                _, options = _only_choice(action)
                if options:
                    values = [(f"{listed['id']}:{value}", label) for value, label in options]
                    groups.append((str(listed["title"]), values))
        return [*([("Lists", lists)] if lists else []), *groups]


def _only_choice(action: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    """Return the one required input of an action, if it is a choice, with its values and their labels."""
    required = [item for item in action_fields(action) if item.required]
    if len(required) != 1 or not required[0].options:
        return "", []
    return required[0].name, [(value, label) for value, label in required[0].options if value]


def _has_pyarrow() -> bool:
    return importlib.util.find_spec("pyarrow") is not None
