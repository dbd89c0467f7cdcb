"""Where secrets are planted, to see which of them a log line shows: the table of docs/redaction.md.

`names x shapes x carriers` is the product that is tried: each secret name, in a text of each shape, in
each place of a line that carries text; each name with a value beside it, in each structure; each token
that is recognised alone, in each place. `SHOWN` is what is known to be shown, with the reason;
`ORDINARY` is what must stay as it is.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import io
import json
import logging
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared_utils.structured_logger import StructuredLogger

__all__ = [
    "CARRIERS", "ORDINARY", "ORDINARY_NAMES", "SECRET_NAMES", "SHAPES", "SHOWN", "SPOKEN_NAMES",
    "STRUCTURES", "TOKENS", "document", "spellings", "written",
]  # fmt: skip

# Never a part of anything else that a line holds.
PLANTED = "hunter2Xq9"

SECRET_NAMES = [
    *("token", "access token", "refresh token", "id token", "session token", "csrf token", "secret"),
    *("client secret", "webhook secret", "password", "db password", "new password", "passwords"),
    *("passwd", "pwd", "passphrase", "passcode", "password hash", "user pass", "authorization"),
    *("proxy authorization", "auth", "basic auth", "bearer", "cookie", "set cookie", "credential"),
    *("credentials", "jwt", "signature", "x amz signature", "x amz security token", "api key"),
    *("x api key", "access key", "secret access key", "secret key", "private key", "account key"),
    *("shared access key", "signing key", "encryption key", "master key", "ssh key", "session key"),
    *("subscription key", "license key", "interpreter key", "listener key", "speaker key", "otp"),
    *("totp", "pin", "card pin", "pin code", "mfa", "mfa code", "verification code", "security code"),
    *("auth code", "recovery codes", "code verifier", "ssn", "social security number", "card number"),
    *("credit card", "card no", "cvv", "cvc", "connection string", "conn str", "mnemonic"),
    *("seed phrase", "client assertion", "sig", "token value", "password text", "db password old"),
    *("private key pem", "otp code", "secret binary", "secret answer", "secret key base"),
    *("password bytes", "password b64", "token base64", "token json", "oauth verifier", "psk"),
    *("PHPSESSID", "JSESSIONID", "tokenvalue", "secret plain", "token 2", "password 1", "api key header", "auth header", "secret value"),
]  # fmt: skip
SPOKEN_NAMES = [
    *("audio", "audio data", "audio chunk", "pcm", "samples", "body", "raw body", "transcript"),
    *("transcript text", "transcription", "source text", "translated text", "caption", "captions"),
    *("utterance", "tokens", "access tokens", "sec web socket protocol"),
]  # fmt: skip
ORDINARY_NAMES = [
    *("tokenCount", "tokenType", "tokenizer", "token_url", "pinned", "pinCount", "shipping", "spinner"),
    *("opinion", "mapping", "authorId", "author", "authenticated", "authorizer", "authMethod", "passed"),
    *("compass", "bypass", "passCount", "passenger", "passwordless", "passwordLength", "password_policy"),
    *("secretary", "secretName", "secretArn", "keyboard", "keyName", "key", "partitionKey", "cacheKey"),
    *("routeKey", "publicKey", "signatureVersion", "cardinality", "cardType", "discard", "bodyLength"),
    *("audioFormat", "transcriptLength", "cookieDomain", "sessionName", "monkey", "errorCode"),
    *("statusCode", "postalCode", "codec", "assessment", "lesson", "class_name", "design", "email"),
    *("user", "username", "credentialsId", "refreshTokenHash", "number", "string", "value", "message"),
]  # fmt: skip


def spellings(name: str) -> list[str]:
    """Return a name of words as people write it: snake, kebab, camel, Pascal and upper case."""
    words = name.split()
    pascal = [word.capitalize() for word in words]
    return [
        "_".join(words),
        "-".join(words),
        words[0] + "".join(pascal[1:]),
        "".join(pascal),
        "_".join(words).upper(),
        "-".join(pascal),
    ]


# --- texts that hold a name and a value ----------------------------------------------------------

SHAPES: dict[str, Callable[[str, str], str]] = {
    "assigned": lambda name, value: f"with {name}={value} at 12:30:00",
    "assigned, with spaces": lambda name, value: f"with {name} = {value}",
    "assigned, quoted": lambda name, value: f"with {name}='{value}', user='ann'",
    "assigned, with spaces inside": lambda name, value: f'with {name}="a {value} b", user="ann"',
    "after a colon": lambda name, value: f"with {name}: {value}, user: ann",
    "after a colon, alone": lambda name, value: f"{name}:{value}",
    "Ruby's and PHP's arrow": lambda name, value: f"'{name}' => '{value}'",
    "Go's assignment": lambda name, value: f'{name} := "{value}"',
    "JSON": lambda name, value: json.dumps({"user": "ann", name: value, "age": 3}),
    "JSON without spaces": lambda name, value: json.dumps({name: value}, separators=(",", ":")),
    "JSON, nested": lambda name, value: json.dumps({"a": [{name: {"b": [value]}}], "age": 3}),
    "JSON, cut": lambda name, value: json.dumps({"user": "ann", name: f"{value} and"})[:-2],
    "JSON in JSON": lambda name, value: json.dumps({"payload": json.dumps({name: f'"{value}"'})}),
    "JSON in JSON in JSON": lambda name, value: json.dumps(
        [json.dumps([json.dumps({name: value})])]
    ),
    "JSON, name and value apart": lambda name, value: json.dumps([{"name": name, "value": value}]),
    "JSON, key and value apart": lambda name, value: json.dumps({"Key": name, "Value": value}),
    "JSON, a pair": lambda name, value: json.dumps([["user", "ann"], [name, value]]),
    "repr of a dict": lambda name, value: repr({"user": "ann", name: value}),
    "repr of bytes": lambda name, value: repr({name.encode(): value.encode()}),
    "repr of pairs": lambda name, value: repr([("user", "ann"), (name, value)]),
    "repr of pairs of bytes": lambda name, value: repr([(name.encode(), value.encode())]),
    "repr of an object": lambda name, value: f"Account(user='ann', {name}={value!r})",
    "an item that is assigned": lambda name, value: f'config["{name}"] = "{value}"',
    "query of a URL": lambda name, value: f"https://example.com/a?b=1&{name}={value}&c=2#d",
    "query in a query": lambda name, value: f"https://example.com/?to=%2Fa%3F{name}%3D{value}",
    "form": lambda name, value: f"user=ann&{name}={value}",
    "header": lambda name, value: f"Host: example.com\r\n{name}: {value}\r\nAccept: */*",
    "connection string": lambda name, value: f"Server=db;Uid=ann;{name}={value};Timeout=3",
    "option of a command": lambda name, value: f"run --{name} {value} --verbose",
    "option with =": lambda name, value: f"run --{name}={value} --verbose",
    "variable of a shell": lambda name, value: f"export {name}='{value}'",
    "XML": lambda name, value: f"<a><{name}>{value}</{name}></a>",
    "XML, name and value apart": lambda name, value: f'<add key="{name}" value="{value}" />',
    "arguments of a command": lambda name, value: repr(["run", f"--{name}", value, "--verbose"]),
    "arguments as JSON": lambda name, value: json.dumps(["run", f"--{name}", value, "-v"]),
    "an object in an object": lambda name, value: f"Account(user='ann', {name}=Secret('{value}'), age=3)",
    "an object in a dict": lambda name, value: f"{{'{name}': <Secret {value}>, 'age': 3}}",
    "a list in a pair": lambda name, value: repr([(name, [value])]),
    "a quote inside": lambda name, value: f"with {name}=a'{value} at 12:30:00",
    "SQL, with a doubled quote": lambda name, value: f"set {name}='it''s {value}', age=3",
    "query, with brackets": lambda name, value: f"https://example.com/?{name}%5B%5D={value}&c=2",
    "query, with JSON": lambda name, value: f"/?a=%7B%22{name}%22%3A%22{value}%22%7D&c=2",
    "value first, JSON": lambda name, value: json.dumps([{"value": value, "name": name}]),
    "value first, XML": lambda name, value: f'<input value="{value}" name="{name}" />',
    "YAML": lambda name, value: f"user: ann\n{name}: {value}\nage: 3",
}  # fmt: skip
# What people say has no end that could be seen, but for a quote or a bracket.
QUOTED_SHAPES = [
    shape
    for shape in SHAPES
    if shape.startswith(("JSON", "repr", "assigned, ", "an item", "Go's", "Ruby's", "variable"))
    and shape != "assigned, with spaces"
]

# --- secrets that are recognised alone -----------------------------------------------------------

_ALPHA = "Ab3dEf6hIj9lMn2pQr5tUv8xYz1bCd4fGh7jKl0nOp3rSt6vWx9z"
_HEX = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"
_AWS = "IOSFODNN7EXAMPLQ"
_PEM = "MIIEpAIBAAKCAQEA7bq1/x+Zr2\nQk3TnZ5v=="

# The text, and what of it must not be seen.
TOKENS: dict[str, tuple[str, str]] = {
    "JWT": (f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{_ALPHA}", _ALPHA),
    "JWE": (f"eyJhbGciOi..{_ALPHA}.ghi.jkl", _ALPHA),
    "Bearer": (f"Bearer {PLANTED}", PLANTED),
    "bearer, lower case": (f"bearer {PLANTED}", PLANTED),
    "bearer as a sub-protocol": (f"websocket-audio.v1, bearer.{_ALPHA}", _ALPHA),
    "Basic": ("Basic YW5uOmh1bnRlcjI=", "YW5uOmh1bnRlcjI"),
    "Authorization: Digest": (f'Authorization: Digest username="ann", response={PLANTED}', PLANTED),
    "cookies": (f"Cookie: theme=dark; sid={PLANTED}; a=b", PLANTED),
    "PEM": (f"-----BEGIN RSA PRIVATE KEY-----\n{_PEM}\n-----END RSA PRIVATE KEY-----", "AKCAQEA"),
    "PEM without an end": (f"-----BEGIN PRIVATE KEY-----\n{_PEM}", "AKCAQEA"),
    "PEM of OpenSSH, escaped": (
        f"-----BEGIN OPENSSH PRIVATE KEY-----\\n{_PEM}\\n-----END OPENSSH PRIVATE KEY-----",
        "AKCAQEA",
    ),
    "AWS access key": (f"AKIA{_AWS}", _AWS),
    "AWS temporary access key": (f"ASIA{_AWS}", _AWS),
    "AWS signed URL": (
        f"https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature={_HEX}&x-id=GetObject",
        _HEX,
    ),
    "our refresh token": (f"wsr_L0SM9cOFvHcCIhw=.{_ALPHA[:43]}", _ALPHA[:43]),
    "user info of a URL": (f"postgres://ann:{PLANTED}@db.example.com:5432/app", PLANTED),
    "password of a URL without a user": (f"redis://:{PLANTED}@cache:6379/0", PLANTED),
    "password of a URL with an @": (f"amqp://ann:{PLANTED}@1@mq/", PLANTED),
    "token of a URL": (f"https://{PLANTED}@github.com/a/b.git", PLANTED),
    "GitHub": (f"ghp_{_ALPHA[:36]}", _ALPHA[:36]),
    "GitHub, of an app": (f"ghs_{_ALPHA[:36]}", _ALPHA[:36]),
    "GitHub, OAuth": (f"gho_{_ALPHA[:36]}", _ALPHA[:36]),
    "GitHub, fine-grained": (f"github_pat_{_ALPHA[:22]}_{_ALPHA}", _ALPHA[:22]),
    "GitLab": ("glpat-aB3dE_6hIj9-Mn2pQr5t", "aB3dE_6hIj9-Mn2pQr5t"),
    "Slack": (f"xoxb-123456789012-123456789012-{_ALPHA[:24]}", _ALPHA[:24]),
    "Slack, of a user": (f"xoxp-1234567890-1234567890-{_ALPHA[:24]}", _ALPHA[:24]),
    "OpenAI": (f"sk-{_ALPHA[:48]}", _ALPHA[:48]),
    "OpenAI, of a project": (f"sk-proj-a_B-{_ALPHA[:40]}", _ALPHA[:40]),
    "Anthropic": (f"sk-ant-api03-{_ALPHA[:40]}", _ALPHA[:40]),
    "Stripe": (f"sk_live_{_ALPHA[:24]}", _ALPHA[:24]),
    "Stripe, test": (f"rk_test_{_ALPHA[:24]}", _ALPHA[:24]),
    "npm": (f"npm_{_ALPHA[:36]}", _ALPHA[:36]),
    "PyPI": (f"pypi-AgEIcHlwaS5vcmc{_ALPHA}", _ALPHA),
    "Google": (f"AIzaSy{_ALPHA[:33]}", _ALPHA[:33]),
    "SendGrid": (f"SG.{_ALPHA[:22]}.{_ALPHA[:43]}", _ALPHA[:22]),
    "Hugging Face": (f"hf_{_ALPHA[:34]}", _ALPHA[:34]),
    "DigitalOcean": (f"dop_v1_{_HEX}", _HEX),
    "Stripe's web hook": (f"whsec_{_ALPHA[:32]}", _ALPHA[:32]),
    "Google, OAuth": (f"ya29.a0{_ALPHA}", _ALPHA),
    "Groq": (f"gsk_{_ALPHA}", _ALPHA),
    "Replicate": (f"r8_{_ALPHA[:37]}", _ALPHA[:37]),
    "Square": (f"sq0atp-{_ALPHA[:22]}", _ALPHA[:22]),
    "age": (f"AGE-SECRET-KEY-1{_ALPHA.upper()}", _ALPHA.upper()),
    "GitLab, to deploy": (f"gldt-{_ALPHA[:20]}", _ALPHA[:20]),
    "Atlassian": (f"ATATT3xFf{_ALPHA}", _ALPHA),
    "New Relic": (f"NRAK-{_ALPHA.upper()[:27]}", _ALPHA.upper()[:27]),
    "Databricks": (f"dapi{_HEX[:32]}", _HEX[:32]),
    "a bot of Telegram": (f"https://api.telegram.org/bot123456789:AA{_ALPHA[:33]}/me", _ALPHA[:33]),
    "user info without a scheme": (f"//ann:{PLANTED}@example.com/a", PLANTED),
    "user info, encoded": (f"/?to=https%3A%2F%2Fann%3A{PLANTED}%40example.com", PLANTED),
    "user info, taken apart": (f"SplitResult(scheme='ftp', netloc='ann:{PLANTED}@h')", PLANTED),
    "Shopify": (f"shpat_{_HEX[:32]}", _HEX[:32]),
}  # fmt: skip

# --- where a line carries text -------------------------------------------------------------------


class Reported(Exception):  # noqa: N818 - it is no error of ours
    """What is raised to be logged."""


def _raised(text: str) -> Reported:
    try:
        raise Reported(text)
    except Reported as error:
        return error


def _noted(text: str) -> Reported:
    error = Reported("refused")
    error.add_note(text)
    return error


def _caused(text: str) -> Reported:
    error = Reported("refused")
    error.__cause__ = _raised(text)
    return error


def _library_record(log: StructuredLogger, text: str) -> None:
    from shared_utils.structured_logger import configure_lambda_logging

    library = logging.getLogger("planted.library")
    library.setLevel("INFO")
    root = logging.getLogger()
    before = root.handlers[:], root.level
    configure_lambda_logging()
    try:
        library.info("refused %s", text)
    finally:
        root.handlers[:], root.level = before[0], before[1]


def _metric(**options: Any) -> None:
    from shared_utils.metrics_emitter import MetricsEmitter

    metrics = MetricsEmitter()
    metrics.emit_metric("Planted", 1, "Count", **options)
    metrics.flush()


@dataclasses.dataclass
class Order:
    """An object that holds a text."""

    comment: str


def _in_scope(log: StructuredLogger, text: str) -> None:
    from shared_utils.structured_logger import logging_context

    with logging_context(comment=text):
        log.info("m")


CARRIERS: dict[str, Callable[[StructuredLogger, str], object]] = {
    "the message": lambda log, text: log.info(text),
    "an f-string": lambda log, text: log.info(f"Refused <{text}> again"),
    "a field": lambda log, text: log.info("m", comment=text),
    "a dict": lambda log, text: log.info("m", data={"a": {"comment": text}}),
    "a list": lambda log, text: log.info("m", data=[[text], "x", "y"]),
    "an object": lambda log, text: log.info("m", order=Order(text)),
    "a name of a dict": lambda log, text: log.info("m", data={text: 1}),
    "`operation`": lambda log, text: log.info("m", operation=text),
    "an id": lambda log, text: log.info("m", sessionId=text),
    "more arguments": lambda log, text: log.info("m", "op", text),  # noqa: PLE1205 - it is no standard logger
    "a bound field": lambda log, text: log.bind(comment=text).info("m"),
    "a scope's field": _in_scope,
    "`component`": lambda log, text: type(log)(text).info("m"),
    "an exception": lambda log, text: log.error("m", error=_raised(text)),
    "an exception in a field": lambda log, text: log.info("m", cause=Reported(text)),
    "a note of an exception": lambda log, text: log.error("m", error=_noted(text)),
    "a cause": lambda log, text: log.error("m", error=_caused(text)),
    "a member of a group": lambda log, text: log.error("m", error=ExceptionGroup("g", [_raised(text)])),
    "an error that is text": lambda log, text: log.error("m", error=text),
    "a library's record": _library_record,
    "a dimension": lambda log, text: _metric(dimensions={"Kind": text.replace("\n", " ")}),
    "a metric's property": lambda log, text: _metric(comment=text),
}  # fmt: skip

# --- where a value stands beside its name --------------------------------------------------------


class _Slots:
    __slots__ = ("__dict__",)


def _object(name: str, value: object) -> object:
    made = _Slots()
    made.__dict__.update({"user": "ann", name: value})
    return made


_Account = collections.namedtuple("_Account", "user extra")


STRUCTURES: dict[str, Callable[[str, str], object]] = {
    "a dict": lambda name, value: {"user": "ann", name: value},
    "a dict of bytes": lambda name, value: {name.encode(): value.encode()},
    "dicts in lists": lambda name, value: [[{"a": ({name: value},)}]],
    "a value of a mapping": lambda name, value: types.MappingProxyType({name: {"a": value}}),
    "an object": _object,
    "a namespace": lambda name, value: types.SimpleNamespace(**{name: value, "user": "ann"}),
    "a named tuple": lambda name, value: _Account("ann", {name: value}),
    "a deque": lambda name, value: collections.deque([{name: value}]),
    "items of a dict": lambda name, value: {name: value}.items(),
    "a pair": lambda name, value: (name, value),
    "pairs": lambda name, value: [["user", "ann"], [name, value]],
    "headers": lambda name, value: [(b"host", b"a"), (name.encode(), value.encode())],
    "headers that are marked": lambda name, value: [(name.encode(), value, True)],
    "name and value": lambda name, value: {"name": name, "value": value},
    "name and value, with more": lambda name, value: [{"name": name, "type": "S", "value": value}],
    "Key and Value": lambda name, value: {"Key": name, "Value": value},
    "header and value": lambda name, value: {"header": name, "value": value},
    "field and value": lambda name, value: {"field": name, "value": value},
    "k and v": lambda name, value: {"k": name, "v": value},
    "attributeName and attributeValue": lambda name, value: {
        "attributeName": name, "attributeValue": value},
    "a changed attribute": lambda name, value: {"attribute": name, "from": value, "to": value},
    "a changed field": lambda name, value: {"field": name, "old": "x", "new": value},
    "arguments of a command": lambda name, value: ["run", f"--{name}", value, "--verbose"],
    "arguments with =": lambda name, value: ["run", f"--{name}={value}", "--verbose"],
    "a header of curl": lambda name, value: ["curl", "-H", f"{name}: {value}", "https://example.com"],
}  # fmt: skip

# --- what is known to be shown, and what must stay -----------------------------------------------

# The text, what of it is shown, the reason.
SHOWN: list[tuple[str, str, str]] = [
    ("the password is hunter2Xq9", PLANTED, "a sentence has no mark that tells a secret from `the password is wrong`"),
    ("login ann hunter2Xq9", PLANTED, "nothing says that the last word is a password"),
    ("password=a,hunter2Xq9", PLANTED, "without quotes a value ends at white space and at `,` `;` `&` `<` `>`: the rest cannot be told from what follows"),
    ("password: a hunter2Xq9", PLANTED, "the same: only a header `Authorization` or `Cookie` is hidden up to the end of the line"),
    ("password: wrong", "wrong", "words that sentences have there (`must`, `expired`, `missing`, `None`) are no secret"),
    ("auth: secretly", "secretly", "`auth`, `pin`, `pass`, `otp`, `signature` and a few more are words of sentences: after a colon, letters without a digit stay"),
    ("transcript: hello hunter2Xq9", PLANTED, "what people say has no end that can be seen; it is hidden in quotes, brackets and as a field"),
    ("https://hooks.slack.com/services/T00/B00/hunter2Xq9", PLANTED, "a path is not looked at: a web hook's URL cannot be told from others"),
    ("postgres://ann:a/hunter2Xq9@db/app", PLANTED, "a `/` in the user info of a URL has to be written `%2F`; else the host ends there"),
    ("basic YW5uOmh1bnRlcjI=", "YW5u", "without the header's name only `Basic` and `BASIC` count: `basic` is a word"),
    (f"hvs.{_ALPHA}", _ALPHA, "a token of a service that is not in the table above; `Bearer`, a name or `redact` hides it"),
    ("-p hunter2Xq9", PLANTED, "an option of one letter says nothing: `-p` is a port, a path, a password"),
    ('File "a.py", line 1, in f: password=hunter2Xq9', PLANTED, "a frame shows code: only a literal right behind a secret's name is hidden"),
    ('File "a.py", line 1, in f: auth = (user, "hunter2Xq9")', PLANTED, "the same: of this literal the name says nothing"),
    ("password: |\n  hunter2Xq9", PLANTED, "the same: a block of YAML begins in the next line"),
    ('name="password"\r\n\r\nhunter2Xq9', PLANTED, "form data: a part's name and its value are lines apart"),
    ("CREATE USER ann IDENTIFIED BY 'hunter2Xq9'", PLANTED, "`IDENTIFIED BY` is no name"),
    ("`password`: `hunter2Xq9`", PLANTED, "between a name and its `=` or `:` only quotes, brackets and spaces may stand: no backticks, no stars of Markdown"),
    ("\x1b[1mpassword\x1b[0m: hunter2Xq9", PLANTED, "the same: no colours of a terminal"),
    ('{"k":"password","v":"hunter2Xq9"}', PLANTED, "in a text, only `name`, `key`, `value` and the like are names of a pair; in a dict, `k` and `v` are, too"),
    ("%257B%2522password%2522%253A%2522hunter2Xq9%2522%257D", PLANTED, "a text is decoded never: only one percent-encoding is known"),
    ("token: hunterxq", "hunterxq", "`token`, `jwt`, `cookie`, `csrf`, `code` are words of sentences: after a colon and a space, 3 to 12 lower-case letters stay"),
    ("pin=42", "42", "a number of one or two digits is no PIN, signature or one-time password: it is a count"),
    ("curl -u ann:hunter2Xq9", PLANTED, "the same; in a list of arguments, `-u` with a `:` behind it is hidden"),
    ("contraseña=hunter2Xq9", PLANTED, "names are English; `redact` adds others, in texts too"),
    ("4111 1111 1111 1111", "4111", "numbers are not recognised by their digits: ids of orders look the same"),
    ("-----BEGIN CERTIFICATE-----", "CERTIFICATE", "certificates and public keys are public"),
    ("eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9", "base64 of JSON without a dot is no JWT"),
    ("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo0", "QUJD", "text that only looks random is not hidden: so do ids, digests and traces"),
    ("userpin=hunter2Xq9", PLANTED, "`pin`, `ssn`, `mfa`, `pass`, `sig` count as words of a name (`user_pin`, `userPin`), not as ends of one (`spin`, `compass`)"),
    ("tokenHash=hunter2Xq9", PLANTED, "a digest of a random token is no secret; that of a password is hidden"),
    ("code=hunter2Xq9", PLANTED, "`code` is a status, a language, a country; name it `authCode`"),
    ("email=hunter2Xq9@example.com", PLANTED, "names, addresses and numbers of people are not hidden unless `redact` or `mask_ip` says so"),
    ("p\u0430ssword=hunter2Xq9", PLANTED, "a name in look-alike letters of another alphabet is another name"),
]  # fmt: skip

ORDINARY = [
    *("Listener joined", "Session golden-eagle-427 ended", "golden-eagle-427", "dXKyWfx8oAMCJKw="),
    *("123e4567-e89b-12d3-a456-426614174000", "at 12:30:00", "2026-01-31T12:00:00.123Z", "es-419"),
    *("de-AT", "zh-Hant-TW", "pcm_s16le", "wss://abc.execute-api.eu-west-1.amazonaws.com/prod"),
    *("https://example.com/a/b?page=2&size=10#top", "git@github.com:a/b.git", "ssh://git@host/a"),
    *("ann@example.com", "arn:aws:lambda:eu-west-1:123456789012:function:audio", "QUJDREVGR0g="),
    *("C:\\Users\\ann\\file.txt", "/opt/python/shared_utils/records.py", "127.0.0.1:8080", "::1"),
    'File "app.py", line 3, in token: return parse(password)',
    'File "app.py", line 3, in f: login(user, password=password, token=get_token())',
    'File "app.py", line 9, in sign: def sign(token: str, secret: bytes) -> str:',
    'File "app.py", line 9, in get: headers = {"Authorization": f"Bearer {token}"}',
    'File "/opt/auth/bearer.py", line 12, in <module>: import secrets',
    'File "app.py", line 9, in f: raise ValueError("password=" + text) from None',
    'File "app.py", line 9, in f: headers["Authorization"] = "Bearer " + token',
    'File "app.py", line 9, in f: url = f"https://{user}:{password}@{host}/"',
    'File "app.py", line 9, in f: token = "%s.%s" % (head, tail)',
    'secretArn="arn:aws:secretsmanager:eu-west-1:1:secret:prod/db-AbCdEf"',
    "Cannot read arn:aws:secretsmanager:eu-west-1:1:secret:prod/db-AbCdEf: denied",
    *("token_type=Bearer expires_in=3600", "password: field required", "jwt: malformed", "auth: OAuth2"),
    *("csrf token: mismatch", "verification code: sent", "Cookie: accepted", "PASS: test_a"),
    *("pass: 3, fail: 1", "pin=5", "sig=15", "token: str", "password=<password>", "token=${TOKEN}"),
    *('headers=["Authorization","Content-Type"]', 'fields=["token","id"]'),
    *("bearer of bad news", "the bearer", "Bearer token expired", "Bearer authentication is required"),
    *("the basic plan", "Basic authentication failed", "Basic Latin", "basic: 3 months"),
    *("token expired", "token: expired", "Token expired: sign in again", "Unexpected end of token"),
    *("password must have 8 characters", "password: must have 8 characters", "password is required"),
    *("Missing fields: user, password", "['user', 'password', 'email']", "auth failed", "auth: failed"),
    *("pin it to the board", "Pass: all tests", "signature mismatch", "signature: invalid"),
    *("tokenCount=5", "tokens=512", "maxTokens: 4000", "samples=1600", "body: too long"),
    *("author=ann", "authorId: 7", "keyboard=dvorak", "passed=3 failed=0", "spinner: on"),
    *("partitionKey=room", "route key: sendAudio", "key=abc", '{"Key": {"id": 1}}', "monkey: 1"),
    *("status code: 404", "error code=E42", "zip code: 1010", "number: 5", "string: abc"),
    *("password=None", "token=null", "secret: true", "password=", "password=''", "password:"),
    *("a == b", "x => y", "a -> b", "if token:", "def password(self): ...", "<token>", "-- done --"),
    *("name=ann value=5", '{"name": "user", "value": "ann"}', "[('user', 'ann')]", "[REDACTED]"),
    *("100%", "50% of 3", "%3", "risk-free", "task-1", "disk-usage-report", "ask-me", "a_b_c_d"),
    *("handle_very_long_name_of_a_function_indeed", "MAX_CONNECTIONS_PER_SESSION=500", "SG.de"),
    *("Audio: 3,200 bytes", "cookies were accepted", "the secret of success", "a secret garden"),
    *("--verbose --count 3", "sk-", "npm_config", "hf_transfer", "xoxo", "eyJ", "AKIA", "wsr"),
    *("sha256:2e7336dc8eba87ef472df568c35482abf2575dc3e5eac0c5c62b8ffaeac2c934", "grüß Gott: ok"),
]  # fmt: skip


def written(act: Callable[..., object], *arguments: object) -> str:
    """Return what a call writes to stdout."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        act(*arguments)
    return out.getvalue()


# --- the document --------------------------------------------------------------------------------


def document() -> str:
    """Return docs/redaction.md: what is hidden, what is shown knowingly, what stays."""
    from shared_utils.structured_logger import StructuredLogger

    log = StructuredLogger("Planted")
    written(log.info, "the first line of a process says more")

    def line_of(text: str) -> str:
        return str(json.loads(written(log.info, text))["message"])

    tried = len(SECRET_NAMES) * (len(SHAPES) * len(CARRIERS) + 6 * len(STRUCTURES))
    tried += len(SPOKEN_NAMES) * len(QUOTED_SHAPES) * len(CARRIERS) + 5 * len(TOKENS) * len(
        CARRIERS
    )
    parts = [
        _HEAD.format(tried=tried, names=len(SECRET_NAMES), spoken=len(SPOKEN_NAMES),
                     shapes=len(SHAPES), carriers=len(CARRIERS), structures=len(STRUCTURES),
                     tokens=len(TOKENS)),
        "## Names\n",
        "Any spelling counts: `api_key`, `api-key`, `apiKey`, `ApiKey`, `API_KEY`, `X-Api-Key`; words before"
        " the name do not matter, nor do `old`, `value`, `text`, a number or the like after it.\n",
        f"Hidden, whatever the value but `None` and booleans: {_code(SECRET_NAMES)}.\n",
        f"Hidden unless it is a number, which is a size: {_code(SPOKEN_NAMES)}.\n",
        f"Not hidden: {_code(ORDINARY_NAMES)}.\n",
        "## A name and a value in a text\n",
        *_table(("shape", "written", "shown"),
                [(shape, _cell(make("api_key", PLANTED)), _cell(line_of(make("api_key", PLANTED))))
                 for shape, make in SHAPES.items()]),
        "## Secrets that are recognised alone\n",
        *_table(("secret", "shown"),
                [(name, _cell(line_of(text))) for name, (text, _) in TOKENS.items()]),
        "## Where texts are looked at\n",
        "".join(f"- {carrier}\n" for carrier in CARRIERS),
        "## Where a value stands beside its name\n",
        *_table(("structure", "shown"),
                [(name, _cell(json.dumps(json.loads(written(log_value, log, make))["context"]["data"])))
                 for name, make in STRUCTURES.items()]),
        "## Knowingly shown\n",
        *_table(("written", "why"), [(_cell(text), why) for text, _, why in SHOWN]),
        "## Hidden, though it may be harmless\n",
        _HARMLESS,
        "## Never touched\n",
        "A test compares each of these with what is written, byte for byte:\n",
        "".join(f"- {_cell(text)}\n" for text in ORDINARY),
    ]  # fmt: skip
    return "\n".join(parts)


def log_value(log: StructuredLogger, make: Callable[[str, str], object]) -> None:
    """Write a line with a structure that holds a secret."""
    log.info("m", data=make("api_key", PLANTED))


_HEAD = """# What log lines hide

<!-- Made by tools/generate.py from tools/planted_secrets.py; shared-layer/tests/test_planted_secrets.py tries it. -->

A test plants a secret {tried:,} times: {names} names in {shapes} shapes of text in {carriers} places of a line, the
same names in {structures} structures and six spellings, {spoken} names of what people say, {tokens} secrets that are
recognised alone. No line shows one, except in the cases under [knowingly shown](#knowingly-shown).

`configure_lambda_logging(redact=[...], allow=[...])` adds names and takes names off, also for texts.
"""


_HARMLESS = """- A list or tuple of two that begins with a secret's name, `["password", "colour"]`: it may be a name and its value;
  but a few names of fields and headers (`id`, `name`, `email`, `user`, `Content-Type`) stay behind it.
- A value that begins like a call, `password=a(b`, up to the bracket that closes it, or to the text's end.
- `pwd` may be a password or a folder, `auth` a secret or a method, `signature` a secret or that of a function.
- `next_token`, `pageToken`: such a token is often signed.
- After a colon, one word that sentences seldom have there: `password: mismatch`, `secret: rotated`.
- `${PASSWORD}` and `<password>` stay: they say where a value would stand; `<colour>` behind `password=` is hidden.
- A user in a URL without a password, `https://ann@example.com`: tokens stand there; `git` stays.
"""


def _code(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    shown = text.replace("\n", "\\n").replace("\r", "\\r").replace("|", "\\|")
    return f"`{shown}`" if "`" not in shown else f"`` {shown} ``"


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return ["\n".join(lines), ""]


if __name__ == "__main__":
    sys.stdout.write(document())
