"""What must not be seen: values by their names, and secrets in texts by their shape.

Names are compared without case, `_`, `-`, spaces and quotes; docs/redaction.md has the table of what
is hidden, and what is not. Texts are searched by `_secret_texts`, which is loaded for the first text
that may hold a secret. Nothing here raises for any name or text.
"""

from __future__ import annotations

import re
from decimal import Decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    Censor = str | Callable[[object, str], object]

CENSORED = "[REDACTED]"
# A name is remembered up to here: names made from data must not fill the memory.
MAX_NAME_CHARS = 128
_MAX_KEPT_NAMES = 1024

# --- names ---------------------------------------------------------------------------------------

# Ends of names, whatever stands before them.
_SECRET_ENDINGS = tuple(
    """
    token secret secrets password passwords passwd pwd passphrase passcode passwordhash
    authorization auth bearer cookie cookies credential credentials jwt signature
    apikey apikeys accesskey accesskeys secretkey secretkeys privatekey privatekeys accountkey
    sharedkey signingkey encryptionkey masterkey sessionkey authkey hmackey sshkey subscriptionkey
    functionskey licensekey consumerkey interpreterkey listenerkey speakerkey
    otp mfacode mfatoken 2facode authcode authorizationcode verificationcode securitycode pincode
    smscode onetimecode recoverycode recoverycodes backupcode backupcodes codeverifier
    cardnumber creditcard creditcardnumber cardno cvv cvv2 cvc socialsecurity socialsecuritynumber
    connectionstring connstr connstring mnemonic seedphrase recoveryphrase clientassertion
    samlresponse samlassertion otpcode oauthverifier sessid jsessionid tokenvalue secretvalue
    passwordvalue
    """.split()
)
# Too short to be an end of any word (`spin`, `compass`): they are a name's last word, or all of it.
_SECRET_WORDS = frozenset("pin ssn mfa pass sig csrf xsrf totp pw psk".split())
# What is put behind a secret's name, and leaves it one: `tokenValue`, `db_password_old`.
_AFTER_A_SECRET = frozenset(
    """
    value values text string str raw plain plaintext old new current previous prev next last confirm
    confirmation confirmed repeat again copy backup tmp temp header hint base b encoded env var
    param arg input pem binary bytes json answer
    """.split()
)
# Whole names: what people say, and what carries it. A number is a size, not audio.
_SPOKEN = frozenset(
    """
    audio audiodata audiochunk audiochunks audiobase64 pcm pcmdata samples body rawbody transcript
    transcripts transcripttext transcription transcriptiontext sourcetext translatedtext caption
    captions captiontext utterance utterances secwebsocketprotocol
    """.split()
)
_ADDRESSES = frozenset(("ipaddress", "sourceip", "ip"))

_NUMBERS = (int, float, Decimal)

# What people put around a name, and what `repr` puts around a key that is no text.
_NOISE = dict.fromkeys(map(ord, "_- \t\r\n:'\"<>()[]{}$@#*.,;/\\"))


def squash(name: str) -> str:
    """Return a name as names are compared."""
    return name.translate(_NOISE).lower()


def _words(name: str) -> list[str]:
    """Return a name's words in lower case: `userPIN_code2` is user, pin, code and 2."""
    found: list[str] = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)
    return [word.lower() for word in found]


def _is_secret(name: str) -> bool:
    """Return whether a name says that what stands under it is a secret."""
    squashed = squash(name)
    if squashed.endswith(_SECRET_ENDINGS) or squashed in _SECRET_WORDS:
        return True
    words = _words(name)
    while words and (words[-1] in _AFTER_A_SECRET or words[-1].isdigit()):
        words.pop()
    return bool(words) and (words[-1] in _SECRET_WORDS or "".join(words).endswith(_SECRET_ENDINGS))


# With a secret's name before them they are two names: `["Authorization", "Content-Type"]`.
_PLAIN_NAMES = frozenset(
    """
    accept acceptencoding acceptlanguage cachecontrol connection contentlength contenttype created
    createdat date email etag expires host id language name origin referer role type updatedat user
    useragent userid username
    """.split()
)


class Policy:
    """What must not be seen: names at any depth, dotted paths, and what stands in their place."""

    __slots__ = (
        "_allowed", "_known", "_patterns", "_tails", "_wildcards", "censor", "mask_ip", "on", "paths", "remove",
    )  # fmt: skip

    def __init__(
        self,
        redact: Iterable[str] = (),
        allow: Iterable[str] = (),
        censor: Censor = CENSORED,
        remove: bool = False,
        mask_ip: bool = False,
        on: bool = True,
    ) -> None:
        self.censor = censor
        self.remove = remove
        self.mask_ip = mask_ip
        self.on = on
        self._allowed = frozenset(map(squash, allow))
        # A pattern is a regular expression over squashed names; in a path, a segment each.
        patterns = [[_kept_stars(segment) for segment in p.split(".")] for p in redact]
        self._wildcards = [_glob(p[0]) for p in patterns if len(p) == 1]
        self.paths = [[_glob(segment) for segment in p] for p in patterns if len(p) > 1]
        self._known: dict[str, str] = {}
        self._patterns = [p[0] for p in patterns if len(p) == 1]
        self._tails: frozenset[str] = frozenset()

    def kind(self, name: str) -> str:
        """Return "secret", "spoken", "address" or "" for a field's name."""
        kind = self._known.get(name)
        if kind is None:
            if len(name) > MAX_NAME_CHARS:
                return self._judge(name)
            if len(self._known) >= _MAX_KEPT_NAMES:
                self._known.clear()
            kind = self._known[name] = self._judge(name)
        return kind

    def needs(self, name: str) -> bool:
        """Return whether a field of this name must be looked at, whatever its value."""
        return (
            bool(self.kind(name))
            or (self.on and name in _VALUES_OF_FIELDS)
            or any(p[0].fullmatch(squash(name)) for p in self.paths)
        )

    def _judge(self, name: str) -> str:
        squashed = squash(name)
        if not self.on or squashed in self._allowed:
            return ""
        if any(w.fullmatch(squashed) for w in self._wildcards):
            return "secret"
        # A long name's end says what it is; looking at all of it would cost what it likes.
        if _is_secret(name[-MAX_NAME_CHARS:]):
            return "secret"
        if squashed in _SPOKEN or squashed.endswith("tokens"):  # a number of tokens is no secret
            return "spoken"
        return "address" if self.mask_ip and squashed in _ADDRESSES else ""

    def tails(self) -> frozenset[str]:
        """Return what a hidden name may end with in a text: its last letters, or `*` for any."""
        if (
            not self._tails
        ):  # made for the first text with a `=` or `:`: an import should not pay for it
            self._tails = frozenset(_tails_of(self._patterns))
        return self._tails

    def hides(self, kind: str, value: object, path: tuple[str, ...]) -> bool:
        """Return whether a value must not be seen. `None` and booleans tell nothing and stay."""
        if value is None or value is True or value is False:
            return False
        if kind == "secret" or (kind == "spoken" and not isinstance(value, _NUMBERS)):
            return True
        return any(_path_matches(pattern, path) for pattern in self.paths)

    def removes(self, name: str, value: object) -> bool:
        """Return whether a field of a line is left out, and not shown as hidden."""
        return self.remove and self.hides(self.kind(name), value, (name,))

    @staticmethod
    def is_plain_name(value: object) -> bool:
        """Return whether a value beside a secret's name is another field's or header's name."""
        return type(value) is str and len(value) < 20 and squash(value) in _PLAIN_NAMES

    def replacement(self, value: object, path: tuple[str, ...]) -> object:
        """Return what stands in a hidden value's place: the censor's text, or what it returns."""
        if isinstance(self.censor, str):
            return self.censor
        try:
            return self.censor(value, ".".join(path))
        except (Exception, SystemExit):  # the user's function; the value stays hidden
            return CENSORED


def _kept_stars(segment: str) -> str:
    return "*".join(map(squash, segment.split("*")))


def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def _path_matches(pattern: list[re.Pattern[str]], path: tuple[str, ...]) -> bool:
    return len(pattern) == len(path) and all(
        segment.fullmatch(squash(name)) for segment, name in zip(pattern, path, strict=True)
    )


def mask_address(address: str) -> str:
    """Return IP addresses without their host part: the last octet, or all after the third group."""
    if ":" in address.partition(".")[0]:
        return ":".join(address.partition("::")[0].split(":")[:3]) + "::"
    masked = re.sub(r"\.[0-9]+(?![.0-9])", ".0", address)
    return masked if "." in masked else CENSORED


# --- texts ---------------------------------------------------------------------------------------

_TAIL_CHARS = 3
_LOOK_BACK_CHARS = 64
_AROUND_A_NAME = " \t\r\n\"'\\[])}"
_AFTER_A_NAME = f"{_AROUND_A_NAME}_-.0123456789"
# They say something only with what stands before or beside them: `API key`, `name` and `value`.
_HALF_NAMES = tuple(
    "key keys code codes number no string phrase word security token value values val content".split()
)


# Stands behind each of several texts that are looked through together. A `=` before it is padding.
_END = "\0"
_LAST_EQUALS = f"={_END}"


# Short texts that were looked through and hold no secret: most of what is logged is said often.
harmless: set[str] = set()
_MAX_HARMLESS = 1024  # texts made from data must not fill the memory


def hold_no_secret(texts: list[str]) -> bool:
    """Return whether short texts may be shown as they are: one look for all, which is remembered."""
    if not policy.on:
        return True
    if suspect(f"{_END.join(texts)}{_END}"):
        return False
    if len(harmless) >= _MAX_HARMLESS:
        harmless.clear()
    harmless.update(texts)
    return True


def suspect(text: str) -> bool:
    """Return whether `text` may hold a secret: cheap, and rather once too often than once too seldom.

    Almost all texts are ordinary, and this is called for every line. A character is looked for in a
    tenth of the time that a word or a regular expression takes, so that the rare ones come first.
    """
    return (
        (
            (
                ":" in text
                or ">" in text
                or ("=" in text and text.count("=") > text.count(_LAST_EQUALS))
            )
            and _may_hold_a_pair(text)
        )
        or ("_" in text and _may_hold_a_prefixed_token(text))
        or ("-" in text and _may_hold_a_hyphened_token(text))
        or "earer" in text
        or ("B" in text and ("Basic" in text or "BASIC" in text or "BEARER" in text))
        or ("%" in text and _may_hold_an_encoded_pair(text))
        or ("J" in text and "eyJ" in text)
        or ("I" in text and ("AKIA" in text or "ASIA" in text or "AIza" in text))
        or ("G" in text and "SG." in text)
        or ("3" in text and "ATATT3" in text)
        or ("9" in text and "ya29." in text)
        or "dapi" in text
        or (("[" in text or "(" in text) and ("'," in text or '",' in text))
    )


def _tails_of(patterns: list[str]) -> Iterator[str]:
    """Yield the last letters of names as they stand before a `=` or `:`, in any spelling."""
    if any(pattern.endswith("*") for pattern in patterns):
        yield "*"
    for end in ("rd", "en", "et", "ey"):  # `password_b64`, `tokenB64`: the digits are left out
        yield from (f"{end}b", f"{end[1]}_b", f"{end[1]}-b", f"{end[1]} b")
    known = (*_SECRET_ENDINGS, *_SECRET_WORDS, *_AFTER_A_SECRET, *_SPOKEN, "tokens")
    for name in (*known, *patterns):
        letters = name.rstrip("0123456789")
        yield letters[-_TAIL_CHARS:]
        if len(letters) < _TAIL_CHARS or name in patterns or name.endswith("no"):
            yield letters[-2:]
            yield from (f"{gap}{letters[-n:]}" for gap in "_- " for n in (1, 2))


def _may_hold_a_pair(text: str) -> bool:
    """Return whether a name that is hidden stands before a `=`, `:` or `>`, or in a URL's user info."""
    if "@" in text and ("//" in text or "netloc" in text or "authority" in text):
        return True
    if "AA" in text and ":AA" in text:  # a token of a Telegram bot
        return True
    if ">" in text:
        if "</" in text:
            return True
        text = text.replace(">", "=")
    tails = policy.tails()
    before = text.replace(":", "=").split("=")
    del before[-1]
    for piece in before:
        # Without a call for each: a time and a URL have many.
        if piece.rstrip(_AFTER_A_NAME)[-_TAIL_CHARS:].lower() in tails and _ends_with_a_name(piece):
            return True
    return "*" in tails


def _ends_with_a_name(text: str) -> bool:
    words = text.rstrip(_AROUND_A_NAME)[-_LOOK_BACK_CHARS:].split()
    word = words[-1] if words else ""
    if not word.isalpha():
        word = re.split(r"\\[nrt]|%[0-9A-Fa-f]{2}|[^\w.\-]", word)[-1]
    return bool(policy.kind(word)) or word.lower().endswith(_HALF_NAMES)


def _may_hold_an_encoded_pair(text: str) -> bool:
    lower = text.lower()
    return "%3d" in lower or "%3a" in lower or "%5d" in lower


_long_word: Callable[[str], object] | None = None


def _may_hold_a_prefixed_token(text: str) -> bool:
    """Return whether many letters or digits follow a `_`, as in `ghp_...`: few words have so many."""
    global _long_word
    if _long_word is None:  # compiled when it is needed: an import should not pay for it
        _long_word = re.compile("_[A-Za-z0-9]{16}").search
    return _long_word(text) is not None or "wsr_" in text


def _may_hold_a_hyphened_token(text: str) -> bool:
    return (
        "--" in text
        or ("t-" in text and ("pat-" in text or "gldt-" in text))
        or ("k" in text and "sk-" in text)
        or ("x" in text and ("xox" in text or "xapp-" in text))
        or ("y" in text and "pypi-" in text)
        or ("q" in text and "sq0" in text)
        or ("K" in text and ("RAK-" in text or "KEY-1" in text))
    )


def scrub(text: str) -> str:
    """Return text with `[REDACTED]` for everything in it that can be recognised as a secret."""
    if not suspect(text):
        return text
    from . import _secret_texts

    return _secret_texts.scrub(text, policy)


# --- names and values side by side ---------------------------------------------------------------

# What people call a name and its value, where each has a member of its own.
_LABELS = frozenset(
    """
    name Name NAME key Key KEY header Header headerName header_name HeaderName field Field fieldName
    field_name FieldName param Param parameter Parameter parameterName ParameterName variable Variable
    var attribute Attribute attributeName AttributeName property Property option Option label Label
    loc k K
    """.split()
)
_VALUES = frozenset(
    """
    value Value VALUE values Values val Val content Content headerValue header_value HeaderValue
    fieldValue field_value stringValue StringValue parameterValue ParameterValue text data input
    default defaultValue old new oldValue newValue old_value new_value before after
    attributeValue AttributeValue attribute_value propertyValue v V from to
    """.split()
)
# A line's fields are looked at in the same way; what many lines carry for other reasons is not.
_VALUES_OF_FIELDS = _VALUES - frozenset(
    "values Values Content content text data input default v V from to".split()
)


def secret_members(fields: Mapping[str, object]) -> list[str]:
    """Return the names of members whose sibling names them as secret: `{"name": ..., "value": ...}`."""
    if _LABELS.isdisjoint(fields):
        return []
    kinds = [_kind_of_name(fields[label]) for label in _LABELS & fields.keys()]
    return [
        name
        for name, value in fields.items()
        if name in _VALUES and any(policy.hides(kind, value, ()) for kind in kinds if kind)
    ]


def _kind_of_name(name: Any) -> str:
    """Return the kind of a name that is given as a value, `""` if it is none."""
    if type(name) in (tuple, list) and name:
        name = name[-1]  # pydantic's `loc`: where a value stands
    if type(name) is bytes:
        name = name[: MAX_NAME_CHARS + 1].decode("latin-1")
    if type(name) is not str or len(name) > MAX_NAME_CHARS or not name or " " in name.strip():
        return ""
    return policy.kind(name)


def secret_positions(values: Sequence[Any]) -> list[int]:
    """Return the positions of a list's items that another item names as secret.

    Pairs, `("password", x)`, also with a third item that is a flag; and what follows an option of a
    command, `["--password", x]`.
    """
    first: Any = values[0] if values else ""
    is_pair = len(values) == 2 or (len(values) == 3 and type(values[2]) in (bool, type(None)))
    if is_pair and type(first) in (str, bytes) and first[:1] not in ("-", b"-"):
        kind = _kind_of_name(first)
        if kind and policy.hides(kind, values[1], ()) and not policy.is_plain_name(values[1]):
            return [1]
    return [
        position + 1
        for position in range(len(values) - 1)
        if type(option := values[position]) is str
        and option[:1] == "-"
        and _is_secret_option(option, values[position + 1])
    ]


def _is_secret_option(option: str, value: object) -> bool:
    if option in ("-u", "--user", "--proxy-user"):  # curl's, wget's, HTTPie's: `ann:hunter2`
        return type(value) is str and ":" in value
    is_option = type(value) is str and value[:1] == "-" and value.lstrip("-")[:1].isalpha()
    return len(option) <= MAX_NAME_CHARS and policy.kind(option) == "secret" and not is_option


policy = Policy()


def set_policy(rules: Policy) -> None:
    """Let other rules say what is hidden."""
    global policy
    policy = rules
    harmless.clear()
