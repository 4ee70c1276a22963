"""The door: this host, with the token, and nobody else; one page, one process."""

import http.client
import json
import os
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from .conftest import Server

LONG = 60_000


def ask(server, path, method="GET", body=None, **headers):
    """(status, body, headers) of a request made by hand."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    result = answer.status, answer.read(), answer.headers
    connection.close()
    return result


PATHS = ["/", "/?token=", "/?token=wrong", "/events", "/events?token=wrong", "/files/wrong/page.js", "/do", "/nothing"]


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_there_is_nothing(server, path):
    status, body, _ = ask(server, path)
    assert status == 403 and body == b""
    assert server.workers() == []


@pytest.mark.parametrize("host", ["example.com", "example.com:80", "127.0.0.1", "127.0.0.1:1", "[::1]", ""])
def test_a_foreign_host_gets_nothing_even_with_the_token(server, host):
    for path in (f"/?token={server.token}", f"/files/{server.token}/page.js", f"/events?token={server.token}"):
        status, body, _ = ask(server, path, Host=host)
        assert status == 403 and body == b""


@pytest.mark.parametrize("origin", ["http://example.com", "null", f"https://127.0.0.1:{1}"])
def test_another_site_cannot_send_a_command(server, origin):
    status, _, _ = ask(server, f"/do?token={server.token}&page=x", "POST", b"{}", Origin=origin)
    assert status == 403


@pytest.mark.parametrize("name", ["../server.py", "..%2fserver.py", "%2e%2e/server.py", "index.html", "none.js", ""])
def test_no_file_but_those_of_the_page_is_served(server, name):
    assert ask(server, f"/files/{server.token}/{name}")[0] in (403, 404)


def test_everything_comes_with_the_policy(server):
    for path in (f"/?token={server.token}", f"/files/{server.token}/style.css", "/"):
        headers = ask(server, path)[2]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"


def page_of(server):
    """An open stream of events, and the name of its page."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", f"/events?token={server.token}")
    stream = connection.getresponse()
    return connection, json.loads(stream.readline()[len("data: ") :])["page"]


def test_a_command_is_a_json_object_of_bounded_size_for_an_open_page(server):
    connection, page = page_of(server)
    path, kind = f"/do?token={server.token}&page={page}", {"Content-Type": "application/json"}
    assert ask(server, path, "POST", b"{}", **kind)[0] == 204
    assert ask(server, path, "POST", b"[]", **kind)[0] == 400
    assert ask(server, path, "POST", b"[" * 100_000, **kind)[0] == 400
    assert ask(server, path, "POST", b"{}", **{"Content-Type": "text/plain"})[0] == 415
    assert ask(server, path, "POST", b'"' + b"x" * 300_000 + b'"', **kind)[0] == 413
    assert ask(server, f"/do?token={server.token}&page=x", "POST", b"{}", **kind)[0] == 404
    assert ask(server, path, "GET")[0] == 405
    connection.close()
    wait_for(lambda: server.workers() == [])


def wait_for(what, seconds=5):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


def test_it_listens_on_this_machine_alone(server):
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()][1:]
    port = f"{server.port:04X}"
    listening = {line[1] for line in lines if line[3] == "0A" and line[1].endswith(f":{port}")}
    assert listening == {f"0100007F:{port}"}


def test_two_pages_have_two_runs_and_a_closed_page_ends_its_own(visit, server):
    one, two = visit(server.address), visit(server.address)
    for visitor in (one, two):
        expect(visitor.status).to_have_text(re.compile("^t = 0 · paused"), timeout=LONG)
        expect(visitor.page.locator("#reply-now")).not_to_have_text("", timeout=LONG)
    assert len(server.workers()) == 2
    one.button("One step").click()
    expect(one.status).to_have_text(re.compile("^t = 1 "), timeout=LONG)
    expect(two.status).to_have_text(re.compile("^t = 0 "))
    two.page.get_by_role("spinbutton", name="steps").fill("2000")
    two.button("Train").click()
    expect(two.status).to_have_text(re.compile("running"), timeout=LONG)
    two.page.close()
    wait_for(lambda: len(server.workers()) == 1)
    one.button("One step").click()
    expect(one.status).to_have_text(re.compile("^t = 2 "), timeout=LONG)
    one.page.close()
    wait_for(lambda: server.workers() == [])


def test_ctrl_c_ends_it_with_130_and_its_runs_with_it(visit):
    server = Server("--model", "atlas")
    visitor = visit(server.address)
    expect(visitor.status).to_have_text(re.compile("^t = 0 · paused"), timeout=LONG)
    workers = server.workers()
    assert server.close() == 130
    for worker in workers:
        wait_for(lambda pid=worker: not os.path.exists(f"/proc/{pid}"))
