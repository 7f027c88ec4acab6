"""The page of the venues' rules shows what there is; `test_pages` runs its examples."""

import importlib
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"
VENUES = ("dydx_v4", "starkex", "hyperliquid")


@pytest.mark.parametrize("venue", VENUES)
def test_every_rule_of_a_venue_is_on_the_page(venue):
    text = PAGE.read_text()
    module = importlib.import_module(f"market.venues.{venue}")
    missing = [name for name in module.__all__ if f"`{name}" not in text]
    assert missing == []


def test_every_function_on_the_page_exists():
    from market.rules import funding, liquidation, margin
    from market.venues import drift
    from market.venues import rankings as adl

    for module in (adl, drift):
        public = {
            name
            for name, value in vars(module).items()
            if callable(value)
            and not name.startswith("_")
            and value.__module__ == module.__name__
        }
        text = PAGE.read_text()
        assert [name for name in public if name not in text] == []
    for module, names in {
        margin: ("is_liquidatable", "compare_risk", "open_interest_delta"),
        liquidation: ("is_within_account_limits", "market_to_liquidate"),
        funding: ("funding_clamp_ppm", "rate_ppm"),
    }.items():
        assert all(hasattr(module, name) for name in names)
