"""The page of the order book shows what there is, and its example runs."""

import doctest
from pathlib import Path

import pytest

from market.orders import Flag, Kind, Status
from market.reference_book import BOOK_KINDS

PAGE = Path(__file__).parents[2] / "docs" / "book.md"


def test_the_example_of_the_page_runs():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried >= 10
    assert failed == 0


@pytest.mark.parametrize("name", [*Flag.__members__, *(k.name for k in BOOK_KINDS)])
def test_every_flag_and_kind_of_the_book_is_on_the_page(name):
    assert f"`{name}`" in PAGE.read_text()


def test_every_status_that_a_message_can_have_is_on_the_page():
    named = {status for status in Status if f"`{status.name}`" in PAGE.read_text()}
    exchange_only = {
        *(Status.UNKNOWN_MARKET, Status.PRICE_BAND, Status.WOULD_INCREASE),
        *(Status.MARGIN, Status.NOT_LIQUIDATABLE, Status.ALREADY_LIQUIDATED),
        *(Status.INSURANCE_EMPTY, Status.NOTHING_TO_TAKE, Status.NO_FUNDS),
        Status.WITHDRAWALS_GATED,
    }
    assert set(Status) - exchange_only <= named


def test_kinds_of_the_exchange_alone_are_not_taken_for_the_books():
    others = {Kind.LIQUIDATE, Kind.DEPOSIT, Kind.WITHDRAW, Kind.FORCED_WITHDRAW}
    assert set(Kind) - set(BOOK_KINDS) - {Kind.NONE} >= others
