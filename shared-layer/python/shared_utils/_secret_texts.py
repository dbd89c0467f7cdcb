"""Secrets in a text, found by their shape or by the name before them, and replaced.

Each search is linear in the text's length: no pattern begins anew within what another attempt of it
has passed, repeats are bounded or possessive, and what has been looked through for a value's end is
hidden with it. A group is repeated within `(?>...)`, never by `*+`: Python up to 3.11.4 keeps what a last
attempt that failed had passed (https://github.com/python/cpython/issues/106052). Prefixes of tokens are those of gitleaks' public rules:
https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml
"""

from __future__ import annotations

import binascii
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Names(Protocol):
        """Says what a name means, as `_redaction.Policy` does."""

        def kind(self, name: str, /) -> str: ...

        def is_plain_name(self, value: object, /) -> bool: ...


CENSORED = "[REDACTED]"


def scrub(text: str, names: Names) -> str:
    """Return text without its secrets."""
    text = _PRIVATE_KEY.sub(rf"\1{CENSORED}\2", text)
    if "@" in text:
        text = _USER_INFO.sub(_without_user_info, text)
        text = _NETLOC.sub(rf"\1{CENSORED}@", text)
    if "%40" in text:
        text = _ENCODED_USER_INFO.sub(rf"\1{CENSORED}%40", text)
    text = _without_named(text, names)
    text = _TOKEN.sub(_without_token, text)
    return _SCHEME.sub(_without_credentials, text)


# --- by shape ------------------------------------------------------------------------------------

# A text may have been cut before the end of the key.
_PRIVATE_KEY = re.compile(
    r"(-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----)"
    r"(?>(?:[^-]++|-(?!----END))*)(-----END [A-Z0-9 ]{0,40}-----)?"
)

# Prefixes that `_redaction.suspect` looks for, too: with a `_` and 16 letters or digits behind it, or
# one by one.
_TOKEN = re.compile(
    r"(?<!\\u[0-9a-f]{3})eyJ[\w-]{6,}+(?>(?:\.[\w-]*+)*)"  # JWT and JWE, and base64 of JSON
    r"|(?<![A-Za-z0-9])(?:"
    r"A[KS]IA[A-Z0-9]{16}"  # AWS
    r"|(?:gh[pousr]|github_pat|npm|hf|pnu|pul|lin_api|rubygems|rdme|sgp|tfp|sntry[su]|dckr_pat|figd"
    r"|[sr]k_(?:live|test|prod)|do[opr]_v1|pscale_(?:tkn|oauth|pw)|shippo_(?:live|test)|sm_[aps]at"
    r"|shp(?:at|ca|pa|ss)|whsec|gsk|r8)_[A-Za-z0-9]{16}[\w=.+/-]*+"
    r"|gldt-[\w-]{16,}+|NRAK-[A-Z0-9]{20,}+|sq0[a-z]{3}-[\w-]{20,}+|AGE-SECRET-KEY-1[A-Z0-9]{20,}+"
    r"|ATATT3[\w=.+/-]{20,}+|ya29\.[\w.-]{20,}+|dapi[0-9a-f]{32}(?:-[0-9])?"
    r"|(?:bot)?[0-9]{8,10}:AA[\w-]{33}(?![\w-])"  # Telegram's bots
    r"|glpat-[\w-]{16,}+|pypi-[\w-]{16,}+|xox[a-z](?:\.xox[a-z])?-[\w-]{8,}+|xapp-[0-9]-[\w-]{8,}+"
    r"|sk-(?=[\w-]{0,64}[0-9])[\w-]{16,}+"  # OpenAI, Anthropic
    r"|AIza[\w-]{30,}+|SG\.[\w-]{8,}+\.[\w-]{8,}+"  # Google, SendGrid
    r"|wsr_[\w=+/-]{1,128}+(?:\.[\w-]*+)?"  # our refresh token: the participant's id, a secret
    r")",
    re.ASCII,
)


def _without_token(found: re.Match[str]) -> str:
    token = found[0]
    return token if token.startswith("eyJ") and "." not in token else CENSORED


# `Bearer x` and `Basic x` without the header's name; `bearer.x` as a sub-protocol carries it.
_SCHEME = re.compile(
    r"(?<![A-Za-z])(?:([Bb]earer|BEARER)|Basic|BASIC)"
    r"((?>(?:\s|\\[tnr]|%20|\+)+)|(?<=bearer)\.(?=[\w.~+/=-]{0,99}[0-9])(?=[\w.~+/=-]{20}))([\w.~+/=-]++)",
    re.ASCII,
)
# What stands after "bearer" in a sentence.
_PROSE = frozenset(
    """
    of token tokens auth authentication authorization realm scheme schemes header headers credential
    credentials is was are were must and or in on at to for from by with not the a an required expired
    missing invalid error errors format only access refresh prefix string value type methods method
    bonds bond instrument instruments shares
    """.split()
)


# `token_type=Bearer expires_in=3600`: only padding stands behind a `=` in credentials.
_OTHER_PAIR = re.compile(r"[a-z]{2,}+(?>(?:_[a-z]+)*)=[^=]")


def _without_credentials(found: re.Match[str]) -> str:
    bearer, gap, value = found.groups()
    scheme = found[0][: len(found[0]) - len(gap) - len(value)]
    if bearer:
        word = value.rstrip(".=-")
        shown = (
            word.lower() in _PROSE
            or (scheme == "bearer" and len(word) < 6 and word.islower())
            or _OTHER_PAIR.match(value) is not None
        )
    else:
        shown = not _is_user_and_password(value)
    return found[0] if shown else f"{scheme}{gap}{CENSORED}"


def _is_user_and_password(value: str) -> bool:
    """Return whether text is the base64 of `user:password`, also if it is cut."""
    value = value.rstrip("=.")
    value = value[: len(value) // 4 * 4] if len(value) % 4 == 1 else value + "=" * (-len(value) % 4)
    try:
        return b":" in binascii.a2b_base64(value)
    except ValueError:
        return False


# `scheme://user:password@host`; the last `@` before the path ends it.
_USER_INFO = re.compile(r"(?:(?P<scheme>://)|(?<![\w/:])//)(?P<user>[^\s/?#\"'<>\\]*)@")
# The same as the part of a URL that was taken apart: `SplitResult(netloc='user:password@host')`.
_NETLOC = re.compile(
    r"((?:netloc|authority)\\{0,7}[\"']?\s{0,4}[=:]\s{0,4}\\{0,7}[\"']?[^\s:@\"'\\]{0,128}+:)"
    r"[^\s\"'\\]{0,256}@"
)
_ENCODED_USER_INFO = re.compile(
    r"(%3A%2F%2F[\w.~+-]{0,128}+%3A)(?>(?:[\w.~+!$*-]++|%(?!40|2F))*)%40", re.ASCII | re.IGNORECASE
)
# What stands for a value in a template: `{password}`, `${PASSWORD}`, `%s`.
_PLACEHOLDER = re.compile(r"\$?\{[\w.]*\}|\$\{\w+\}|%s|%\(\w+\)s")


def _without_user_info(found: re.Match[str]) -> str:
    slashes = "://" if found["scheme"] else "//"
    user, colon, password = found["user"].partition(":")
    if colon and not _PLACEHOLDER.fullmatch(password):
        return f"{slashes}{user}:{CENSORED}@"
    if colon or not found["scheme"] or user in ("git", "") or _PLACEHOLDER.fullmatch(user):
        return found[0]
    return f"{slashes}{CENSORED}@"


# --- by the name before --------------------------------------------------------------------------

_NAME_AND_SEPARATOR = re.compile(
    r"""
    (?P<option> -- )?
    (?P<open> (?<!=) < )?
    (?: (?P<quote> \\{0,7}+["'] | %2[27] ) (?P<dashes> -- (?=\w) )? | (?<!\w) )
    (?P<name> \w[\w.\-\[\]]{0,127}+ ) (?> (?: %5[Bb] \w{0,32}+ %5[Dd] ){0,4} )
    (?(quote) (?P=quote) \]? )
    (?:
        (?(open) (?P<element> (?= (?: \s \w [\w:.\-]{0,63}+ = [^<>]{0,64}+ )? > ) ) | (?!) )
      | \s{0,4}+ (?P<separator> = > | := | ={1,3}+ | != | : | %3[DdAa] ) \s{0,4}+
      | (?(option) [ ]{1,4}+ (?! - ) | (?!) )
      | (?(quote) (?P<comma> \s?, \s? ) (?= [bBuU]? \\{0,7}["'] | [\[({] | [\w.]{1,128}+\( ) | (?!) )
    )
    """,
    re.VERBOSE,
)
# Their values are many words, up to the end of the line.
_WHOLE_LINE = ("authorization", "cookie", "phrase", "mnemonic")
# Of an unquoted value only one word is hidden, and these words begin it with another one.
_SCHEMES = frozenset(
    "basic bearer digest negotiate ntlm token apikey hmac signature aws4-hmac-sha256".split()
)
# No value at all.
_NOTHING = frozenset(("none", "null", "true", "false", "nil", "undefined"))
# What stands after `token: ` or `password: ` in a sentence, and is no secret.
_IN_SENTENCES = frozenset(
    """
    must is was are be expired invalid missing required not too wrong empty refused unknown expected
    should cannot has have may needs and or the a an no ok failed unauthorized forbidden denied
    rejected accepted absent unset hidden redacted
    """.split()
)
# They are words of a sentence too: without quotes, and after a colon, a value of letters stays.
_WEAK_ENDINGS = tuple("auth pin pass bearer signature credentials sig mfa otp".split())
# A quote ends it if it may end what stands around: no letter or digit follows.
_UNQUOTED = re.compile(
    r"(?>(?:[^\s,;&\"'<>\\]++|\\(?![nrtu\"'\\])|[\"'](?!\Z|[\s,;:&<>\"'\\]|[)\]}.!?]{1,8}+(?!\w)))*)"
)
_REST_OF_LINE = re.compile(r"(?>(?:[^\r\n\\]++|\\(?![rn]))*)")
_QUOTE_BEFORE = re.compile(r"(\\*+)([\"'])\Z")
_OPENING_QUOTE = re.compile(r"[bBuUrR]{0,2}(\\*+)(\"{3}|'{3}|[\"'])")
_AFTER_A_TEXT = re.compile(r"\s*+(?:[,}\])]|\Z)")
_BRACKETS = {"[": "]", "{": "}", "(": ")"}
# Two words that are a secret's name together: the second, which stands before the colon.
_SECOND_WORDS = frozenset("key keys code codes number no string phrase word security token".split())


_FRAME = re.compile(r'File "[^"\n]{1,256}+", line [0-9]++(?:, in [^\n]*+(?:\n    [^\n]*+)?)?')


def _without_named(text: str, names: Names) -> str:
    """Return text without the values that stand behind secret names.

    In a frame of a stack, which shows a line of code, only a literal may be a secret.
    """
    frames = _frames(text)
    arns = [arn.span() for arn in _ARN.finditer(text)] if ":secret:" in text else []
    arns.reverse()  # the next one is the last
    parts: list[str] = []
    taken = 0  # up to here, text is in `parts`
    value_before: re.Match[str] | None = None  # a member called `value`, its name not yet seen
    label = ""  # the kind of the name that a member called `name` has given
    for found in _NAME_AND_SEPARATOR.finditer(text):
        if found.start() < taken:
            continue
        name = found["name"]
        if not found["quote"]:
            name = _without_escape(text, found.start(), name)
        meaning = names.kind(name) or _kind_of_two_words(text, found, names)
        if not meaning:
            label, meaning = _by_label(text, found, names, label)
            if name.lower() in _VALUES and not label:
                value_before = found
            elif label == "secret" and name.lower() in _LABELS and value_before:
                before = _value_before(text, value_before, found.start())
                if before and before[0] >= taken:
                    parts += text[taken : before[0]], CENSORED
                    taken, label = before[1], ""
                value_before = None
        if meaning not in ("secret", "spoken"):
            continue
        if _within(arns, found.start()):
            continue
        if frame := _within(frames, found.start()):
            value = _literal_of(text, found, frame[2])
        else:
            value = _value_of(text, found, meaning, names)
        if value is not None:
            start, end, shown = value
            parts += text[taken:start], shown
            taken = end
    return "".join((*parts, text[taken:])) if parts else text


def _within(spans: list[Any], at: int) -> Any:
    """Return the span that a place is in, or `None`; those before it are taken off."""
    while spans and spans[-1][1] <= at:
        spans.pop()
    return spans[-1] if spans and spans[-1][0] <= at else None


# The name of a secret in Secrets Manager is none.
_ARN = re.compile(
    r"arn:[a-z-]{1,16}:secretsmanager:[a-z0-9-]{0,32}:[0-9*]{0,16}:secret:[\w/+.:@*-]*+", re.ASCII
)
_LITERAL = re.compile(
    r"[bBuUrRfF]{0,2}(?P<quote>\"{3}|'{3}|[\"'])(?P<content>(?>(?:[^\n\\\"']++|\\.|(?!(?P=quote))[\"'])*))"
    r"(?:(?P=quote))?"
)
# What a literal consists of that values are put into, or that is put before one.
_OF_TEMPLATES = re.compile(
    r"\{[^{}]*+\}|%\(\w+\)s|%[-+ 0-9.]{0,8}+[a-z]|[Bb]earer|Basic|[Tt]oken|[^\w%{]|_"
)


def _frames(text: str) -> list[tuple[int, int, dict[int, tuple[int, int]]]]:
    """Return where frames of stacks stand, the last one first, and the literals in each."""
    if 'File "' not in text:
        return []
    frames = []
    for frame in _FRAME.finditer(text):
        literals = _LITERAL.finditer(text, *frame.span())
        frames.append((*frame.span(), {each.start(): each.span("content") for each in literals}))
    return frames[::-1]


def _literal_of(
    text: str, found: re.Match[str], literals: dict[int, tuple[int, int]]
) -> tuple[int, int, str] | None:
    """Return where a literal of code begins and ends that is a secret, and what is shown for it."""
    start, end = literals.get(found.end(), (0, 0))
    content = text[start:end]
    if not _OF_TEMPLATES.sub("", content) or content == CENSORED:
        return None
    if found["comma"] and not _is_pair(text, found, end, 1):
        return None
    return start, end, CENSORED


def _without_escape(text: str, start: int, name: str) -> str:
    """Return a name without what ends an escape: `%3Ftoken` is `?token`, `\\ntoken` a new line's."""
    before = text[start - 1 : start]
    if before == "%":
        return name[2:]
    return name[1:] if before == "\\" and name[0] in "nrt" else name


def _kind_of_two_words(text: str, found: re.Match[str], names: Names) -> str:
    """Return the kind of a name of two words, `API key: x`."""
    name = found["name"]
    if name.lower() not in _SECOND_WORDS or found["quote"]:
        return ""
    start = found.start()
    before = text[max(start - 24, 0) : start].rstrip(" ")
    word = re.search(r"\w+\Z", before[-20:])
    return (
        names.kind(f"{word[0]}_{name}")
        if word and before != text[max(start - 24, 0) : start]
        else ""
    )


_LABELS = frozenset(
    ("name", "key", "header", "field", "param", "parameter", "variable", "headername")
)
_VALUES = frozenset(("value", "val", "content", "headervalue"))
_MAX_CHARS_TO_A_NAME = 1024
_BARE_VALUE = re.compile(r"[^\s,;&\"'<>{}\[\]\\]++")


def _value_before(text: str, found: re.Match[str], name_at: int) -> tuple[int, int] | None:
    """Return where a value stands before its name: `{"value": "x", "name": "password"}`."""
    if name_at - found.end() > _MAX_CHARS_TO_A_NAME:
        return None
    start = found.end()
    before = text[start:name_at]
    value = _OPENING_QUOTE.match(before) or _BARE_VALUE.match(before)
    if value is None:
        return None
    is_quoted = value.re is _OPENING_QUOTE
    first = value.end() if is_quoted else 0
    end = _closing_quote(before, first, value[2], len(value[1])) if is_quoted else value.end()
    if end <= first or any(mark in before[end:] for mark in "{}<>"):
        return None
    return start + first, start + end


_QUOTED_NAME = re.compile(r"[bBuUrR]{0,2}\\*+[\"']([\w.\-]{1,128}+)\\*+[\"']")


def _by_label(text: str, found: re.Match[str], names: Names, label: str) -> tuple[str, str]:
    """Return what a label says of the next value, and the kind of this value."""
    name = found["name"].lower()
    if name in _LABELS:
        given = _QUOTED_NAME.match(text, found.end())
        return (names.kind(given[1]) if given else ""), ""
    if name in _VALUES:
        return "", label
    if name == "input_value":  # pydantic's errors name the field in the line before
        lines = text[max(found.start() - 512, 0) : found.start()].splitlines()
        return label, names.kind(lines[-2].strip()) if len(lines) > 1 else ""
    return label, ""


def _value_of(
    text: str, found: re.Match[str], meaning: str, names: Names
) -> tuple[int, int, str] | None:
    """Return where a value begins and ends, and what is shown for it; `None` if it stays."""
    start = found.end()
    if text.startswith(CENSORED, start) or text.startswith(f'"{CENSORED}', start):
        return None
    if found["element"] is not None:
        start = text.index(">", start) + 1
        end = text.find("<", start)
        return start, end if end >= 0 else len(text), CENSORED
    encoded = _ENCODED_QUOTE.match(text, start)
    if encoded:
        start = encoded.end()
        end = text.find(encoded[1], start)
        return start, end if end >= 0 else len(text), CENSORED
    quote = _OPENING_QUOTE.match(text, start)
    if quote:
        return _quoted_value(text, found, quote, names)
    if found["dashes"]:
        return None
    if found["comma"] and not _opens(text, found.start()):
        return None
    place = _PLACE_OF_A_VALUE.match(text, start)
    if place and (place[1] is None or names.kind(place[1]) == "secret"):
        return None
    end = _end_of_nested(text, start)
    if end == start + 2 and text[start] in _BRACKETS:
        return None
    if end > start:
        around = found["quote"] or ""
        return start, end, f"{around}{CENSORED}{around}"
    return None if found["comma"] else _unquoted_value(text, found, meaning, start)


_ENCODED_QUOTE = re.compile(r"(?:%20|\+)?(%2[27])")


def _quoted_value(
    text: str, found: re.Match[str], quote: re.Match[str], names: Names
) -> tuple[int, int, str] | None:
    start = quote.end()
    if not found["quote"] and _AFTER_A_TEXT.match(text, start):
        return None  # `"Password:", "ann"`: the quote ends a text, and begins none
    end = _closing_quote(text, start, quote[2], len(quote[1]))
    if found["dashes"]:
        is_value = not _OPTION.match(text, start)
    else:
        is_value = not found["comma"] or (
            _is_pair(text, found, end, len(quote[1]) + 1)
            and not names.is_plain_name(text[start:end])
        )
    return (start, end, CENSORED) if is_value and end > start else None


_OPTION = re.compile("--?[A-Za-z]")
_UNTIL_A_SPACE = re.compile(r"[^\s,;&\"')\]}]*+")  # `<b>value</b>`
_CALL = re.compile(r"[A-Za-z_][\w.]{0,127}+(?=\()")
# `password=${PASSWORD}` and `password=<password>` say where a value would stand.
_PLACE_OF_A_VALUE = re.compile(r"\$\{\w{1,64}+\}(?![^\s,;&\"'<>)\]}])|<([\w.-]{1,64}+)>(?![\w<])")


def _end_of_nested(text: str, start: int) -> int:
    """Return where a value ends that brackets are a part of: `[...]`, `Name(...)`, `<Name ...>`."""
    if text[start : start + 1] in _BRACKETS:
        return _closing_bracket(text, start)
    call = _CALL.match(text, start)
    if call:
        return _closing_bracket(text, call.end())
    if text[start : start + 1] == "<" and text[start + 1 : start + 2].isalpha():
        end = _closing_bracket(text, start, _ANGLE_OR_QUOTE)
        return _UNTIL_A_SPACE.match(text, end).end()  # type: ignore[union-attr]
    return start


_OPENING_BRACKET = re.compile(r"[\[(][bBuUrR]{0,2}\Z")


def _is_pair(text: str, found: re.Match[str], end: int, quote_chars: int) -> bool:
    """Return whether a name and a value with a comma between are what a bracket begins with."""
    after = end + quote_chars
    return _opens(text, found.start()) and text[after : after + 1] in ("]", ")", ",", "")


def _opens(text: str, at: int) -> bool:
    """Return whether a bracket stands before a quoted text."""
    return _OPENING_BRACKET.search(text, max(at - 3, 0), at) is not None


def _closing_quote(text: str, start: int, quote: str, escapes: int) -> int:
    """Return where a quoted text ends whose quotes have so many backslashes before them.

    A quote within it has more, and backslashes within it are doubled as often as the quotes.
    """
    at = text.find(quote, start)
    while at >= 0:
        before = at
        while before > start and text[before - 1] == "\\":
            before -= 1
        if (at - before) % (2 * (escapes + 1)) == escapes:
            # SQL and CSV double a quote within a text.
            if escapes or at == start or text[at + 1 : at + 2] != quote:
                return at - escapes
            at += 1
        at = text.find(quote, at + 1)
    return len(text)


_BRACKET_OR_QUOTE = re.compile(r"[\[\]{}()]|(\\*+)([\"'])")
_ANGLE_OR_QUOTE = re.compile(r"[<>]|(\\*+)([\"'])")


def _closing_bracket(text: str, start: int, marks: re.Pattern[str] = _BRACKET_OR_QUOTE) -> int:
    """Return where what a bracket opens ends, or the text's end."""
    depth = 0
    at = start
    while found := marks.search(text, at):
        at = found.end()
        if found[2]:
            at = min(_closing_quote(text, at, found[2], len(found[1])) + len(found[0]), len(text))
        elif found[0] in "[({<":
            depth += 1
        else:
            depth -= 1
            if depth <= 0:
                return at
    return len(text)


# Names that are words of sentences too, where one short word in lower case follows a colon.
_OFTEN_IN_SENTENCES = tuple("token jwt cookie cookies csrf code".split())
_WORD_ALONE = re.compile(r"[a-z]{3,12}+(?=[,;.!)>]?(?:\s|\Z))")
_TEST_OR_WORD = re.compile(r"(?:OAuth2|test_[a-z_]{1,64}+)(?=[,;.!)>]?(?:\s|\Z))")
_SMALL_NUMBER = re.compile(r"[0-9]{1,2}+(?![^\s,;.!)&>])(?!\.[0-9])")


def _is_of_a_sentence(text: str, name: str, start: int, after_colon: bool) -> bool:
    """Return whether a small number or a word of a sentence stands behind a name that is a word."""
    weak = name.endswith(_WEAK_ENDINGS)
    if weak and _SMALL_NUMBER.match(text, start):
        return True
    if not after_colon or text[start - 1 : start] != " ":
        return False
    if name.endswith("cookie"):  # its value is all of the line
        word = _WORD_ALONE.match(text, start)
        return word is not None and text[word.end() : word.end() + 1] in ("", "\r", "\n", ">")
    if name == "password" and text.startswith("field required", start):
        return True
    return (weak and _TEST_OR_WORD.match(text, start) is not None) or (
        name.endswith(_OFTEN_IN_SENTENCES) and _WORD_ALONE.match(text, start) is not None
    )


def _unquoted_value(
    text: str, found: re.Match[str], meaning: str, start: int
) -> tuple[int, int, str] | None:
    name = re.sub(r"[\W_]", "", found["name"]).lower()
    after_colon = found["separator"] == ":"
    if not found["quote"] and _is_of_a_sentence(text, name, start, after_colon):
        return None
    end = _UNQUOTED.match(text, start).end()  # type: ignore[union-attr]
    value = text[start:end].rstrip(")]}.!?:")
    word = value.lower()
    if not value or word in _NOTHING:
        return None
    if after_colon and name.endswith(_WHOLE_LINE):
        return start, _end_of_line(text, found, start), CENSORED
    if after_colon and value.isalpha() and (word in _IN_SENTENCES or name.endswith(_WEAK_ENDINGS)):
        return None
    if meaning == "spoken" and (after_colon or value.replace(".", "").isdigit()):
        return None  # its end cannot be seen, or it is a number
    if word in _SCHEMES:
        gap = end + len(text[end : end + 8]) - len(text[end : end + 8].lstrip(" "))
        after = _UNQUOTED.match(text, gap).end()  # type: ignore[union-attr]
        return (gap, after, CENSORED) if after > gap > end else None
    return start, start + len(value), CENSORED


def _end_of_line(text: str, found: re.Match[str], start: int) -> int:
    """Return where a line ends, or the quoted text that begins with the name."""
    around = _QUOTE_BEFORE.search(text, max(found.start() - 8, 0), found.start())
    if around:
        return _closing_quote(text, start, around[2], len(around[1]))
    return _REST_OF_LINE.match(text, start).end()  # type: ignore[union-attr]
