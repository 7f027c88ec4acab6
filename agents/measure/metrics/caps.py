"""Caps: how often a bound of the lab decided what became of a transaction or account.

A mempool has so many places, a block so much room, a danger list so many lines. Each
has its own counter, so that what a cap did is not taken for what a scheme did.
"""

from collections.abc import Iterable, Sequence

import jax.numpy as jnp

from agents.family import GroupSpec
from agents.measure.contract import Metric
from agents.views import DANGER
from market.types.orders import Kind


def _dropped(kind: Kind) -> Metric:
    name = kind.name.lower()
    return Metric(
        f"full_{name}",
        "count",
        f"of txs_full, the transactions of the kind {name}",
        "low",
        lambda run: jnp.sum(run.chain.full[:, kind]),
        label=f"{name.replace('_', ' ')} transactions that found the mempool full",
    )


METRICS = (
    Metric(
        "mempool_room",
        "count",
        "places of the mempool: what mempool_max cannot pass",
        None,
        lambda run: jnp.int64(run.chain.waiting.tx.kind.shape[0]),
        label="places of the mempool",
    ),
    Metric(
        "mempool_full_blocks",
        "blocks",
        "blocks in which the full mempool dropped transactions",
        "low",
        lambda run: run.chain.full_blocks,
        label="blocks with a full mempool",
    ),
    Metric(
        "blocks_filled",
        "blocks",
        "blocks that carried all they may while others that had arrived waited on",
        "low",
        lambda run: run.chain.filled_blocks,
        label="blocks filled to their room",
    ),
    Metric(
        "txs_full",
        "count",
        "of txs_dropped, those dropped because the mempool was full",
        "low",
        lambda run: jnp.sum(run.chain.full),
        label="transactions that found the mempool full",
    ),
    *(_dropped(kind) for kind in Kind if kind),
    Metric(
        "danger_unlisted",
        "count",
        f"account-blocks in danger beyond the {DANGER} that keepers are shown",
        "low",
        lambda run: run.measures.unlisted,
        label="accounts in danger beyond the list",
    ),
)


def of_groups(groups: Sequence[GroupSpec]) -> Iterable[Metric]:
    """Two metrics a group: what the mempool and what the exchange refused of it."""
    for group in groups:
        yield from _of_group(group.name, group.number)


def _of_group(name: str, row: int) -> tuple[Metric, Metric]:
    told = name.replace("_", " ")
    return (
        Metric(
            f"full_of_{name}",
            "count",
            f"of txs_full, those that the group {name} sent",
            "low",
            lambda run: jnp.sum(run.chain.full[row]),
            label=f"transactions of {told} that found the mempool full",
        ),
        Metric(
            f"refused_of_{name}",
            "count",
            f"of txs_rejected, those that the group {name} sent",
            "low",
            lambda run: run.measures.refused[row],
            label=f"transactions of {told} rejected",
        ),
    )
