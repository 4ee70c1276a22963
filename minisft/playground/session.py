"""One page, one worker: a process that is told what the page says, and whose events go to that page alone."""

import asyncio
import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator

MOST = 8  # pages at a time: each may train
LONGEST = 2**26  # bytes of an event; the largest is a film
SILENCE = 1.0  # seconds without an event until the stream asks whether the page is still there


class Session:
    """A worker, and the name by which its page speaks to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.name, self.process = secrets.token_urlsafe(16), process

    async def lines(self) -> AsyncIterator[str]:
        """The events of the worker as JSON, and an empty line whenever it has been silent for a while."""
        assert self.process.stdout
        reading: asyncio.Task[bytes] | None = None
        while True:
            reading = reading or asyncio.ensure_future(self.process.stdout.readline())
            done, _ = await asyncio.wait([reading], timeout=SILENCE)
            if not done:
                yield ""
                continue
            line, reading = reading.result(), None
            if not line:
                yield json.dumps({"event": "refused", "what": "run", "why": "the run has ended; load the page again"})
                return
            yield line.decode().rstrip("\n")

    async def tell(self, message: dict) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            await self.process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):  # it has ended, and the stream says so
            pass


class Sessions:
    """The open pages. model is (name, directory) of θ̂."""

    def __init__(self, name: str, directory: str) -> None:
        self.model = name, directory
        self.open_ones: dict[str, Session] = {}

    async def open(self) -> Session | None:
        """A new page with a worker of its own; None if too many are open."""
        if len(self.open_ones) >= MOST:
            return None
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "minisft.playground.worker", *self.model),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST,
            start_new_session=True,  # Ctrl-C is for the server, which ends its workers itself
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
        )
        session = Session(process)
        self.open_ones[session.name] = session
        return session

    def named(self, name: str) -> Session | None:
        return self.open_ones.get(name)

    async def close(self, session: Session) -> None:
        self.open_ones.pop(session.name, None)
        if session.process.returncode is None:
            session.process.kill()
            await session.process.wait()
