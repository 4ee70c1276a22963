"""The server of the page: on 127.0.0.1 alone, for whoever has the token, and nothing else.

    GET  /?token=…                 the page             GET  /files/TOKEN/NAME    its style and modules
    GET  /events?token=…           events of a new run  POST /do?token=…&page=…   a command for that run

The Host header must be this address, so that no name on the web can be made to lead here. A command is JSON of at most
256 kB. A page has a worker of its own, which ends with the stream of its events.
"""

import hmac
import json
import os
import re
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from functools import partial
from html import escape

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from minisft.errors import MinisftError
from minisft.lab.mistakes import MISTAKES, WHERE
from minisft.playground.film import STATIC
from minisft.playground.session import Session, Sessions

LARGEST = 256 * 1024  # bytes of a command: pasted rows are the largest
KINDS = {".css": "text/css", ".js": "text/javascript"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Door:
    """Lets in requests to this host with the token, and puts the policy on what goes out; all others get nothing."""

    def __init__(self, app: ASGIApp, hosts: set[str], token: str) -> None:
        self.app, self.hosts, self.token = app, hosts, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)
        origin = request.headers.get("origin")
        local = request.headers.get("host", "") in self.hosts
        same = origin is None or origin.removeprefix("http://") in self.hosts
        named = re.match(r"/files/([^/]+)/", request.url.path)
        token = named[1] if named else request.query_params.get("token", "")
        if local and same and hmac.compare_digest(token.encode(), self.token.encode()):
            await self.app(scope, receive, partial(with_headers, send))
        else:
            await PlainTextResponse("", status_code=403, headers=HEADERS)(scope, receive, send)


async def with_headers(send: Send, message: dict) -> None:
    if message["type"] == "http.response.start":
        own = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
        message = message | {"headers": [*message["headers"], *own]}
    await send(message)


def application(token: str, hosts: set[str], sessions: Sessions) -> ASGIApp:
    """The page, its files, events and commands, behind the door."""

    async def page(request: Request) -> Response:
        text = (STATIC / "index.html").read_text(encoding="utf-8")
        return HTMLResponse(text.replace("{{MISTAKES}}", menu()).replace("{{TOKEN}}", token))

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        known = {path.name: path for path in STATIC.iterdir() if path.suffix in KINDS}  # a name, never a path
        if name not in known:
            return PlainTextResponse("", status_code=404)
        return Response(known[name].read_bytes(), media_type=KINDS[known[name].suffix])

    async def events(request: Request) -> Response:
        session = await sessions.open()
        if session is None:
            return PlainTextResponse("too many pages are open; close one", status_code=503)
        return StreamingResponse(stream(session, request), media_type="text/event-stream")

    async def stream(session: Session, request: Request) -> AsyncIterator[str]:
        try:
            yield f"data: {json.dumps({'event': 'page', 'page': session.name})}\n\n"
            async for line in session.lines():
                if await request.is_disconnected():
                    break
                yield f"data: {line}\n\n" if line else ": still here\n\n"
        finally:
            await sessions.close(session)

    async def command(request: Request) -> Response:
        session = sessions.named(request.query_params.get("page", ""))
        if session is None:
            return PlainTextResponse("this page has no run; load it again", status_code=404)
        if request.headers.get("content-type") != "application/json":
            return PlainTextResponse("a command is JSON", status_code=415)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                return PlainTextResponse(f"too large: at most {LARGEST // 1024} kB are taken", status_code=413)
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            return PlainTextResponse("a command is a JSON object", status_code=400)
        await session.tell(message)
        return Response(status_code=204)

    routes = [
        Route("/", page),
        Route("/files/{token}/{name}", file),
        Route("/events", events),
        Route("/do", command, methods=["POST"]),
    ]
    return Door(Starlette(routes=routes), hosts, token)


def menu() -> str:
    """The mistakes as options of a menu, by where they bite; their two lines go along."""
    groups = []
    for where in WHERE:
        options = [
            f'<option data-wrong="{escape(m.wrong)}" data-right="{escape(m.right)}">{m.name}</option>'
            for m in MISTAKES
            if m.where == where
        ]
        groups.append(f'<optgroup label="{where}">{"".join(options)}</optgroup>')
    return "".join(groups)


def serve(model: tuple[str, str], port: int, ready: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C. `ready` is called with its address; model is (its name, its directory).

    Raises MinisftError if the port is taken.
    """
    listening = socket.socket()
    if os.name == "posix":  # a port that has just been left; on Windows it would take one that is in use
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        raise MinisftError(f"--port: {port} cannot be used ({error.strerror}); give another one, or none") from error
    listening.listen()
    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(24)
    app = application(token, {f"127.0.0.1:{port}", f"localhost:{port}"}, Sessions(*model))
    config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1, server_header=False)
    ready(f"http://127.0.0.1:{port}/?token={token}")
    uvicorn.Server(config).run(sockets=[listening])
