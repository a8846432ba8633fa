"""What answers cost, to the cent, and which server has which window."""

from __future__ import annotations

import pytest

from repoctx.errors import UsageError
from repoctx.model.client import Usage
from repoctx.model.cost import Cost, cost
from repoctx.model.endpoints import endpoints
from repoctx.model.windows import find, load

PLUS = find("qwen3-coder-plus")


@pytest.mark.parametrize(
    "prompt, completion, amount",
    [
        (0, 0, 0.0),
        (32_000, 1_000, 0.037),
        (32_001, 1_000, 0.0666018),
        (256_000, 0, 0.768),
        (256_001, 0, 1.536006),
        (256_000, 10_000, 0.918),
        (256_001, 10_000, 2.136006),
        (1_000_000, 0, 6.0),
        (2_000_000, 0, 12.0),
    ],
)
def test_the_row_of_the_input_holds_for_all_tokens(prompt: int, completion: int, amount: float) -> None:
    """Prices jump with the tokens of the input, for the answer too; those of the place that is named first count."""
    assert cost(PLUS, Usage(prompt, completion)) == Cost(pytest.approx(amount, abs=1e-12), "USD")


def test_tokens_from_a_cache_are_paid_in_full() -> None:
    """The table has no other price for them."""
    assert cost(PLUS, Usage(10_000, 10, 9_000)) == cost(PLUS, Usage(10_000, 10))


def test_models_without_prices_and_prices_of_one_s_own() -> None:
    """None where there are none; rows in any order, of the first place."""
    assert cost(find("qwen3-coder-30b-a3b"), Usage(1, 1)) is None
    row = {"where": "here", "currency": "EUR", "up_to": 10, "input": 1, "output": 2}
    prices = [{**row, "up_to": 20, "input": 3}, {**row, "where": "there", "up_to": 5, "input": 9}, row]
    tiers = [{"name": "native", "window": 100}]
    model = load({"mine": {"native": 100, "output": 10, "tiers": tiers, "prices": prices}})["mine"]
    paid = [cost(model, Usage(tokens, 100)) for tokens in (10, 11, 21)]
    assert paid == [Cost(210 / 1e6, "EUR"), Cost(233 / 1e6, "EUR"), Cost(263 / 1e6, "EUR")]


TIERS = ("native", "512k", "1m")


def test_endpoints_are_named_by_tier() -> None:
    """An item each; blanks and a slash at the end are no matter."""
    assert endpoints((), TIERS) == {}
    assert endpoints(["1m=http://127.0.0.1:8001/v1", " 512k = https://big.example/a=b/ "], TIERS) == {
        "1m": "http://127.0.0.1:8001/v1",
        "512k": "https://big.example/a=b",
    }


@pytest.mark.parametrize(
    "items, said",
    [
        (["2m=http://x/v1"], r"backend\.tiers names a tier '2m': the model has native, 512k, 1m"),
        (["1m=http://x/v1", "1m=http://y/v1"], r"names the tier '1m' twice"),
        (["1m="], "of the form TIER=URL"),
        (["=http://x"], "of the form TIER=URL"),
        (["http://x/v1?a=b"], "of the form TIER=URL"),
        (["1m"], "of the form TIER=URL"),
        (["1m=127.0.0.1:8000"], "must begin with http:// or https://"),
        (["1m=http://me:secret@x/v1"], r"holds a user name or password: name the key's variable in backend\.key_env"),
        (["1m=http://x/v1?key=1"], "without a query"),
    ],
)
def test_items_that_are_wrong(items: list[str], said: str) -> None:
    """One sentence, which repeats no secret."""
    with pytest.raises(UsageError, match=said) as caught:
        endpoints(items, TIERS)
    assert "secret" not in str(caught.value)
