"""What one account has under the root of a batch: the file an escape starts from.

The everyday root of a batch is a Blake2s Merkle root over the accounts
(`rollup.commitments.roots`). A file of this kind shows one account under it: readable
JSON with the account's words and the Merkle proof (`docs/proofs_merkle.md`). Reading
and judging it needs plain Python only; making it runs the world again up to the batch.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollup.commitments import merkle_verify
from rollup.stark.verify.files import Origin

if TYPE_CHECKING:
    from experiments.engine import World

KIND = "shakeout account under a batch root"
#: A reader never takes in more than this.
MAX_FILE_BYTES = 1 << 20
_TYPES = {
    **{"kind": str, "experiment": str, "point": int, "run": int},
    **{"root": str, "proof": str, "batch": int, "height": int},
}


@dataclass(frozen=True)
class Inclusion:
    """One account under one root.

    Attributes:
        experiment: identity of the experiment; with the two below it keeps files of
            different runs apart, and is not proven.
        point, run: numbers of the run.
        batch: number of the batch in its run.
        root: 64 hex digits.
        height: height of the tree.
        words: what the account's leaf holds (`rollup.commitments.roots.account_words`):
            account, collateral, withdrawn and unpaid, positions, costs.
        proof: the Merkle proof, as hex digits.
        kind: says what the file is.
    """

    experiment: str
    point: int
    run: int
    batch: int
    root: str
    height: int
    words: list[int]
    proof: str
    kind: str = KIND

    def to_json(self) -> str:
        """The file's content."""
        return json.dumps(asdict(self), indent=1) + "\n"

    def problem(self, root: str | None = None) -> str | None:
        """Why the account is not shown to be under the root, or None.

        Args:
            root: what the reader trusts; the file's own root if not given.
        """
        trusted = self.root if root is None else root.lower()
        try:
            leaf = merkle_verify.account_leaf(self.words)
            verdict = merkle_verify.verify(
                bytes.fromhex(self.proof),
                bytes.fromhex(trusted),
                {self.words[0]: leaf},
                height=self.height,
            )
        except (ValueError, OverflowError) as problem:
            return str(problem)
        return None if verdict.accepted else verdict.reason


def looks_like(path: Path) -> bool:
    """Whether a file claims to be of this kind."""
    with path.open("rb") as stream:
        return stream.read(1) == b"{"


def read(path: Path) -> Inclusion:
    """Reads a file, strictly.

    Raises:
        ValueError: it is not of this kind.
        OSError: it cannot be read.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"larger than {MAX_FILE_BYTES} bytes")
    try:
        data: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise ValueError("neither a proof nor an account under a root") from None
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise ValueError("neither a proof nor an account under a root")
    if set(data) != {*_TYPES, "words"} or any(
        type(data[name]) is not kind for name, kind in _TYPES.items()
    ):
        raise ValueError("has other fields than an account under a root")
    words = data["words"]
    if (
        not isinstance(words, list)
        or not words
        or any(type(w) is not int for w in words)
    ):
        raise ValueError("the account's words are no integers")
    return Inclusion(**data)


def include(
    world: "World", seed: int, origin: Origin, batch: int, account: int
) -> Inclusion:
    """Runs a world up to the end of a batch and opens one account under its root."""
    import jax.numpy as jnp
    import numpy as np

    from agents.lab.model import LabModel
    from rollup.commitments.merkle import (
        account_leaf,
        build_tree,
        open_paths,
        prove,
        tree_root,
    )
    from rollup.commitments.roots import account_words

    model = LabModel(world.spec, world.params, seed=seed, run=origin.run)
    model.advance((batch + 1) * world.spec.chain.batch_blocks)
    words = account_words(model.world.exchange)
    tree = build_tree(account_leaf(words))
    proof = prove([account], open_paths(tree, jnp.array([account])))
    return Inclusion(
        **origin._asdict(),
        batch=batch,
        root=np.asarray(tree_root(tree)).astype("<u4").tobytes().hex(),
        height=proof.height,
        words=[int(word) for word in np.asarray(words)[account]],
        proof=proof.to_bytes().hex(),
    )
