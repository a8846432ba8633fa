"""Does the nginx example let through what the service needs? A real nginx in front of a real service."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from running import Running, running, until

from repoctx.serve.signatures import sample
from repoctx.store import access
from repoctx.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.fleet]

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "proxy" / "nginx.conf"
SECRET = "a-secret-of-webhooks"
FILES = {"cart.py": "def total(cart):\n    '''What a cart costs.'''\n    return sum(item.price for item in cart)\n"}


class Proxied(NamedTuple):
    """A service, the address of its proxy, and a client that trusts the proxy and shows a token."""

    service: Running
    url: str
    client: httpx.Client
    trusted: ssl.SSLContext
    token: str


@contextlib.contextmanager
def nginx(folder: Path, port: int) -> Iterator[tuple[str, ssl.SSLContext]]:
    """The example in front of a port, its names, ports and certificate changed: its address, and whom to trust."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"], check=True, capture_output=True,
    )  # fmt: skip
    with socket.socket() as plain, socket.socket() as secure:
        for one in (plain, secure):
            one.bind(("127.0.0.1", 0))
        http, https = plain.getsockname()[1], secure.getsockname()[1]
    site = EXAMPLE.read_text(encoding="utf-8")
    for before, after in {
        "server 127.0.0.1:8400;": f"server 127.0.0.1:{port};",
        "listen 80;": f"listen 127.0.0.1:{http};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{https} ssl http2;",
        "repoctx.example.com": "127.0.0.1",
        "/etc/ssl/certs/repoctx.pem": str(folder / "certificate.pem"),
        "/etc/ssl/private/repoctx.key": str(folder / "key.pem"),
    }.items():
        assert before in site
        site = site.replace(before, after)
    temporary = "".join(
        f"{kind}_temp_path {folder / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; {user}\n"
        f"events {{}}\nhttp {{\naccess_log off; {temporary}\n{site}\n}}\n",
        encoding="utf-8",
    )
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    process = subprocess.Popen(
        [program, "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"], stderr=subprocess.PIPE
    )

    def listens() -> bool:
        assert process.poll() is None, process.stderr and process.stderr.read()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", https)) == 0

    try:
        until(listens, "nginx")
        yield f"https://127.0.0.1:{https}", ssl.create_default_context(cafile=folder / "certificate.pem")
    finally:
        process.terminate()
        process.wait(30)
        if process.stderr:
            process.stderr.close()


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """A service without workers that has indexed a repository, a token, and the proxy."""
    if shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin") is None:
        pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("proxy")
    shop = folder / "shop"
    shop.mkdir()
    for name, text in FILES.items():
        (shop / name).write_text(text, encoding="utf-8")
    home = folder / "home"
    settings = {"REPOCTX_EMBEDDING_MODEL": "none", "REPOCTX_CONFIG": str(folder / "none.toml")}
    workspace = Workspace({"REPOCTX_HOME": str(home), **settings})
    workspace.index(str(shop), name="shop")
    with workspace.engine.begin() as connection:
        _, token = access.create(connection, "test", "admin", None, time.time())
    workspace.close()
    with (
        running(home, settings, "--workers", "0") as service,
        nginx(folder, service.port) as (url, trusted),
        httpx.Client(base_url=url, verify=trusted, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client,
    ):
        yield Proxied(service, url, client, trusted, token)


def test_nobody_is_local_behind_a_proxy(proxied):
    """Without a token nothing is answered, though the proxy is on the service's machine."""
    answer = httpx.post(f"{proxied.url}/v1/search", json={"query": "cart"}, verify=proxied.trusted)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_page_and_a_search_get_through(proxied):
    """A browser enters with a token, which its cookie keeps for TLS alone; what changes something is of the page."""
    with httpx.Client(base_url=proxied.url, verify=proxied.trusted, timeout=30) as browser:
        entered = browser.post("/entry", data={"token": proxied.token}, headers={"Origin": proxied.url})
        assert entered.status_code == 303, entered.text
        assert "Secure" in entered.headers["set-cookie"]
        page = browser.get("/")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "shop" in page.text
    found = proxied.client.post("/v1/search", json={"query": "what a cart costs"}).json()
    assert [hit["path"] for hit in found["hits"]] == ["cart.py"]


@pytest.mark.parametrize("prefix", ["/v1", ""])
def test_events_arrive_when_they_happen(prefix, proxied):
    """The first while the job still waits, which nobody will run: a proxy that holds it back would hold it for ever."""
    job = proxied.client.post("/v1/repositories/shop/index").json()["id"]
    headers = {} if prefix else {"Authorization": "", "Cookie": f"__Host-repoctx={proxied.token}"}
    with proxied.client.stream("GET", f"{prefix}/jobs/{job}/events", headers=headers, timeout=20) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("data:"))
        assert proxied.client.delete(f"/v1/jobs/{job}").status_code in (200, 202, 204)
        assert any("cancelled" in line or line == "event: end" for line in lines)


def test_a_webhook_gets_through_as_it_was_signed(proxied):
    """A delivery of 12 MB, more than any other request may have; its job waits."""
    url = "https://git.example.com/team/shop.git"
    proxied.client.patch("/v1/repositories/shop", json={"webhook_secret": SECRET}).raise_for_status()
    headers, body = sample("github", url, "main", "1" * 40, "2" * 40, SECRET, "d-1", time.time())
    answer = proxied.client.post("/v1/webhooks/github?repository=shop", content=body, headers=headers)
    assert answer.status_code == 202, answer.text
    forged = proxied.client.post("/v1/webhooks/github?repository=shop", content=body + b" ", headers=headers)
    assert forged.status_code == 401
    large = json.dumps({"padding": "x" * 12_000_000}).encode()
    assert proxied.client.post("/v1/webhooks/github?repository=shop", content=large, headers=headers).status_code == 401


@pytest.mark.parametrize(
    "path,size", [("/v1/search", 9_000_000), ("/v1/webhooks/github", 27_000_000), ("/v1/chat/completions", 68_000_000)]
)
def test_a_body_that_is_too_large_is_refused_by_the_proxy(path, size, proxied):
    """Before it is read: its length is enough."""
    port = int(proxied.url.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port), 30) as plain,
        proxied.trusted.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
        said = secure.recv(65536).decode()
    assert re.match(r"HTTP/1\.1 413 .*nginx", said, re.DOTALL)
