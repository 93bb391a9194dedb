"""The page at `/`: what the emulator is, the requests it received, and buttons for faults and other controls.

Plain HTML with a little CSS: it loads nothing and runs no script. Every button is a form that posts to a control
endpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.control.clients import CLIENTS, lines_for
from vantage_quickbooks.emulator.faults.injector import KINDS
from vantage_quickbooks.emulator.http.limits import describe

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.world import World

_MAX_REQUESTS_SHOWN = 50  # requests
_REFRESH_S = 3
_ALWAYS_SHOWN_OPTIONS = ("status", "seconds")  # shown even with their default value
_DONE = {
    "reset": "Everything was reset.",
    "clock": "The clock was moved.",
    "faults": "The fault was added.",
    "faults/clear": "All faults were cleared.",
    "latency": "The latency was changed.",
    "limits": "The limits were changed.",
    "tokens/expire": "All access tokens have expired. Clients must refresh.",
    "grants": "A new grant was added; its refresh token is shown below.",
    "grants/revoke": "All grants are revoked. Refresh tokens are invalid until a reset or a new grant.",
}
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='4' fill='%230b6b45'/%3E"
    "%3Cpath d='M4 5h8M4 8h8M4 11h5' stroke='%23fff' stroke-width='1.6'/%3E%3C/svg%3E"
)


def render(world: World, asked: Mapping[str, str], *, error: str = "") -> str:
    """Return the page as an HTML document.

    Args:
        world: The world of a running emulator.
        asked: The page's own parameters: `done` (the action that a button ran) and `refresh`.
        error: Why a button's action failed.
    """
    state = world.state()
    about = f'<div class="two">{_credentials(world)}{_counts(world, state)}</div>{_shell(world)}'
    parts = [_faults(state), _state_buttons(state), _requests(world)]
    parts.insert(len(parts) if world.requests() else 0, about)  # before the first request, how to connect comes first
    refresh = "refresh" in asked
    name = world.company().name()
    title = f"{name} · QuickBooks emulator"
    note = f'<p class="note bad" role="alert">{escape(error)}</p>' if error else ""
    if not note and asked.get("done") in _DONE:
        note = f'<p class="note" role="status">{_DONE[asked["done"]]}</p>'
    again = f'<meta http-equiv="refresh" content="{_REFRESH_S};url=/?refresh=on">' if refresh else ""
    link = '<a href="/">Stop auto-refresh</a>' if refresh else '<a href="/?refresh=on">Auto-refresh</a>'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="icon" href="{_ICON}">{again}<style>{_style()}</style></head><body>'
        f"<header><h1>{escape(name)}<small>A local QuickBooks at {escape(world.url)}</small></h1>"
        f'<nav>{link}<a href="/_emulator/state">State as JSON</a></nav></header><main>{note}{_facts(state)}'
        f"{''.join(parts)}</main>"
        "<footer>An emulator: all its data and secrets are made up. Not affiliated with Intuit.</footer></body></html>"
    )


@cache
def _style() -> str:
    return (resources.files(__package__) / "page.css").read_text("utf-8")


# ---- parts ----


def _facts(state: Mapping[str, Any]) -> str:
    tokens, counters = state["tokens"], state["counters"]
    asked, issued = counters["api_requests"], counters["token_requests"]
    statuses = ", ".join(
        f"{status if status != '0' else 'reset'}: {number:,}" for status, number in asked["by_status"].items()
    )
    limits = describe(state["limits"])
    moment = state["now"]
    facts = [
        ("Valid access tokens", f"{tokens['access_tokens_alive']:,}", _plural(tokens["grants"], "grant")),
        ("API requests", f"{asked['total']:,}", statuses or "none yet"),
        ("Token requests", f"{issued['total']:,}", f"{issued['failed']:,} refused"),
        ("Max concurrent", f"{counters['max_concurrent']:,}", _plural(counters["connections"], "connection")),
        ("Clock (UTC)", moment[11:19], f"{moment[:10]}, {_clock_offset(state['clock_offset_s'])}{_as_of(state)}"),
        ("Limits", "on" if state["limits"] else "off", limits),
    ]
    hooks, scenario = state["webhooks"], state["scenario"]
    if hooks["subscriptions"]:
        sent = f"{hooks['accepted']:,} of {hooks['sent']:,} accepted, {hooks['pending']:,} pending"
        facts.append(("Webhooks", _plural(hooks["subscriptions"], "subscription"), sent))
    if scenario:
        waits = f"waits for {_plural(scenario['awaited_requests'], 'request')}" if scenario["awaited_requests"] else ""
        facts.append(
            ("Scenario", f"{scenario['done']} of {scenario['steps']}", scenario.get("error") or waits or "done")
        )
    return (
        '<dl class="facts">'
        + "".join(f"<div><dt>{a}</dt><dd>{escape(b)}<small>{escape(c)}</small></dd></div>" for a, b, c in facts)
        + "</dl>"
    )


def _faults(state: Mapping[str, Any]) -> str:
    ready = [
        ("Throttle the next", {"kind": "throttle"}),
        ("503 to the next", {"kind": "html"}),
        ("Reset the next connection", {"kind": "reset"}),
        ("Cut the next answer in half", {"kind": "truncate"}),
        ("Delay the next by 5 s", {"kind": "latency", "seconds": "5"}),
    ]
    kinds = "".join(f"<option>{kind}</option>" for kind in KINDS)
    orders = "".join(f"<li>{_fault_rule(order)}</li>" for order in state["faults"])
    pending = (
        f'<ul class="orders">{orders}</ul><p>{_button("faults/clear", "Clear faults")}</p>'
        if orders
        else f'<p class="soft">No faults. {state["counters"]["faults_delivered"]:,} delivered so far.</p>'
    )
    return (
        '<div class="two"><section><h2>Inject a fault</h2><div class="row">'
        + "".join(_button("faults", label, **fields) for label, fields in ready)
        + '</div><h3>Any fault</h3><form class="row" method="post" action="/_emulator/faults">'
        f'<label>Kind <select name="kind">{kinds}</select></label>'
        '<label>Path <input name="path" placeholder="any, or /query"></label>'
        '<label>Times <input name="times" type="number" value="1" min="-1"></label>'
        f'<button class="main">Add</button></form></section><section><h2>Active faults</h2>{pending}'
        f"{_latency(state)}</section></div>"
    )


def _latency(state: Mapping[str, Any]) -> str:
    rules = "; ".join(_rule(rule) for rule in state["latency"])
    return (
        f'<h2 style="margin-top:1.2rem">Latency</h2><p class="soft">Now: {escape(rules or "none")}</p><div class="row">'
        + _button("latency", "0.2 s", fixed="0.2")
        + _button("latency", "Median 0.3 s, p99 2 s", median="0.3", p99="2")
        + _button("latency", "None")
        + "</div>"
    )


def _state_buttons(state: Mapping[str, Any]) -> str:
    limited = bool(state["limits"])
    return (
        '<section><h2>Tokens, clock, limits</h2><div class="row">'
        + _button("tokens/expire", "Expire access tokens")
        + _button("grants", "New grant")
        + _button("grants/revoke", "Revoke grants", look="bad")
        + _button("clock", "Clock + 1 hour", advance="3600")
        + _button("clock", "Clock + 1 day", advance="86400")
        + '<form class="row" method="post" action="/_emulator/clock"><label>As of '
        f'<input name="as_of" type="date" required value="{state["now"][:10]}"></label><button>Go</button></form>'
        + _button("limits", "Limits off" if limited else "Limits on", limits="false" if limited else "true")
        + ("" if "per_second" in state["limits"] else _button("limits", "Strict limits", limits="strict"))
        + _button("reset", "Reset everything", look="bad")
        + "</div></section>"
    )


def _requests(world: World) -> str:
    requests = world.requests()[: -_MAX_REQUESTS_SHOWN - 1 : -1]
    if not requests:
        text = "None yet. Run the commands above in a shell."
        return f'<section><h2>Recent requests</h2><p class="soft">{text}</p></section>'
    rows = "".join(
        f'<tr><td class="nowrap mono">{escape(r["time"][11:23])}</td><td>{_status_badge(r["status"])}</td>'
        f'<td class="mono">{escape(r["method"])}</td><td class="mono wide">{escape(r["path"][:300])}'
        + (f"<q>{escape(r['statement'][:500])}</q>" if r.get("statement") else "")
        + f'</td><td class="mono wide tid">{escape(r["intuit_tid"])}</td></tr>'
        for r in requests
    )
    return (
        "<section><h2>Recent requests</h2><table><thead><tr><th>Time</th><th>Status</th><th>Method</th>"
        f"<th>Path and statement</th><th>intuit_tid</th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _credentials(world: World) -> str:
    rows = "".join(
        f"<dt>{escape(_label(name))}</dt><dd><code>{escape(value)}</code></dd>"
        for name, value in world.credentials().items()
    )
    return f'<section><h2>Connect</h2><dl class="list">{rows}</dl></section>'


def _shell(world: World) -> str:
    others = "".join(
        f"<details><summary>{escape(name)} ({escape(client.install or client.language)})</summary>"
        f"<pre>{escape(lines_for(name, world))}</pre></details>"
        for name, client in CLIENTS.items()
        if name != "curl"
    )
    return f"<section><h2>In a shell</h2><pre>{escape(lines_for('curl', world))}</pre>{others}</section>"


def _counts(world: World, state: Mapping[str, Any]) -> str:
    parts = []
    for realm, counts in state["companies"].items():
        items = "".join(f"<li>{escape(entity)} <b>{number:,}</b></li>" for entity, number in counts.items())
        head = f"{escape(world.company(realm).name())}, realm {escape(realm)}"
        parts.append(f'<h3>{head}</h3><ul class="counts">{items}</ul>')
    return f"<section><h2>Data</h2>{''.join(parts)}</section>"


# ---- pieces ----


def _button(action: str, label: str, *, look: str = "", **fields: str) -> str:
    hidden = "".join(f'<input type="hidden" name="{k}" value="{escape(v)}">' for k, v in fields.items())
    look = f' class="{look}"' if look else ""
    return f'<form method="post" action="/_emulator/{action}">{hidden}<button{look}>{escape(label)}</button></form>'


def _status_badge(status: int) -> str:
    look = "good" if 200 <= status < 400 else "warn" if 400 <= status < 500 else "bad"
    return f'<span class="pill {look}">{status or "reset"}</span>'


def _fault_rule(order: Mapping[str, Any]) -> str:
    times = "no end" if order["times"] == -1 else _plural(order["times"], "request")
    where = " ".join(filter(None, (order["method"], order["path"])))
    parts = [times, f"at {where}" if where else "", f"after {order['after']}" if order["after"] else ""]
    others = {name: value for name, value in order.items() if name not in ("kind", "path", "method", "times", "after")}
    usual = {name: default for name, (default, _) in KINDS[order["kind"]].items() if name not in _ALWAYS_SHOWN_OPTIONS}
    parts += [f"{name} {value}" for name, value in others.items() if value is not None and value != usual.get(name)]
    return f"<b>{escape(order['kind'])}</b> <span class='soft'>{escape(', '.join(filter(None, parts)))}</span>"


def _rule(rule: Mapping[str, Any]) -> str:
    where = " ".join(str(rule[name]) for name in ("method", "path") if rule.get(name))
    numbers = {name: value for name, value in rule.items() if name not in ("method", "path")}
    parts = ", ".join(f"{name} {_numbers(value)} s" for name, value in numbers.items())
    return f"{parts} at {where}" if where else parts


def _numbers(value: object) -> str:
    return " to ".join(map(str, value)) if isinstance(value, Iterable) else str(value)


def _label(name: str) -> str:
    return name.replace("_", " ").replace("per ", "a ")


def _plural(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _as_of(state: Mapping[str, Any]) -> str:
    chosen = state["profile"]["as_of"]
    return f"; answers as of {chosen}" if chosen else ""


def _clock_offset(seconds: float) -> str:
    if abs(seconds) < 1:
        return "real time"
    units = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
    size, word = next(unit for unit in units if abs(seconds) >= unit[0])
    amount = _plural(round(abs(seconds) / size), word)
    return f"{amount} {'ahead' if seconds > 0 else 'behind'}"
