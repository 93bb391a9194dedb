"""What draws the pages, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from starlette.responses import RedirectResponse, Response

from vantage_quickbooks.web import charts, formatting

if TYPE_CHECKING:
    from starlette.requests import Request

    from vantage_quickbooks.web.store import StoreError

__all__ = ["NotFound", "Templates", "on_not_found", "on_store_error", "see", "sent"]


class NotFound(Exception):  # noqa: N818 -- what there is to say
    """There is no such page; the message says what is missing."""


class Templates:
    """The pages' templates: escaped always, and an undefined name is a defect."""

    def __init__(self) -> None:
        loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
        self._environment = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._environment.filters |= {"when": formatting.instants, "words": formatting.words}
        self._environment.globals |= {"chart_width": charts.WIDTH, "chart": charts}

    def page(self, template: str, status: int = 200, *, csrf: str = "", **values: Any) -> Response:
        """Return a page."""
        text = self._environment.get_template(template).render(csrf=csrf, **values)
        return Response(text, status, media_type="text/html; charset=utf-8")

    def message(self, status: int, title: str, text: str, **values: Any) -> Response:
        """Return a page that says one thing."""
        values = {"link": None, "link_text": "", "error": None, **values}
        return self.page("message.html", status, title=title, text=text, **values)


def on_not_found(templates: Templates, error: NotFound) -> Response:
    """Return the page for what is not there."""
    return templates.message(404, "Not found", str(error), link="/", link_text="Back to the start")


def on_store_error(templates: Templates, error: StoreError) -> Response:
    """Return the page for files that cannot be used."""
    return templates.message(500, "The connections cannot be read or kept", str(error))


def sent(request: Request) -> dict[str, list[str]]:
    """Return what a form's fields hold; their names carry a prefix, so that none is taken for one of ours."""
    form: dict[str, list[str]] = request.state.form
    return {name.removeprefix("field-"): values for name, values in form.items() if name.startswith("field-")}


def see(path: str) -> Response:
    """Lead on to another page, by GET."""
    return RedirectResponse(path, 303)
