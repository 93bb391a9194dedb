"""Rendering of pages, and helpers for requests and responses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from starlette.responses import RedirectResponse, Response

from vantage_quickbooks.web import charts, formatting

if TYPE_CHECKING:
    from starlette.requests import Request

    from vantage_quickbooks.web.store import StoreError

__all__ = ["NotFound", "Templates", "form_values", "on_not_found", "on_store_error", "redirect"]


class NotFound(Exception):  # noqa: N818 -- named like the HTTP status
    """The page does not exist; the message says what is missing."""


class Templates:
    """The page templates, with autoescape on and undefined names as errors."""

    def __init__(self) -> None:
        loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
        self._environment = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._environment.filters |= {
            "when": formatting.instants,
            "words": formatting.words,
            "lower_first": formatting.lower_first,
        }
        self._environment.globals |= {"chart_width": charts.WIDTH, "chart": charts}

    def page(self, template: str, status: int = 200, *, csrf: str = "", **values: Any) -> Response:
        """Return a page."""
        text = self._environment.get_template(template).render(csrf=csrf, **values)
        return Response(text, status, media_type="text/html; charset=utf-8")

    def message(self, status: int, title: str, text: str, **values: Any) -> Response:
        """Return a page with a short message."""
        values = {"link": None, "link_text": "", "error": None, **values}
        return self.page("message.html", status, title=title, text=text, **values)

    def sign_in(self, target: str, is_wrong: bool) -> Response:
        """Return the page that asks for the access key."""
        return self.page("sign_in.html", 401, target=target, is_wrong=is_wrong)

    def again(self, path: str) -> Response:
        """Return a page that requests a path of this site once more, now with its Strict cookies."""
        return self.page("bounce.html", title="Reconnect", target=path, name="this page", is_away=False, is_again=True)


def on_not_found(templates: Templates, error: NotFound) -> Response:
    """Return the page for status 404."""
    return templates.message(404, "Not found", str(error), link="/", link_text="Back to connections")


def on_store_error(templates: Templates, error: StoreError) -> Response:
    """Return the page for a store that cannot be used."""
    members = error.error.to_dict() if error.error else None
    status = 503 if members and members["code"] == "REGISTRY_UNAVAILABLE" else 500
    title = "Connections cannot be read or saved"
    return templates.message(status, title, str(error), error=members, link="/", link_text="Back to connections")


def form_values(request: Request) -> dict[str, list[str]]:
    """Return the values of a form's fields; a prefix distinguishes them from other inputs, such as `csrf`."""
    form: dict[str, list[str]] = request.state.form
    return {name.removeprefix("field-"): values for name, values in form.items() if name.startswith("field-")}


def redirect(path: str) -> Response:
    """Return a redirect that the browser follows with GET."""
    return RedirectResponse(path, 303)
