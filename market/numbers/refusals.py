"""Numbers that a rule refuses, each by its name.

For rules at a prompt and in tests, which take plain ints and exact fractions. Arrays
are not looked at: a compiled step cannot raise, and its rules say what they give there.
"""

from fractions import Fraction

import numpy as np


def above_zero(**numbers) -> None:
    """Refuses a divisor that is not above zero.

    >>> above_zero(price=0)
    Traceback (most recent call last):
    ValueError: price is 0; it has to be above zero, for it is divided by

    Raises:
        ValueError: one of the plain numbers is zero or less.
    """
    for name, value in numbers.items():
        if _is_plain(value) and value <= 0:
            raise ValueError(
                f"{name} is {value}; it has to be above zero, for it is divided by"
            )


def within(least: int, most: int, **numbers) -> None:
    """Refuses a number outside of the bounds, both inclusive.

    Raises:
        ValueError: one of the plain numbers is less or more.
    """
    for name, value in numbers.items():
        if _is_plain(value) and not least <= value <= most:
            raise ValueError(f"{name} is {value}; it has to be from {least} to {most}")


def _is_plain(value) -> bool:
    return isinstance(value, int | np.integer | Fraction)
