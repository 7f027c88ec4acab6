"""The columns of the look-up argument (LogUp), once its challenge is known.

For each pair of lanes a helper 1/(alpha - a) + 1/(alpha - b), and one running sum of
all helpers less multiplicity/(alpha - table). Cells are twelve-bit, so every inverse
comes out of one table of 4,096.

Source: Habock, "Multivariate lookups based on logarithmic derivatives", eprint
2022/1530, in its univariate form.
"""

import numpy as np

from rollup.stark.prove.parallel import over_blocks
from rollup.stark.rules.arithmetic import ONE, Ext, P
from rollup.stark.rules.layout import Layout
from rollup.stark.rules.parameters import LIMB


def inverse_table(alpha: Ext) -> np.ndarray:
    """1/(alpha - v) for v = 0 … 4095: uint32 [4, 4096], with one inversion."""
    gaps = [alpha - v for v in range(LIMB)]
    prefix = [ONE]
    for gap in gaps:
        prefix.append(prefix[-1] * gap)
    inverse, out = prefix[-1].inverse(), [ONE] * LIMB
    for v in reversed(range(LIMB)):
        out[v] = inverse * prefix[v]
        inverse = inverse * gaps[v]
    return np.array([x.c for x in out], np.uint32).T.copy()


def lookup_columns(trace: np.ndarray, layout: Layout, alpha: Ext) -> np.ndarray:
    """The second commitment's columns, uint32 [aux, rows]."""
    table = inverse_table(alpha)
    n = trace.shape[1]
    out = np.empty((layout.aux, n), np.uint32)

    def helper(k: int) -> None:
        lanes = [trace[layout.at(name)] & (LIMB - 1) for name in layout.pairs[k]]
        total = sum(table[:, lane].astype(np.uint64) for lane in lanes)
        out[4 * k : 4 * k + 4] = total % np.uint64(P)

    over_blocks(helper, range(len(layout.pairs)))
    count = trace[layout.at("multiplicity")].astype(np.uint64)
    given = table[:, trace[layout.at("table")] & (LIMB - 1)].astype(np.uint64)
    taken = given * count % np.uint64(P)
    helpers = out[:-4].reshape(-1, 4, n).astype(np.uint64).sum(axis=0)
    steps = (helpers + np.uint64(P) - taken) % np.uint64(P)
    running = np.cumsum(steps, axis=1) % np.uint64(P)
    out[-4:, 0] = 0
    out[-4:, 1:] = running[:, :-1]
    return out
