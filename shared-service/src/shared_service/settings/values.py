"""Parses a setting's text: flags, numbers, times, hosts, URLs, networks, databases, files.

The functions raise `Unfit`. Its text follows the variable's name in a sentence and does not contain the value.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import ssl
import unicodedata
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from shared_service.settings.files import NotRegular, open_regular
from shared_service.tls import contexts

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

BYTE_ORDER_MARK: Final = "\ufeff"
QUOTES: Final = "\"'"
TRUE_WORDS: Final = ("1", "true", "yes", "on")
FALSE_WORDS: Final = ("0", "false", "no", "off")
OFF: Final = "off"
IDENTIFIER_MAX_CHARACTERS: Final = 128
FILE_MAX_BYTES: Final = 65_536
PORT_MAX: Final = 65_535
HOST_MAX_CHARACTERS: Final = 253
SCHEMES: Final = ("http", "https")
_WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_SECONDS: Final = re.compile(r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?")
_TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMERIC: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_URL_CHARACTERS: Final = re.compile(r"[!-\[\]-~]+")  # printable ASCII without blank and backslash


class Unfit(ValueError):  # noqa: N818 - a judgement of a setting, not a defect
    """The text is not a valid value."""


def require_clean(text: str, besides: str = "") -> None:
    """Raises Unfit for a byte order mark, quotes around the text, and control characters that are not in `besides`.

    Bytes that are not UTF-8 are surrogates here. `docker --env-file` keeps quotes that a shell would remove.
    """
    if text.lstrip().startswith(BYTE_ORDER_MARK):
        raise Unfit("begins with a byte order mark, which an editor has added: save it without")
    seen = text.strip()
    if len(seen) > 1 and seen[0] == seen[-1] and seen[0] in QUOTES:
        raise Unfit("stands in quotes, which would be part of it: take them away")
    if any(unicodedata.category(each) in ("Cc", "Cs") and each not in besides for each in text):
        raise Unfit("holds a control character, or is not UTF-8")


def checked_flag(text: str) -> bool:
    """Yes or no, in any case."""
    word = text.lower()
    if word not in (*TRUE_WORDS, *FALSE_WORDS):
        raise Unfit(f"must be one of {', '.join(TRUE_WORDS)} for yes, or {', '.join(FALSE_WORDS)} for no")
    return word in TRUE_WORDS


def checked_whole(text: str, least: int, most: int) -> int:
    """A whole number in plain decimal digits: no sign, no exponent, no zero before it."""
    if _WHOLE.fullmatch(text) is None or not least <= int(text) <= most:
        raise Unfit(f"must be a whole number from {least} to {most}")
    return int(text)


def checked_seconds(text: str, least: float, most: float) -> float:
    """A time in seconds, as 2 or 0.25."""
    if _SECONDS.fullmatch(text) is None or not least <= float(text) <= most:
        raise Unfit(f"must be a number of seconds from {least:g} to {most:g}")
    return float(text)


def checked_time_of_day(text: str) -> dt.time | None:
    """A time in UTC as hh:mm; None for `off`."""
    if text.lower() == OFF:
        return None
    if _TIME_OF_DAY.fullmatch(text) is None:
        raise Unfit(f"must be a time in UTC as hh:mm, or {OFF}")
    return dt.time.fromisoformat(text)


def checked_identifier(text: str) -> str:
    """1 to 128 characters of printable ASCII."""
    if not (text.isascii() and text.isprintable() and 0 < len(text) <= IDENTIFIER_MAX_CHARACTERS):
        raise Unfit(f"must be 1 to {IDENTIFIER_MAX_CHARACTERS} characters of printable ASCII")
    return text


def checked_host(text: str) -> str:
    """An IP address, or a host name in ASCII. IPv6 may stand in brackets; the result has none."""
    bracketed = text.startswith("[") and text.endswith("]")
    inner = text[1:-1] if bracketed else text
    try:
        address = ipaddress.ip_address(inner)
    except ValueError:
        if not bracketed and _is_host_name(inner):
            return inner
    else:
        if "%" not in inner and (address.version == 6 or not bracketed):
            return inner
    raise Unfit("must be an IP address or a host name")


def _is_host_name(text: str) -> bool:
    labels = text.removesuffix(".").split(".")
    # A name with a last label of digits would be read as an IPv4 address.
    all_fit = len(text) <= HOST_MAX_CHARACTERS and all(_LABEL.fullmatch(label) for label in labels)
    return all_fit and _NUMERIC.fullmatch(labels[-1]) is None


def checked_service_url(text: str) -> str:
    """The http or https address of another service, without a slash at its end: `https://host:port`.

    It has no path: the signature of a request covers the path, and the other service knows only its own paths.
    """
    parts = _split(text)
    if "?" in text or "#" in text or parts.path.strip("/"):
        raise Unfit("must be an address without a path, a query or a fragment, as in https://host:port")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def checked_page_url(text: str) -> str:
    """An http or https address for a browser, which may have a path, a query and a fragment."""
    return _split(text).geturl()


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
        parts = SplitResult("", "", "", "", "")
    if parts.scheme not in SCHEMES or not host or _URL_CHARACTERS.fullmatch(text) is None:
        raise Unfit("must be a whole address that begins with http:// or https://")
    if "@" in parts.netloc:
        raise Unfit("must be an address without a user and a password")
    after_host = parts.netloc.rpartition("]")[2] if "[" in parts.netloc else parts.netloc
    if port == 0 or (":" in after_host and _PORT.fullmatch(after_host.rpartition(":")[2]) is None):
        raise Unfit(f"must have a port from 1 to {PORT_MAX}, or none")
    try:
        checked_host(f"[{host}]" if ":" in host else host)
    except Unfit:
        raise Unfit("must name an IP address or a host name after http:// or https://") from None
    return parts


def checked_networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, separated by commas or blanks. A network of all addresses is refused."""
    try:
        networks = tuple(ipaddress.ip_network(word) for word in text.replace(",", " ").split())
    except ValueError:
        raise Unfit("must be addresses or networks (10.0.0.0/8), separated by commas") from None
    if any(network.prefixlen == 0 for network in networks):
        raise Unfit("must not be everybody: then anybody could say to be anywhere")
    return networks


def checked_database(text: str) -> str:
    """The address of a Postgres database. Checked here, because the driver's error quotes it with its password."""
    try:
        ports = str(conninfo_to_dict(text).get("port") or "")
    except (psycopg.Error, ValueError):
        raise Unfit("is not the address of a Postgres database") from None
    for port in ports.split(","):
        if port and (_PORT.fullmatch(port) is None or int(port) > PORT_MAX):
            raise Unfit(f"is not the address of a Postgres database: a port is from 1 to {PORT_MAX}")
    return text


def content_of(path: Path) -> str:
    """The unchanged text of a small regular file."""
    try:
        with open_regular(path) as file:
            content = file.read(FILE_MAX_BYTES + 1)
    except NotRegular:
        raise Unfit("names something that is not a regular file") from None
    except FileNotFoundError:
        raise Unfit("names a file that does not exist") from None
    except PermissionError:
        raise Unfit("names a file that this account may not read") from None
    except OSError as error:
        raise Unfit(f"names a file that cannot be read ({error.strerror})") from None
    if len(content) > FILE_MAX_BYTES:
        raise Unfit(f"names a file of more than {FILE_MAX_BYTES} bytes")
    if not content.strip():
        raise Unfit("names a file that is empty")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Unfit("names a file that is not UTF-8") from None


def check_certificate(cert: Path) -> None:
    """Raises Unfit unless the file has certificates in PEM."""
    content = content_of(cert)
    try:
        contexts.trust(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), content)
    except (OSError, ValueError):
        raise Unfit("names a file without certificates in PEM") from None


def check_key_of(cert: Path, key: Path) -> None:
    """Raises Unfit unless the file is the key of this certificate, which `check_certificate` accepted."""
    content_of(key)
    try:
        contexts.load_identity(cert, key)
    except ssl.SSLCertVerificationError as error:
        raise Unfit(f"belongs to a certificate that no caller accepts: {error.verify_message}") from None
    except (OSError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise Unfit("names the key of another certificate") from None
        raise Unfit("names a file that is not a private key in PEM without a password") from None


def checked_authorities(text: str) -> Path:
    """The path of a file with certificates in PEM."""
    check_certificate(Path(text))
    return Path(text)


def owner_advice(service: str) -> str:
    """Returns what to set when a command needs the schema's owner, and who makes that login."""
    return (
        f"set {service.upper()}_OWNER_DATABASE_URL to a login that may become {service}_owner (an administrator makes"
        f" it with `create role {service}_migrator login noinherit password '…' in role {service}_owner`; with compose:"
        f" `docker compose run --rm --no-deps {service}-migrate {service} …`)"
    )
