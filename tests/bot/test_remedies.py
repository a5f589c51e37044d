"""What an owner is told to do about a model that did not answer."""

from __future__ import annotations

import pytest

from bot.remedies import is_every_kind_covered, remedy
from providers.errors import ErrorKind

# The source documents' troubleshooting table: what each of its errors has to lead to.
TABLE = {
    ErrorKind.AUTH: "firstword models auth paste-token --provider cerebras",
    ErrorKind.RATE_LIMIT: "wait 30 s and try again, or check the limits of your account",
    ErrorKind.OVERLOADED: "fallbacks answer meanwhile",
    ErrorKind.CONNECT: "nothing answers there; check the network and models.providers.cerebras.baseUrl",
    ErrorKind.CONTEXT_LENGTH: "shorten it, or use a model with a larger window",
}


@pytest.mark.parametrize(("kind", "todo"), TABLE.items())
def test_the_documents_errors_lead_to_what_the_documents_say(kind: ErrorKind, todo: str) -> None:
    assert todo in remedy(kind, "cerebras", 30.0)


def test_every_kind_and_cause_has_a_row_without_holes() -> None:
    assert is_every_kind_covered()
    for kind in ErrorKind:
        assert "{" not in remedy(kind, "mine")


def test_a_key_that_is_missing_is_told_from_one_that_is_wrong() -> None:
    said = remedy(ErrorKind.AUTH, "anthropic", has_key=False)
    assert said == (
        "no key is set; store one: firstword models auth paste-token --provider anthropic, or set ANTHROPIC_API_KEY"
    )
    assert remedy(ErrorKind.AUTH, "mine", has_key=False).endswith("--provider mine")
    assert remedy(ErrorKind.AUTH, "anthropic").startswith("the key is not valid")


def test_a_local_server_that_is_off_is_told_with_how_to_start_it() -> None:
    assert "start it (Install Ollama" in remedy(ErrorKind.CONNECT, "ollama")


def test_a_model_that_was_taken_away_is_told_with_its_successor() -> None:
    said = remedy(ErrorKind.MODEL_GONE, "cerebras", model="llama-3.3-70b")
    assert "its successor: firstword models set cerebras/" in said
    assert remedy(ErrorKind.MODEL_GONE, "mine", model="x").endswith("see: firstword models list")
