"""The page of the order book shows what there is; `test_pages` runs its example."""

import inspect
import re
from pathlib import Path

import pytest

from market.twin import matching, messages
from market.twin.messages import BOOK_KINDS
from market.types.orders import Flag, Kind

PAGE = Path(__file__).parents[2] / "docs" / "book.md"


@pytest.mark.parametrize("name", [*Flag.__members__, *(k.name for k in BOOK_KINDS)])
def test_every_flag_and_kind_of_the_book_is_on_the_page(name):
    assert f"`{name}`" in PAGE.read_text()


def test_every_status_that_a_message_can_have_is_on_the_page():
    shared = (matching.reduce, matching.check_book, matching.match_order)
    rules = "".join(map(inspect.getsource, (messages, *shared)))
    names = set(re.findall(r"Status\.([A-Z_]+)", rules))
    assert len(names) >= 18
    assert [name for name in names if f"`{name}`" not in PAGE.read_text()] == []


def test_kinds_of_the_exchange_alone_are_not_taken_for_the_books():
    others = {Kind.LIQUIDATE, Kind.DEPOSIT, Kind.WITHDRAW, Kind.FORCED_WITHDRAW}
    assert set(Kind) - set(BOOK_KINDS) - {Kind.NONE} >= others
