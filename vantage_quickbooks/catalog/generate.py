"""Writes what follows from the rows of the catalog: schemas, forms, and tables of the docs.

Run by `make schemas`: `python -m vantage_quickbooks.catalog.generate FOLDER`, where FOLDER is the checkout.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from vantage_quickbooks.catalog.docs_tables import PAGES, write_tables
from vantage_quickbooks.catalog.resources import RESOURCES
from vantage_quickbooks.catalog.schemas import get_files, list_files
from vantage_quickbooks.catalog.schemas.paid_invoices import paid_invoices_files
from vantage_quickbooks.catalog.schemas.reports import report_files
from vantage_quickbooks.catalog.schemas.sync import sync_files

__all__ = ["generated_files", "main"]

BY_HAND = (
    "descriptor.schema", "envelope.schema", "settings.schema", "settings.form",
    *(f"{action}.{part}" for action in ("getCompanyInfo", "getAccessToken", "query")
      for part in ("input.schema", "form", "output.schema")),
)  # fmt: skip
"""The files of `schemas/` that no row describes."""


def generated_files() -> dict[str, str]:
    """Return the text of every generated file in `schemas/`, by name without `.json`."""
    by_list_id = {resource.list_id: resource for resource in RESOURCES}
    files: dict[str, dict[str, Any]] = sync_files() | report_files(by_list_id) | paid_invoices_files()
    for resource in RESOURCES:
        if resource.is_queryable:
            files |= list_files(resource, by_list_id)
        if resource.path is not None:
            files |= get_files(resource, by_list_id)
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in files.items()}


def main(root: Path) -> None:
    """Write the generated files below *root*, and remove those that no row generates any more."""
    files = generated_files()
    folder = root / "schemas"
    for path in folder.glob("*.json"):
        if path.stem not in files and path.stem not in BY_HAND:
            path.unlink()
    for name, text in files.items():
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    for name in PAGES:
        page = root / "docs" / name
        page.write_text(write_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
