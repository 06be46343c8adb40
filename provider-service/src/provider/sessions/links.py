"""The addresses of game pages. A launch code stands in the fragment, which no browser sends to a server."""

from collections.abc import Sequence
from urllib.parse import quote, urlencode, urlsplit, urlunsplit


def origin_of(url: str) -> str | None:
    """The origin of an http or https address, such as `https://casino.example`; None for anything else."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def page_path(casino_code: str, game_code: str) -> str:
    """The path of a game's page for a casino: `/play/JAQPOT/SLOTS_001`."""
    return f"/play/{quote(casino_code, safe='')}/{quote(game_code, safe='')}"


def page_url(
    public_url: str, casino_code: str, game_code: str, *, query: Sequence[tuple[str, str]] = (), code: str | None = None
) -> str:
    """The page's address below the studio's public one, whose path and query stay."""
    parts = urlsplit(public_url)
    return urlunsplit(
        (
            parts.scheme,
            parts.netloc,
            parts.path.rstrip("/") + page_path(casino_code, game_code),
            "&".join(text for text in (parts.query, urlencode(query)) if text),
            "" if code is None else f"code={code}",
        )
    )
