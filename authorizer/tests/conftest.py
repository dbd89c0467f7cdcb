"""What the tests share: a real issuer on loopback, and an authorizer with its keys and its lines."""

import itertools
import json

import pytest

from issuer_keys import IssuerKeys
from quiet_lines import QuietLines
from shared_utils import MetricsEmitter
from shared_utils.testing import CapturedLines, capture_lines, connect_event
from tests.issuer import Issuer, SigningKey
from token_authorizer import TokenAuthorizer, report_failure
from token_settings import TokenSettings

ARN = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/test/$connect"


class Gate:
    """An authorizer and what it wrote, as decoded lines; `now` is the time that its keys go by.

    `issuer_url` is what the settings say, where that is not how the issuer calls itself.
    """

    def __init__(self, issuer, *, issuer_url=None, **settings):
        url = issuer_url or issuer.url
        self.now = 1_000_000.0
        self.lines = CapturedLines()
        self.metrics = MetricsEmitter()
        keys = IssuerKeys(url, report=report_failure, clock=lambda: self.now)
        settings = TokenSettings(url, issuer.audience, **settings)
        self.windowed_metrics = MetricsEmitter(window_seconds=10)
        self._addresses = (f"10.0.{n // 256}.{n % 256}" for n in itertools.count())
        quiet = QuietLines(lambda: self.now)
        self._authorizer = TokenAuthorizer(
            settings, keys, self.metrics, self.windowed_metrics, quiet
        )

    def answer(self, token=None, *, source_ip="198.51.100.7", **places):
        """Return the answer to a client with a token in the query, or with what `places` say."""
        places = places if token is None else {"query": {"access_token": token}}
        event = connect_event(**places, identity={"sourceIp": source_ip})
        with capture_lines(self.lines):
            answer = self._authorizer.answer({**event, "type": "REQUEST", "methodArn": ARN})
            self.metrics.flush()
        return answer

    def reason(self, token=None, **places):
        """Return why a client with an address of its own is refused: by the one WARN line that this wrote."""
        before = len(self.lines)
        answer = self.answer(token, source_ip=next(self._addresses), **places)
        assert repr(answer) == "Unauthorized('Unauthorized')"
        [line] = [line for line in self.lines[before:] if "_aws" not in line]
        assert (line["level"], "error" in line) == ("WARN", False)
        return line["context"]["reason"]

    @property
    def text(self):
        """Everything that was written."""
        return json.dumps(self.lines)


@pytest.fixture(scope="session")
def signing_key():
    return SigningKey()


@pytest.fixture
def issuer(signing_key):
    with Issuer(key=signing_key) as issuer:
        yield issuer


@pytest.fixture
def make_gate():
    return Gate


@pytest.fixture
def gate(issuer):
    return Gate(issuer, scope="speak")
