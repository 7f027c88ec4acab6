"""Deleveraging by the walk of dYdX v4, and what its fills conserve."""

from market.rules import deleveraging
from tests.market.forms.jaxprs import inexact_dtypes
from tests.market.ints import array


def test_who_may_be_deleveraged_and_at_which_price():
    can = deleveraging.can_deleverage
    assert can(-1, False) == (True, False)
    assert can(-1, True) == (True, False)
    assert can(0, True) == (False, True)
    assert can(0, False) == (False, False)


def test_the_quote_of_a_close_is_split_to_the_last_quantum():
    taken = array([3, 0, 1, 3])
    for quote in (-100, 100, 1, 0, 7):
        parts = deleveraging.split_quote(array(quote), taken)
        assert int(parts.sum()) == quote
        assert int(parts[1]) == 0
    assert deleveraging.split_quote(array(100), taken).tolist() == [42, 0, 15, 43]


def test_splitting_a_quote_holds_no_floating_point():
    assert not inexact_dtypes(deleveraging.split_quote, array(1), array([1, 2]))
