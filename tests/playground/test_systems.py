"""What the server of the page asks of a system, and what it leaves out where that means another thing."""

import asyncio
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import elsewhere

from minisft.playground.session import Sessions


def test_ctrl_c_is_for_the_server_on_windows_too(monkeypatch):
    asked = {}

    async def start(*line, **more):
        asked.update(more)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 512, raising=False)
    with ThreadPoolExecutor(1) as apart:  # a thread without a loop: a browser may have left one in this
        apart.submit(asyncio.run, Sessions("model", "directory").open()).result()
    assert asked["start_new_session"] is True and asked["creationflags"] == 512


@pytest.mark.parametrize("posix", [True, False])
def test_a_port_in_use_is_not_taken_on_windows(monkeypatch, posix):
    """There SO_REUSEADDR would share it with the server that has it; elsewhere it takes a port that was just left."""
    pytest.importorskip("uvicorn")
    pytest.importorskip("starlette")
    from minisft.playground import server

    found = []
    monkeypatch.setattr(server, "os", elsewhere.os if posix else elsewhere.NotPosix("os"))
    monkeypatch.setattr(server.uvicorn.Server, "run", lambda self, sockets: found.extend(sockets))
    server.serve(("model", "directory"), 0, str)
    assert bool(found[0].getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)) is posix
    found[0].close()
