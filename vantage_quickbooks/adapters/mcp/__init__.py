"""A server of the Model Context Protocol (https://modelcontextprotocol.io) for AI agents; the extra `[mcp]`.

One server serves all companies of a registry. Its tools are few and their answers short, because an agent pays for
each character that it reads.

`tools` has the tools, as functions of a session and of arguments, without any protocol; `server` offers them over the
official SDK, and `http` over HTTP.
"""

from __future__ import annotations
