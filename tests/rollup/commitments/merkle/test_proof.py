"""The proof object and its judge: honest proofs pass, everything else is refused."""

import struct
import subprocess
import sys
from itertools import pairwise

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollup.commitments import merkle_verify
from rollup.commitments.merkle import (
    KECCAK256,
    account_leaf,
    build_tree,
    merkle_root,
    open_paths,
    prove,
    sparse_paths,
)
from rollup.commitments.merkle_verify import Verdict, parse, verify
from tests.rollup.commitments.merkle.oracle import SparseTree, as_bytes, random_digests

HEIGHT = 5
BUILD = jax.jit(build_tree)
TOUCHED = st.sets(st.integers(0, 31), min_size=1, max_size=32).map(sorted)


def proof_of(leaves, indices):
    """Root, the statement, and the proof of some leaves of a tree of height 5."""
    nodes = BUILD(leaves)
    paths = np.asarray(nodes)[
        ((np.array(indices)[:, None] + 32) >> np.arange(HEIGHT)) ^ 1
    ]
    statement = {index: as_bytes(leaves[index]) for index in indices}
    return as_bytes(nodes[1]), statement, prove(indices, paths).to_bytes()


@pytest.fixture(scope="module")
def honest():
    leaves = random_digests(11, 32)
    return proof_of(leaves, [2, 3, 9, 31])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 30), indices=TOUCHED)
def test_an_honest_proof_of_any_leaves_is_accepted(seed, indices):
    root, statement, proof = proof_of(random_digests(seed, 32), indices)
    assert verify(proof, root, statement, height=HEIGHT) == Verdict(True)


def test_shared_siblings_are_sent_once():
    leaves = random_digests(1, 32)
    paths = open_paths(BUILD(leaves), np.arange(32))
    assert len(prove(range(32), paths).siblings) == 0
    assert len(prove([4, 5], paths[4:6]).siblings) == HEIGHT - 1
    assert len(prove([4], paths[4:5]).siblings) == HEIGHT


@settings(max_examples=20, deadline=None)
@given(order=st.permutations([0, 3, 9, 17, 30]))
def test_the_order_in_which_leaves_are_given_changes_no_byte(order):
    leaves = random_digests(2, 32)
    assert proof_of(leaves, order) == proof_of(leaves, sorted(order))


def test_a_single_opening_is_the_path_itself():
    leaves = random_digests(1, 32)
    oracle = SparseTree(HEIGHT, {k: as_bytes(leaf) for k, leaf in enumerate(leaves)})
    assert list(prove([6], open_paths(BUILD(leaves), [6])).siblings) == oracle.path(6)


def test_every_flipped_byte_is_refused(honest):
    root, statement, proof = honest
    for position in range(len(proof)):
        for mask in (0x01, 0x80, 0xFF):
            bad = bytearray(proof)
            bad[position] ^= mask
            verdict = verify(bytes(bad), root, statement, height=HEIGHT)
            assert not verdict.accepted and verdict.reason, (position, mask)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1 << 30), indices=TOUCHED)
def test_any_flipped_bit_of_any_proof_is_refused(data, seed, indices):
    root, statement, proof = proof_of(random_digests(seed, 32), indices)
    bit = data.draw(st.integers(0, 8 * len(proof) - 1))
    bad = bytearray(proof)
    bad[bit // 8] ^= 1 << bit % 8
    assert not verify(bytes(bad), root, statement, height=HEIGHT).accepted


@settings(max_examples=40, deadline=None)
@given(data=st.data(), indices=TOUCHED)
def test_a_wrong_leaf_index_or_root_is_refused(data, indices):
    root, statement, proof = proof_of(random_digests(12, 32), indices)
    index = data.draw(st.sampled_from(indices))
    byte = data.draw(st.integers(0, 31))

    def flipped(digest):
        return digest[:byte] + bytes([digest[byte] ^ 4]) + digest[byte + 1 :]

    def refused(root, statement):
        return not verify(proof, root, statement, height=HEIGHT).accepted

    assert refused(flipped(root), statement)
    assert refused(root, statement | {index: flipped(statement[index])})
    other = data.draw(st.integers(0, 40).filter(lambda k: k not in statement))
    elsewhere = {other if k == index else k: v for k, v in statement.items()}
    assert refused(root, elsewhere)
    assert refused(root, statement | {other: bytes(32)})
    fewer = {k: v for k, v in statement.items() if k != index}
    assert refused(root, fewer)


def test_two_swapped_leaves_are_refused(honest):
    root, statement, proof = honest
    swapped = statement | {2: statement[3], 3: statement[2]}
    assert verify(proof, root, swapped, height=HEIGHT).reason.endswith("another root")


def test_every_truncation_and_every_addition_is_refused(honest):
    root, statement, proof = honest
    for length in range(len(proof)):
        assert not verify(proof[:length], root, statement, height=HEIGHT).accepted
    for tail in (b"\0", bytes(8), bytes(32)):
        assert not verify(proof + tail, root, statement, height=HEIGHT).accepted


def header(count=1, siblings=0, height=HEIGHT, version=1, ident=1, reserved=0):
    return struct.pack(
        "<4sBBBBII", b"SHKM", version, ident, height, reserved, count, siblings
    )


@pytest.mark.parametrize(
    ("proof", "reason"),
    [
        (b"", "no proof's size"),
        (bytes(merkle_verify.MAX_PROOF_BYTES + 1), "no proof's size"),
        (b"NOPE" + header()[4:], "wrong magic"),
        (header(version=2), "version 2"),
        (header(reserved=1), "reserved byte 1"),
        (header(height=65), "height 65"),
        (header(count=0), "0 leaves"),
        (header(count=1 << 31), "2147483648 leaves"),
        (header(siblings=6), "6 siblings"),
        (header(count=1 << 16, siblings=1 << 18), "length is not"),
        (header() + struct.pack("<Q", 32), "outside a tree"),
        (header(count=2) + struct.pack("<QQ", 3, 3), "do not increase"),
        (header(count=2) + struct.pack("<QQ", 4, 3), "do not increase"),
        (header() + struct.pack("<Q", 3), "too few siblings"),
        (header(siblings=4) + struct.pack("<Q", 3) + bytes(128), "too few siblings"),
        (
            header(2, 5) + struct.pack("<QQ", 2, 3) + bytes(160),
            "too many siblings",
        ),
        ("text", "a proof is bytes"),
        (None, "a proof is bytes"),
    ],
)
def test_a_hostile_proof_is_refused_with_its_reason(proof, reason):
    statement = {3: bytes(32)}
    if isinstance(proof, bytes) and proof[8:9] == b"\2":
        statement = {2: bytes(32), 3: bytes(32)}
    verdict = verify(proof, bytes(32), statement, height=HEIGHT)
    assert not verdict.accepted and reason in verdict.reason


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=400)
    | st.builds(
        lambda fields, rest: header(*fields) + rest,
        st.tuples(st.integers(0, 9), st.integers(0, 12), st.integers(0, 80)),
        st.binary(max_size=400),
    )
)
def test_no_bytes_make_the_verifier_raise(proof):
    assert not verify(proof, bytes(32), {1: bytes(32)}, height=HEIGHT).accepted
    parsed = parse(proof)
    assert isinstance(parsed, Verdict) or all(
        a < b for a, b in pairwise(parsed.indices)
    )


@pytest.mark.parametrize(
    ("root", "statement"),
    [
        (b"short", {3: bytes(32)}),
        (None, {3: bytes(32)}),
        (bytes(32), {}),
        (bytes(32), None),
        (bytes(32), [3]),
        (bytes(32), {3: b"short"}),
        (bytes(32), {"3": bytes(32)}),
        (bytes(32), {True: bytes(32)}),
        (bytes(32), {3: bytes(32), None: bytes(32)}),
    ],
)
def test_a_malformed_statement_is_refused(honest, root, statement):
    verdict = verify(honest[2], root, statement, height=HEIGHT)
    assert not verdict.accepted and verdict.reason


def test_an_inner_node_does_not_pass_for_a_leaf():
    leaves = random_digests(13, 32)
    nodes = BUILD(leaves)
    shallow = prove([3], np.asarray(nodes)[[(16 + 3) ^ 1, 9 ^ 1, 4 ^ 1, 2 ^ 1]][None])
    statement = {3: as_bytes(nodes[16 + 3])}
    root = as_bytes(nodes[1])
    assert verify(shallow.to_bytes(), root, statement, height=4).accepted
    refusal = verify(shallow.to_bytes(), root, statement, height=HEIGHT)
    assert "height 4 where 5 is trusted" in refusal.reason


def test_the_hash_is_the_verifiers_choice():
    leaves = random_digests(14, 4)
    nodes = build_tree(leaves, node_hash=KECCAK256)
    proof = prove([1], open_paths(nodes, np.array([1])), node_hash=KECCAK256).to_bytes()
    root, statement = as_bytes(nodes[1]), {1: as_bytes(leaves[1])}
    assert verify(proof, root, statement, height=2, hash_ident=2).accepted
    assert "hash 2" in verify(proof, root, statement, height=2).reason
    assert (
        "hash 2"
        in verify(proof, root, statement, height=2, hash_ident=2, hashes={}).reason
    )


def test_a_hash_that_knows_its_digests_refuses_others(honest):
    def picky(left, right):
        raise ValueError("word 3 is not below the prime")

    root, statement, proof = honest
    verdict = verify(proof, root, statement, height=HEIGHT, hashes={1: picky})
    assert verdict == Verdict(False, "not a digest: word 3 is not below the prime")


def test_an_account_of_a_venue_of_height_64_escapes_with_its_proof():
    words = np.random.default_rng(15).integers(-(2**62), 2**62, (5, 9))
    keys = np.array([7, 6, 1 << 63, (1 << 64) - 1, 12345], np.uint64)
    root, paths = sparse_paths(keys, account_leaf(words), np.ones(5, bool))
    proof = prove(keys[:2], np.asarray(paths)[:2]).to_bytes()
    statement = {
        int(k): merkle_verify.account_leaf(w) for k, w in zip(keys, words, strict=True)
    }
    opened = {k: statement[k] for k in (6, 7)}
    assert verify(proof, as_bytes(root), opened, height=64).accepted
    richer = words[0].copy()
    richer[1] += 1
    opened[7] = merkle_verify.account_leaf(richer)
    assert not verify(proof, as_bytes(root), opened, height=64).accepted


def test_a_tree_of_one_leaf_is_its_own_proof():
    leaf = random_digests(16, 1)
    proof = prove([0], np.zeros((1, 0, 8), np.uint32)).to_bytes()
    root = as_bytes(merkle_root(leaf))
    assert verify(proof, root, {0: as_bytes(leaf)}, height=0).accepted


@pytest.mark.parametrize(
    ("indices", "openings", "message"),
    [
        ([], 0, "0 leaves"),
        ([1], 2, "1 leaves with 2 openings"),
        ([1, 1], 2, "named twice"),
        ([32], 1, "outside"),
        ([-1], 1, "outside"),
    ],
)
def test_the_prover_refuses_what_cannot_be_proven(indices, openings, message):
    with pytest.raises(ValueError, match=message):
        prove(indices, np.zeros((openings, HEIGHT, 8), np.uint32))


def test_the_verifier_imports_neither_jax_nor_numpy():
    module = "rollup.commitments.merkle_verify"
    code = f"import sys, {module}; print({{'jax', 'numpy'}} & set(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "set()"
