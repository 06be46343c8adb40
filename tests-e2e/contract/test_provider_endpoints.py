"""Protocol section 8: what the casino may ask of the provider, asked by the independent client in its place."""

from collections.abc import Callable

import pytest

from e2e_testing.answers import Answer
from e2e_testing.game_session import GameSession, JsonObject, new_id
from e2e_testing.stack import CURRENCY, TENANT, Stack

Ask = Callable[..., Answer]


@pytest.fixture
def launch(stack: Stack) -> Ask:
    """A launch as the casino sends it, with changes; None leaves a field out."""
    client = stack.signing_client(stack.provider)
    content: JsonObject = {
        "sessionToken": "0123456789abcdef" * 4,
        "casinoSessionId": new_id(),
        "userId": "1",
        "gameId": "SLOTS_001",
        "currency": CURRENCY,
        "casinoCode": TENANT,
    }

    def ask(**changes: object) -> Answer:
        changed = {name: value for name, value in (content | changes).items() if value is not None}
        return client.post("/provider/launch", changed)

    return ask


@pytest.fixture
def simulate(stack: Stack, session: GameSession) -> Ask:
    client = stack.signing_client(stack.provider)
    content: JsonObject = session.who() | {
        "providerSessionId": session.provider_session_id,
        "gameId": "SLOTS_001",
        "currency": CURRENCY,
        "casinoCode": TENANT,
    }

    def ask(**changes: object) -> Answer:
        changed = {name: value for name, value in (content | changes).items() if value is not None}
        return client.post("/provider/simulate", changed)

    return ask


def test_a_launch_answers_as_the_contract_says(launch: Ask) -> None:
    content = launch().must_be_ok().content
    assert set(content) == {"providerSessionId", "gameId", "currency", "minBet", "maxBet", "playerId", "launchUrl"}
    assert (content["gameId"], content["currency"], content["minBet"], content["maxBet"]) == (
        "SLOTS_001",
        "USD",
        "1000",
        "100000",
    )
    assert isinstance(content["playerId"], str)
    assert isinstance(content["providerSessionId"], str)


def test_a_launch_that_is_sent_twice_is_one_session(launch: Ask) -> None:
    assert launch().content["providerSessionId"] == launch().content["providerSessionId"]


@pytest.mark.parametrize(("field", "value"), [("userId", "2"), ("gameId", "CRASH_001"), ("sessionToken", "f" * 64)])
def test_a_launch_of_a_known_session_with_other_content_is_a_mismatch(launch: Ask, field: str, value: str) -> None:
    launch().must_be_ok()
    answer = launch(**{field: value})
    assert (answer.verdict, answer.content["field"]) == ((422, "idempotency_mismatch"), field)


def test_a_player_has_one_id_at_the_provider_whatever_the_session(launch: Ask) -> None:
    first, second = launch(), launch(casinoSessionId=new_id())
    assert first.content["playerId"] == second.content["playerId"]
    assert first.content["providerSessionId"] != second.content["providerSessionId"]


@pytest.mark.parametrize("field", ["sessionToken", "casinoSessionId", "userId", "gameId", "currency", "casinoCode"])
def test_a_launch_without_a_field_names_it(launch: Ask, field: str) -> None:
    answer = launch(**{field: None})
    assert (answer.verdict, answer.content["field"]) == ((400, "invalid_field"), field)


@pytest.mark.parametrize("value", ["", "x" * 129, "a\nb", "Zoë", 1.5, True, [], {}], ids=repr)
@pytest.mark.parametrize("field", ["sessionToken", "casinoSessionId", "userId"])
def test_a_launch_with_a_bad_id_names_it(launch: Ask, field: str, value: object) -> None:
    answer = launch(**{field: value})
    assert (answer.verdict, answer.content["field"]) == ((400, "invalid_field"), field)


def test_a_launch_takes_integer_ids(launch: Ask) -> None:
    assert launch(userId=1, casinoSessionId=int(new_id().replace("-", "")[:12], 16)).status == 200


def test_an_unknown_game_is_not_found(launch: Ask) -> None:
    assert launch(gameId="NO_SUCH_GAME").verdict == (404, "game_not_found")


def test_an_unknown_casino_is_not_found(launch: Ask) -> None:
    assert launch(casinoCode="NOBODY").verdict == (404, "not_found")


def test_a_simulation_called_directly_is_the_same_report(simulate: Ask) -> None:
    content = simulate().must_be_ok().content
    assert content["passed"] is True
    assert [step["step"] for step in content["steps"]] == list(range(1, 10))


@pytest.mark.parametrize(
    ("field", "value", "verdict"),
    [
        ("sessionToken", "f" * 64, (404, "session_not_found")),
        ("providerSessionId", "00000000-0000-4000-8000-000000000000", (404, "session_not_found")),
        ("providerSessionId", "not-a-uuid", (404, "session_not_found")),
        ("userId", "somebody-else", (403, "session_player_mismatch")),
        ("currency", "EUR", (400, "currency_mismatch")),
    ],
)
def test_a_simulation_that_names_its_session_wrongly_is_refused(
    simulate: Ask, session: GameSession, field: str, value: str, verdict: tuple[int, str]
) -> None:
    before = session.balance()
    assert simulate(**{field: value}).verdict == verdict
    assert session.balance() == before


def test_the_provider_never_learns_a_token_by_guessing(simulate: Ask, launch: Ask) -> None:
    """A session of the provider is opened only with the very token that it was launched with."""
    own = launch().must_be_ok().content["providerSessionId"]
    assert simulate(providerSessionId=own).verdict == (404, "session_not_found")
