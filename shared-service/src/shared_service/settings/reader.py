"""Reads and checks the variables of the environment. Settings are read nowhere else.

    reader = Reader()
    port = reader.port("SERVICE_PORT", default=8000)
    reader.check()  # raises SettingsRefused, which names every wrong variable, without its value

An empty or blank variable means its default. Blanks around a value are removed.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final, TypeVar

from shared_service.settings import values
from shared_service.settings.values import Network, Unfit

T = TypeVar("T")
D = TypeVar("D")

EVERY_HOST: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound
LINE_CHARACTERS: Final = "\t\r\n"
_LINKED_PORT: Final = re.compile(r"(tcp|udp|sctp)://", re.IGNORECASE)
_LINKED_NAME: Final = re.compile(
    r".+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
"""Kubernetes sets these for every Service of a namespace, and `<NAME>_PORT=tcp://…` besides."""


class SettingsRefused(ValueError):  # noqa: N818 - a decision, not a defect
    """The service cannot start. The text has a line for each wrong variable, without its value."""

    def for_program(self, program: str) -> str:
        """Returns the text with the program's name before each line."""
        return "\n".join(f"{program}: {line}" for line in str(self).splitlines())


class Reader:
    """Reads variables one by one and collects problems and notes, so that one start reports all of them."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._refused: set[str] = set()
        self.names: set[str] = set()
        """All variables that were read."""
        self.problems: list[str] = []
        self.notes: list[str] = []
        """Warnings for the operator. The service starts all the same."""

    def check(self) -> None:
        """Raises `SettingsRefused` when there are problems."""
        if self.problems:
            raise SettingsRefused("\n".join(self.problems))

    def refuse(self, name: str, why: str) -> None:
        """Record a problem. `why` follows the variable's name in a sentence and must not contain the value."""
        self._refused.add(name)
        self.problems.append(f"{name} {why}")

    def required(self, name: str, value: str | None) -> str:
        """Returns `value`. For None, records that the variable is missing and returns an empty text."""
        if value is None and self._refused.isdisjoint({name, f"{name}_FILE"}):
            self.refuse(name, "is missing")
        return value or ""

    def owner_database(self, service: str) -> str:
        """The address of the schema's owner, for a command that needs it. No other address takes its place."""
        name = f"{service.upper()}_OWNER_DATABASE_URL"
        url = self.database(name)
        if url is None and self._refused.isdisjoint({name, f"{name}_FILE"}):
            self.refuse(name, f"is missing: {values.owner_advice(service)}")
        return url or ""

    def warn_of_unknown(self, prefixes: tuple[str, ...], others: Collection[str] = ()) -> None:
        """Note variables with one of the prefixes that were not read. `others` belong to another program."""
        unknown = sorted(
            ascii(name)[1:-1]  # a name may contain anything
            for name, value in self._environment.items()
            if name.startswith(prefixes) and name not in self.names and name not in others
            and _LINKED_NAME.fullmatch(name) is None and not _LINKED_PORT.match(value)
        )  # fmt: skip
        if unknown:
            self.notes.append(f"these variables are unknown and ignored: {', '.join(unknown)}")

    def text(self, name: str, *, besides: str = "") -> str | None:
        """The value without blanks around it, or None. Control characters are refused, except those in `besides`."""
        self.names.add(name)
        value = self._environment.get(name, "").strip()
        return value if value and self._is_clean(name, value, besides) else None

    def identifier(self, name: str, default: str) -> str:
        """1 to 128 characters of printable ASCII."""
        return self._judged(name, values.checked_identifier, default)

    def flag(self, name: str) -> bool | None:
        """A yes or no as True or False; None when it is not set."""
        return self._judged(name, values.checked_flag, None)

    def demo_flags(self, own: str, others: str) -> tuple[bool | None, bool | None]:
        """The demo flags of this service and of the other one. Two that contradict each other are refused."""
        found = self.flag(own), self.flag(others)
        if None not in found and found[0] != found[1]:
            self.refuse(own, f"and {others} contradict each other: set one")
        return found

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of the words, in any case; the first is the default."""
        value = (self.text(name) or allowed[0]).lower()
        if value in allowed:
            return value
        self.refuse(name, f"must be one of {', '.join(allowed)}")
        return allowed[0]

    def whole(self, name: str, *, default: int, least: int, most: int) -> int:
        """A whole number in plain decimal digits."""
        return self._judged(name, lambda text: values.checked_whole(text, least, most), default)

    def seconds(self, name: str, *, default: float, least: float, most: float) -> float:
        """A time in seconds, as 2 or 0.25."""
        return self._judged(name, lambda text: values.checked_seconds(text, least, most), default)

    def time_of_day(self, name: str, default: dt.time) -> dt.time | None:
        """A time in UTC as hh:mm; None for `off`."""
        return self._judged(name, values.checked_time_of_day, default)

    def host(self, name: str, default: str) -> str:
        """An IP address or a host name to listen on."""
        return self._judged(name, values.checked_host, default)

    def port(self, name: str, default: int) -> int:
        """A port to listen on; 0 means any free port. Ignores what Kubernetes sets for a Service of that name."""
        if _LINKED_PORT.match(self._environment.get(name, "").strip()):
            self.names.add(name)
            self.notes.append(f"{name} is ignored: Kubernetes or Docker has set it for another service")
            return default
        return self.whole(name, default=default, least=0, most=values.PORT_MAX)

    def service_url(self, name: str, default: str) -> str:
        """The http or https address of another service, without a path."""
        return self._judged(name, values.checked_service_url, default)

    def page_url(self, name: str, default: str) -> str:
        """An http or https address for a browser."""
        return self._judged(name, values.checked_page_url, default)

    def networks(self, name: str) -> tuple[Network, ...]:
        """Addresses and networks, separated by commas or blanks; none by default."""
        return self._judged(name, values.checked_networks, ())

    def path(self, name: str) -> Path | None:
        """The path of a file. The file is not read."""
        return self._judged(name, Path, None)

    def certificate(self, cert_name: str, key_name: str) -> tuple[Path | None, Path | None]:
        """The files of a certificate and its key, both or none. The pair is checked."""
        cert, key = self.path(cert_name), self.path(key_name)
        if cert is None and key is None:
            return None, None
        if cert is None or key is None:
            given, absent = (key_name, cert_name) if cert is None else (cert_name, key_name)
            if absent not in self._refused:
                self.refuse(given, f"is set and {absent} is not: a certificate needs its key")
            return cert, key
        name = cert_name
        try:
            values.check_certificate(cert)
            name = key_name
            values.check_key_of(cert, key)
        except values.Unfit as unfit:
            self.refuse(name, str(unfit))
        return cert, key

    def authorities(self, name: str) -> Path | None:
        """A file with certificates of authorities in PEM. It is checked."""
        return self._judged(name, values.checked_authorities, None)

    def refuse_same_address(self, name: str, other: str, one: tuple[str, int], two: tuple[str, int]) -> None:
        """Refuse two listeners with the same host and port. Port 0 never is the same."""
        (host, port), (other_host, other_port) = one, two
        if port == other_port != 0 and (host == other_host or not EVERY_HOST.isdisjoint({host, other_host})):
            self.refuse(name, f"and {other} must differ")

    def database(self, name: str) -> str | None:
        """The address of a Postgres database, from the variable or from the file that `<name>_FILE` names."""
        source, text = self._own_or_file(name)
        text = text.strip()
        return self._checked(source, values.checked_database, text, None) if text else None

    def secret(self, name: str) -> str | None:
        """A secret, from the variable or from the file that `<name>_FILE` names. A line break at its end is removed."""
        source, whole = self._own_or_file(name)
        text = whole.rstrip("\r\n")
        if text != whole:
            self.notes.append(f"{source} ends with a line break, which is not part of the secret")
        if text != text.strip():
            self.refuse(source, "begins or ends with a blank")
            return None
        return text if text and self._is_clean(source, text) else None

    def secret_document(self, name: str) -> str | None:
        """A document with secrets, from the variable or from the file that `<name>_FILE` names."""
        source, text = self._own_or_file(name)
        return text.strip() if text and self._is_clean(source, text, LINE_CHARACTERS) else None

    def _judged(self, name: str, check: Callable[[str], T], default: D) -> T | D:
        text = self.text(name)
        return default if text is None else self._checked(name, check, text, default)

    def _checked(self, name: str, check: Callable[[str], T], text: str, default: D) -> T | D:
        try:
            return check(text) if self._is_clean(name, text) else default
        except Unfit as error:
            self.refuse(name, str(error))
            return default

    def _is_clean(self, name: str, value: str, besides: str = "") -> bool:
        try:
            values.require_clean(value, besides)
        except Unfit as error:
            self.refuse(name, str(error))
            return False
        return True

    def _own_or_file(self, name: str) -> tuple[str, str]:
        """Returns the name of the variable that has the value, and the unchanged value; empty when it is not set."""
        source, own = f"{name}_FILE", self._environment.get(name, "")
        self.names.add(name)
        path = self.path(source)
        if path is None:
            return name, own if own.strip() else ""
        if own.strip():
            self.refuse(name, f"and {source} are both set: choose one")
            return name, ""
        try:
            return source, values.content_of(path)
        except Unfit as error:
            self.refuse(source, str(error))
            return source, ""
