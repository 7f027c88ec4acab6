"""Runs compiled blocks on every core: each call works outside the interpreter lock."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0)))


def over_blocks(work: Callable, blocks: Iterable) -> list:
    """``work(block)`` for every block; results in order.

    The first block runs alone, so that what it compiles is compiled once.
    """
    first, *rest = blocks
    return [work(first), *_pool().map(work, rest)]
