"""Which tokens hold, decided without a service: times, keys, headers, and what bit users of JWT libraries."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest

from casino.client.access_token import HEADER_MAX_CHARACTERS, AccessToken, read_access_token
from casino.errors import Refused
from casino_testing.access_tokens import SECRET, claims, part, raw_token, token
from shared_signing.keys import Key, parse_keys

NOW = 1_763_690_000
DAY = 86_400
SECOND = "a second secret of the players' access tokens"
KEYS = (Key("main", SECRET.encode()), Key("k2", SECOND.encode()), Key("ended", b"an ended secret", float(NOW)))
HS256 = {"alg": "HS256", "typ": "JWT"}


def read(bearer: str, *, now: float = NOW, scheme: str = "Bearer ") -> AccessToken:
    return read_access_token(f"{scheme}{bearer}", KEYS, clock=lambda: now)


def verdict(bearer: str, **options: Any) -> str:
    """`holds`, or the word that the log has for why not."""
    try:
        read(bearer, **options)
    except Refused as refused:
        return str(refused.why) if refused.code == "access_token_invalid" else refused.code
    return "holds"


def at(**changes: Any) -> dict[str, Any]:
    return claims(**{"iat": NOW, "exp": NOW + 300, **changes})


def timed(**changes: Any) -> str:
    return raw_token(HS256, at(**changes))


def test_a_token_tells_whose_it_is_and_its_times() -> None:
    bearer = timed(sub="player-7")
    found = read(bearer)
    assert (found.player_id, found.issued_at, found.expires_at, found.token) == ("player-7", NOW, NOW + 300, bearer)
    assert bearer not in repr(found)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "holds"),
        ({"exp": NOW + DAY}, "holds"),
        ({"exp": NOW + DAY + 1}, "lives_too_long"),
        ({"iat": NOW - DAY, "exp": NOW}, "holds"),
        ({"iat": NOW + 60, "exp": NOW + 61}, "holds"),
        ({"iat": NOW + 61, "exp": NOW + 300}, "not_valid_yet"),
        ({"iat": NOW - 300, "exp": NOW - 60}, "holds"),
        ({"iat": NOW - 300, "exp": NOW - 61}, "expired"),
        ({"nbf": NOW + 60}, "holds"),
        ({"nbf": NOW + 61}, "not_valid_yet"),
        ({"exp": NOW}, "ends_before_it_begins"),
        ({"exp": NOW - 1}, "ends_before_it_begins"),
        ({"iat": 0}, "lives_too_long"),
        ({"iat": None}, "time_missing"),
        ({"exp": None}, "time_missing"),
        ({"iat": None, "exp": None}, "time_missing"),
    ],
)
@pytest.mark.parametrize("fraction", [0.0, 0.999])
def test_times_are_compared_as_those_of_signatures(changes: dict[str, Any], expected: str, fraction: float) -> None:
    """60 seconds pass, 61 do not, at both ends."""
    assert verdict(timed(**changes), now=NOW + fraction) == expected


NO_TIMES = [
    "1763690000.0", "1.76369e9", "NaN", "Infinity", "-Infinity", "1e400", "-1", "true", '"1763690000"',
    "[1763690000]", "{}", "4102444801", "9223372036854775808", "1" + "0" * 400, "1" + "0" * 2000, "null",
]  # fmt: skip


@pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
@pytest.mark.parametrize("text", NO_TIMES, ids=lambda text: text[:24])
def test_a_time_is_a_whole_number_of_seconds_in_this_century(name: str, text: str) -> None:
    """Libraries take floats, strings and booleans for times, or end in an OverflowError."""
    body = json.dumps(at(**{name: "@"})).replace('"@"', text).encode()
    assert verdict(raw_token(HS256, body)) in ("time", "malformed")


HEADERS: dict[str, tuple[bytes | dict[str, Any], str]] = {
    "nothing but the algorithm": ({"alg": "HS256"}, "holds"),
    "a type in lower case": ({"alg": "HS256", "typ": "jwt"}, "holds"),
    "a member that means nothing": (HS256 | {"x": 1}, "holds"),
    "none": ({"alg": "none"}, "other_algorithm"),
    "None": ({"alg": "None"}, "other_algorithm"),
    "no algorithm": ({"typ": "JWT"}, "other_algorithm"),
    "null": ({"alg": None}, "other_algorithm"),
    "a list": ({"alg": ["HS256"]}, "other_algorithm"),
    "lower case": ({"alg": "hs256"}, "other_algorithm"),
    "HS512": ({"alg": "HS512"}, "other_algorithm"),
    "RS256": ({"alg": "RS256"}, "other_algorithm"),
    "a critical extension": (HS256 | {"crit": ["x"], "x": 1}, "extension"),
    "an empty list of extensions": (HS256 | {"crit": []}, "extension"),
    "an extension that is null": (HS256 | {"crit": None}, "extension"),
    "a payload as it is": (HS256 | {"b64": False, "crit": ["b64"]}, "extension"),
    "b64 alone": (HS256 | {"b64": True}, "extension"),
    "a token in a token": (HS256 | {"cty": "JWT"}, "extension"),
    "compressed": (HS256 | {"zip": "DEF"}, "extension"),
    "encrypted": (HS256 | {"enc": "A128GCM"}, "extension"),
    "another type": (HS256 | {"typ": "at+jwt"}, "other_type"),
    "a type that is no text": (HS256 | {"typ": 1}, "other_type"),
    "a key that nobody has": (HS256 | {"kid": "k9"}, "unknown_key"),
    "a key id that is a number": (HS256 | {"kid": 1}, "unknown_key"),
    "a key id that is null": (HS256 | {"kid": None}, "unknown_key"),
    "a key id that is a path": (HS256 | {"kid": "../../dev/null"}, "unknown_key"),
    "a key id that is a statement": (HS256 | {"kid": "x' union select 'k"}, "unknown_key"),
    "another key's id": (HS256 | {"kid": "k2"}, "bad_signature"),
    "a key of its own": (HS256 | {"jwk": {"kty": "oct", "k": "c2VjcmV0"}, "jku": "http://evil.test"}, "holds"),
    "main by name": (HS256 | {"kid": "main"}, "holds"),
    "the algorithm twice": (b'{"alg":"none","alg":"HS256"}', "malformed"),
    "the key id twice": (b'{"alg":"HS256","kid":"k2","kid":"main"}', "malformed"),
    "no object": (b'["HS256"]', "malformed"),
    "no JSON": (b"{", "malformed"),
    "nothing": (b"", "malformed"),
    "no UTF-8": (b'{"alg":"HS256","x":"\xff"}', "malformed"),
    "a tower": (b'{"alg":"HS256","x":' + b"[" * 900 + b"]" * 900 + b"}", "holds"),
    "a higher tower": (b'{"x":' + b"[" * 2000, "malformed"),
    "a long number": (b'{"alg":"HS256","x":' + b"1" * 2500 + b"}", "any"),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_the_header_chooses_a_key_and_nothing_else(kind: str) -> None:
    header, expected = HEADERS[kind]
    found = verdict(raw_token(header, at()))
    assert found == expected or (expected == "any" and found in ("holds", "malformed"))


BODIES: dict[str, tuple[bytes | dict[str, Any], str]] = {
    "the audience among others": (at(aud=["x", "casino-player"]), "holds"),
    "another audience": (at(aud="casino-staff"), "other_audience"),
    "no audience": (at(aud=None), "other_audience"),
    "no audience in a list": (at(aud=[]), "other_audience"),
    "an audience that holds ours": (at(aud="not-a-casino-player"), "other_audience"),
    "an audience in an object": (at(aud={"casino-player": 1}), "other_audience"),
    "no player": (at(sub=None), "player"),
    "an empty player": (at(sub=""), "player"),
    "a player that is a number": (at(sub=1), "player"),
    "a player that is true": (at(sub=True), "player"),
    "a player in a list": (at(sub=["1"]), "player"),
    "a player with a NUL": (at(sub="1\x00"), "player"),
    "a player in other digits": (at(sub="\u0661"), "player"),
    "a player with a long id": (at(sub="x" * 129), "player"),
    "the player twice": (b'{"sub":"1","sub":"2","aud":"casino-player","iat":1763690000,"exp":1763690300}', "malformed"),
    "no object": (b"[]", "malformed"),
    "no JSON": (b"sub=1", "malformed"),
    "something behind": (json.dumps(at()).encode() + b"x", "malformed"),
    "a byte order mark": (b"\xef\xbb\xbf" + json.dumps(at()).encode(), "malformed"),
}


@pytest.mark.parametrize("kind", BODIES)
def test_the_claims_have_one_form(kind: str) -> None:
    body, expected = BODIES[kind]
    assert verdict(raw_token(HS256, body)) == expected


GOOD = timed()
FIRST, MIDDLE, LAST = GOOD.split(".")
SPELLINGS = {
    "padded": f"{GOOD}=", "padded within": f"{FIRST}=.{MIDDLE}.{LAST}", "two parts": f"{FIRST}.{MIDDLE}",
    "no signature": f"{FIRST}.{MIDDLE}.", "four parts": f"{GOOD}.x", "five parts": "a.b.c.d.e", "dots": "...",
    "a blank within": f"{FIRST}. {MIDDLE}.{LAST}", "a blank behind": f"{GOOD} ", "a tab": f"{FIRST}\t.{MIDDLE}.{LAST}",
    "a line break": f"{GOOD}\n", "two tokens": f"{GOOD} {GOOD}", "a comma": f"{GOOD},{GOOD}", "quoted": f'"{GOOD}"',
    "standard base64": f"{FIRST}.{MIDDLE}.{LAST[:-2]}+/", "cut": GOOD[:-1], "longer": f"{GOOD}A", "empty": "",
    "another letter": f"{GOOD[:-1]}\u00e9", "a NUL": f"{GOOD}\x00",
    "an object": json.dumps({"payload": MIDDLE, "protected": FIRST, "signature": LAST}),
}  # fmt: skip


@pytest.mark.parametrize("kind", SPELLINGS)
def test_a_token_has_one_spelling(kind: str) -> None:
    assert verdict(SPELLINGS[kind]) == "malformed"


def test_every_changed_character_of_the_signature_is_noticed() -> None:
    """Also the spare bits of the last one: it is known again by its text."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place in range(-43, 0):
        for letter in letters:
            changed = GOOD[:place] + letter + (GOOD[place + 1 :] if place < -1 else "")
            assert (verdict(changed) == "holds") == (changed == GOOD)


def test_a_signature_of_another_secret_of_nothing_or_of_the_public_is_none() -> None:
    for secret in ("", "casino-secret", SECRET.upper(), SECRET + " ", "\x00", SECOND):
        assert verdict(raw_token(HS256, at(), secret=secret)) == "bad_signature"
    assert verdict(f"{FIRST}.{part(json.dumps(at(sub='2')).encode())}.{LAST}") == "bad_signature"


def test_each_key_holds_under_its_own_id_until_its_end() -> None:
    newer = raw_token(HS256 | {"kid": "k2"}, at(), secret=SECOND)
    assert verdict(newer) == "holds"
    ended = raw_token(HS256 | {"kid": "ended"}, at(), secret="an ended secret")
    assert verdict(ended, now=NOW - 0.001) == "holds"
    assert verdict(ended) == "unknown_key"
    alone = parse_keys(None, json.dumps([{"id": "k2", "secret": SECOND}]))
    with pytest.raises(Refused) as refused:
        read_access_token(f"Bearer {GOOD}", alone, clock=lambda: NOW)
    assert refused.value.why == "unknown_key", "without main, a token has to name its key"


def test_without_a_key_no_token_holds() -> None:
    with pytest.raises(Refused) as refused:
        read_access_token(f"Bearer {GOOD}", (), clock=lambda: NOW)
    assert (refused.value.code, refused.value.why) == ("access_token_invalid", "unknown_key")


def test_a_long_header_is_refused_before_any_work() -> None:
    room = HEADER_MAX_CHARACTERS - len("Bearer ")
    assert verdict("x" * room) == "malformed"
    assert verdict("x" * (room + 1)) == "too_long"
    assert verdict("[" * 10_000_000) == "too_long"


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER     "])
def test_the_scheme_has_no_case_and_blanks_behind_it(scheme: str) -> None:
    assert verdict(GOOD, scheme=scheme) == "holds"


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        *((text, "access_token_missing") for text in (None, "", "Basic YTpi", "Bearerx y", f" Bearer {GOOD}", GOOD)),
        *((text, "access_token_invalid") for text in ("Bearer", "Bearer ")),
        (f"Bearer\t{GOOD}", "access_token_missing"),
    ],
)
def test_what_is_no_bearer_token_is_a_missing_one(authorization: str | None, code: str) -> None:
    with pytest.raises(Refused) as refused:
        read_access_token(authorization, KEYS, clock=lambda: NOW)
    assert refused.value.code == code


def test_what_a_library_makes_holds_and_the_library_takes_what_holds() -> None:
    """The second opinion: PyJWT, which this service does not use."""
    bearer = token(headers={"kid": "k2"}, secret=SECOND)
    assert read_access_token(f"Bearer {bearer}", KEYS).player_id == "1"
    told = jwt.decode(raw_token(HS256, claims()), SECRET, algorithms=["HS256"], audience="casino-player")
    assert told["sub"] == "1"
    assert abs(time.time() - told["iat"]) < 60
