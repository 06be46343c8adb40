"""The routes of stops."""

from __future__ import annotations

from casino.api.frame import Frame
from casino.api.types import Answer, Page
from casino.stops import stops
from shared_service.http.routing import Route


def routes(frame: Frame) -> list[Route]:
    """Every route of stops."""
    return [
        frame.post(
            "/admin/stops", stops.make, body=stops.NewStop, answer=stops.StopAnswer, status=201,
            permission="stops.manage", codes=("NOT_FOUND",),
        ),
        frame.get("/admin/stops", stops.show_all, query=Page, answer=stops.StopsAnswer, permission="stops.manage"),
        frame.delete(
            "/admin/stops/{stop_id}", stops.lift, answer=Answer, permission="stops.manage", finds=stops.FINDS_STOP
        ),
    ]  # fmt: skip
