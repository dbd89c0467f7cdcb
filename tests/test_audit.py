"""A known vulnerability fails `make audit`; a service that does not answer is reported, and does not."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from audit import Answer, main, read_npm_audit, read_pip_audit

ADVISORY = "https://github.com/advisories/GHSA-aaaa-bbbb-cccc"
KNOWN = {
    "typescript": [
        {
            "id": 1,
            "url": ADVISORY,
            "title": "made up",
            "severity": "high",
            "vulnerable_versions": "*",
        }
    ]
}


class Registry(ThreadingHTTPServer):
    """An npm registry that answers as it is told, and keeps what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), RegistryRequest)
        self.status, self.advisories = 200, {}
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class RegistryRequest(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self):
        self.send_error(404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, json.loads(gzip.decompress(body))))
        answer = json.dumps(self.server.advisories).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        """Keep the tests' output for the tests."""


@pytest.fixture
def registry():
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.threat("ws-dependencies")
def test_finding_of_npm_fails_the_run(registry, capsys):
    registry.advisories = KNOWN

    code = main(["--only", "npm", "--registry", registry.url])

    assert code == 1
    assert capsys.readouterr().out == f"web/package-lock.json: typescript: high, {ADVISORY}\n"


def test_npm_is_asked_about_what_the_lock_file_pins(registry, capsys):
    code = main(["--only", "npm", "--registry", registry.url])

    [(path, packages)] = registry.asked
    assert path == "/-/npm/v1/security/advisories/bulk"
    assert {"typescript", "axe-core"} <= packages.keys()
    assert code == 0
    assert "web/package-lock.json: nothing is known against its" in capsys.readouterr().out


def test_registry_that_does_not_answer_is_named_and_fails_nothing(registry, capsys):
    registry.status = 405

    code = main(["--only", "npm", "--registry", registry.url])

    assert code == 0
    assert "web/package-lock.json: not run: 405 Method Not Allowed" in capsys.readouterr().out


# What pip-audit 2.10.1 wrote.
FOUND = """
{"dependencies": [
  {"name": "uv", "version": "0.13.9", "vulns": [
    {"id": "GHSA-aaaa-bbbb-cccc", "fix_versions": ["99.1"], "aliases": [], "description": "made up"},
    {"id": "GHSA-dddd-eeee-ffff", "fix_versions": [], "aliases": [], "description": "made up"}]},
  {"name": "rich", "version": "15.0.0", "vulns": []}
], "fixes": []}
"""
UNREACHABLE = (
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='api.osv.dev', port=443): Max retries"
    " exceeded with url: /v1/query"
)
UNREADABLE = "ERROR:pip_audit._cli:requirement file requirements/x.txt contains invalid specifier"


@pytest.mark.threat("ws-dependencies")
def test_findings_of_pip_audit_are_named_with_their_fix():
    answer = read_pip_audit(FOUND, "Found 2 known vulnerabilities in 1 package")

    assert not answer.is_good
    assert answer.lines("requirements/lock.txt") == [
        "requirements/lock.txt: uv 0.13.9: GHSA-aaaa-bbbb-cccc, fixed in 99.1",
        "requirements/lock.txt: uv 0.13.9: GHSA-dddd-eeee-ffff, not fixed yet",
    ]


@pytest.mark.parametrize(
    ("output", "errors", "is_good", "line"),
    [
        pytest.param(
            '{"dependencies": [{"name": "rich", "version": "15.0.0", "vulns": []}], "fixes": []}',
            "No known vulnerabilities found",
            True,
            "x: nothing is known against its 1 packages",
            id="nothing",
        ),
        pytest.param(
            "", f"Traceback\n{UNREACHABLE}\n", True, f"x: not run: {UNREACHABLE}", id="unreachable"
        ),
        pytest.param("", UNREADABLE, False, f"x: failed: {UNREADABLE}", id="unreadable-lock-file"),
        pytest.param("", "", False, "x: failed: it said nothing", id="silent"),
    ],
)
def test_pip_audit_without_a_finding(output, errors, is_good, line):
    answer = read_pip_audit(output, errors)

    assert answer.is_good is is_good
    assert answer.lines("x") == [line]


def test_npm_that_cannot_read_the_lock_file_fails_the_run():
    answer = read_npm_audit('{"error": {"code": "ENOLOCK"}}', "npm error code ENOLOCK\n")

    assert answer == Answer(broken="npm error code ENOLOCK")
    assert not answer.is_good


def test_vulnerability_that_comes_through_another_package_is_named_by_it():
    report = {
        "vulnerabilities": {"parser": {"severity": "low", "via": ["typescript"]}},
        "metadata": {"dependencies": {"total": 2}},
    }

    answer = read_npm_audit(json.dumps(report), "")

    assert answer.lines("x") == ["x: parser: low, typescript"]
