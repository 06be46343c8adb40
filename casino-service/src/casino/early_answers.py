"""An answer before anything is started: at twice the load, what a task for each refusal costs is taken from the bets.

Owns how such an answer gets onto the wire. It must never decide what is refused: whoever is asked for it does, and is
asked with the head of a request alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from casino.errors import Answer
from shared_service.sockets import PatientProtocol

EARLY_ANSWER: Final = "early_answer"
"""Where in the state of the lifespan the application leaves its `EarlyAnswer`."""
EarlyAnswer = Callable[[Scope], Answer | None]
"""The answer to a request of which only the head is known; None: it goes the usual way."""


class EarlyAnsweringProtocol(PatientProtocol):
    """Asks for an early answer when a request's head is there."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if not self._answer_early(cycle):
            super()._start_asgi_task(cycle, app)

    def _answer_early(self, cycle: RequestResponseCycle) -> bool:
        early_answer: EarlyAnswer | None = self.app_state.get(EARLY_ANSWER)
        if early_answer is None or not cycle.keep_alive or cycle.waiting_for_100_continue or self.flow.write_paused:
            return False  # the usual way closes, invites a body, and waits for a peer that does not read
        answer = early_answer(cast("Scope", cycle.scope))
        if answer is None:
            return False
        status, headers, body = answer
        head = [b"%s: %s\r\n" % header for header in (*self.server_state.default_headers, *headers)]
        cycle.response_started = cycle.response_complete = True
        self.transport.write(
            b"%s%scontent-length: %d\r\n\r\n%s" % (STATUS_LINE[status], b"".join(head), len(body), body)
        )
        self.on_response_complete()
        return True
