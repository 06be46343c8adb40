"""Values for every kind of setting: what must be taken, and what must be refused.

The list of variables and their kinds comes from the services' own readers, so a new variable is covered at once.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import casino.settings
import provider.settings
from shared_service.settings.reader import Reader, SettingsRefused

STRONG = "0f1e2d3c4b5a69788796a5b4c3d2e1f0-one"
OTHER = "8c1f0b7de2a94365bf60d71e94a2c358-two"
THIRD = "51b7e90ad4c86f2337a1be05c9d8f642-three"
DATABASE = "postgresql://somebody:a-database-password@db.test/stack"
BASES: Mapping[str, dict[str, str]] = {
    "casino": {
        "CASINO_DATABASE_URL": DATABASE,
        "CASINO_SECRET": STRONG,
        "PROVIDER_SECRET": OTHER,
        "CASINO_ACCESS_TOKEN_SECRET": "e47f0a5b92d8136ccb1695f30da2e874-four",
        "CASINO_PEPPER": "6be14f7a02d95c38e1fd70a8439c25b6-six",
    },
    "provider": {
        "PROVIDER_DATABASE_URL": DATABASE,
        "CASINO_SECRET": STRONG,
        "PROVIDER_SECRET": OTHER,
        "PROVIDER_SEALING_KEY": "9d27c1e5b8046fa371de50b2947c6a18-five",
    },
}
READS: Mapping[str, Callable[[Reader], Any]] = {"casino": casino.settings.read, "provider": provider.settings.read}
KINDS = frozenset(
    {
        "authorities", "choice", "database", "flag", "host", "identifier", "networks", "page_url", "path", "port",
        "seconds", "secret", "secret_document", "service_url", "text", "time_of_day", "whole",
    }
)  # fmt: skip


class Recorder(Reader):
    """A reader that also notes of which kind each variable is."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(environment)
        self.kinds: dict[str, str] = {}

    def __getattribute__(self, attribute: str) -> Any:
        found = super().__getattribute__(attribute)
        if attribute not in KINDS:
            return found

        def asked(name: str, *arguments: Any, **options: Any) -> Any:
            self.kinds.setdefault(name, attribute)  # one kind is read with another: the first is the variable's own
            return found(name, *arguments, **options)

        return asked


def kinds(service: str) -> dict[str, str]:
    """Every variable that a service asks for, with its kind."""
    reader = Recorder(BASES[service])
    READS[service](reader)
    assert reader.names == reader.kinds.keys(), "a kind that the recorder does not know"
    return reader.kinds


@dataclass(frozen=True)
class Outcome:
    """What a start with an environment would come to."""

    settings: Any
    problems: list[str]
    notes: list[str]


def outcome(service: str, environment: Mapping[str, str]) -> Outcome:
    reader = Reader(environment)
    settings = READS[service](reader)
    try:
        reader.check()
    except SettingsRefused as refused:
        return Outcome(None, str(refused).splitlines(), reader.notes)
    return Outcome(settings, [], reader.notes)


DIRTY = ["a\x00b", "a\x1b[31mb", "a\udcffb", "a\x7fb", "a\x85b", "a\u202e\x01b"]
LINES = ["a\nb", "a\rb", "a\tb"]
NO_WHOLE = [
    "many", "-1", "+5", "1e3", "0x10", "1.5", "1_000", "\u0661", "9" * 5000, "9" * 18, "08", "1 2", "\u00bd", "NaN",
    "--", "1;2", "\uff11", "99999999999999999999",
]  # fmt: skip
NO_HOST = [
    "*", "256.1.1.1", "1.2.3", "1.2.3.4.5", "a b", "-x", "x-", "x" * 64, "[::1", "a..b", "\u0661.1.1.1", "[127.0.0.1]",
    "h\u00f6st", ".", "127.1", "0x7f000001", "x." * 130 + "x", "::1%eth0", ":::1", "a,b",
]  # fmt: skip
NO_URL = [
    "casino:8000", "casino", "ftp://casino", "http://", "http:///x", "//casino", "http:casino", "javascript:alert(1)",
    "http://user:password@casino", "http://@casino", "http://casino:0", "http://casino:99999", "http://casino:x",
    "http://casino:-1", "http://casino:8 0", "http://casino:", "http://[::1", "http://ca\\sino", "http://\u00e9.test",
    "http://256.1.1.1", "http://casino,http://other", "http://casino:\u0661", "http://casino:+80", "http://*",
    "http://::1:80", "http://[127.0.0.1]", "http://[::1%25eth0]", "http://casino:080", "http://%63asino",
]  # fmt: skip
NO_FILE = ["/nonexistent/file", "/", "/dev/null", "/dev/zero", "x" * 5000, "/proc/self/nothing", "\u0661"]
REFUSED: Mapping[str, list[str]] = {
    "flag": ["2", "y", "enabled", "\u0661", "11", "-1", "truefalse", "null", "0x1", "yes no", "tru\u0435"],
    "whole": NO_WHOLE,
    "port": [*NO_WHOLE, "65536", "http", "127.0.0.1:80", "http://h:80"],
    "seconds": ["nan", "inf", "-1", "1e1", "0x1", "1s", "1,5", ".5", "1.", "\u0663", "9" * 400, "1:00", "0", "1000000"],
    "time_of_day": ["24:00", "3:30", "03:60", "03:30:00", "night", "03:30Z", "0330", "\u06603:30", "-1:00", "03:30 x"],
    "choice": ["loud", "json,console", "true", "\u0130nfo", "0", "critical"],
    "identifier": ["\u00e9", "x" * 129, "a\u200bb", "\u65e5\u672c"],
    "host": [*NO_HOST, "http://x", "host:80", "/tmp/socket", "127.0.0.1/8", "[::1]:80"],
    "service_url": [*NO_URL, "http://h?x=1", "http://h?", "http://h#f", "http://h#", "http://h/path", "http://h/a/../b"],
    "page_url": NO_URL,
    "networks": ["proxy.internal", "10.0.0.1/8", "10.0.0.0/33", "0.0.0.0/0", "::/0", "10.0.0.0/8;x", "\u0661.1.1.1"],
    "database": [
        "nonsense", "http://db/x", "mysql://h/x", "postgresql://h:99999/x", "postgresql://h:0/x", "host=h port=x",
        "postgresql://h/x?nonsense=1", "postgresql://[::1/x", "postgresql://h:1,i:70000/x", "postgresql://h/%zz",
    ],
    "secret": [
        "short", "casino-secret", "x" * 31, "x" * 40, "casino-secret" * 3, f" {THIRD}", f"{THIRD}\u3000", "\u00e9" * 15,
    ],
    "text": ["{", "[]]", "null", '{"id":"k2"}', '[{"id":"k2"}]', '[{"id":"k2","secret":"short"}]', "[" * 100_000],
    "path": NO_FILE,
    "authorities": [*NO_FILE, "/etc/hostname"],
    "secret_document": ["{", "null"],
}  # fmt: skip
TAKEN: Mapping[str, list[str]] = {
    "flag": ["1", "true", "TRUE", "Yes", "oN", "0", "False", "NO", "off"],
    "whole": [],
    "port": ["0", "1", "65535"],
    "seconds": [],
    "time_of_day": ["00:00", "23:59", "off", "OFF"],
    "choice": [],
    "identifier": ["T", "a b", "x" * 128, "~!@#"],
    "host": ["::1", "[::1]", "0.0.0.0", "localhost", "my_host.example.", "2001:DB8::1", "x" * 63],
    "service_url": ["HTTP://Peer:8000/", "https://[::1]:8443", "http://127.0.0.1:1///", "http://peer.test:65535"],
    "page_url": ["https://play.test/a/b?c=d#e", "HTTP://x", "http://[2001:db8::1]:80/play/"],
    "networks": ["10.0.0.0/8", "192.0.2.1, 2001:db8::/32", ",", "10.0.0.1,,10.0.0.2"],
    "database": [DATABASE, "host=h dbname=x", "postgresql://h1:1,h2:2/x", "host=/var/run", "dbname=\u00e9"],
    "secret": [THIRD, "".join(map(chr, range(0xE0, 0xF4)))],
    "text": ["[]", "[\n]", f'[\n\t{{"id": "k2", "secret": "{THIRD}"}}\r\n]'],
    "path": [],
    "authorities": [],
    "secret_document": [],
}  # fmt: skip


def refused_values(kind: str) -> list[str]:
    """Values that no variable of the kind may have."""
    return [*REFUSED[kind], *DIRTY, *([] if kind in ("text", "secret_document") else LINES)]


def random_values(seed: str, count: int) -> list[str]:
    """Texts that look like values, cut and joined at random."""
    chance = random.Random(seed)
    pieces = [each for values in (*REFUSED.values(), *TAKEN.values()) for each in values if len(each) < 80]
    pieces += ["://", ":", "/", "@", "?", "#", "[", "]", ",", "%", "\\", " ", "-", ".", "0", "\u0661", "\udc80", "\x00"]

    def one() -> str:
        text = "".join(chance.choice(pieces) for _ in range(chance.randint(1, 4)))
        start = chance.randrange(len(text))
        return text[start : start + chance.randint(1, 40)]

    return [one() for _ in range(count)]
