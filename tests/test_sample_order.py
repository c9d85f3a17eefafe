"""The order of samples in an epoch, against counting by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ddepth_gl.dataset.order import epoch_order, part_of_epoch

SIZES = np.array([3, 6, 1, 8, 5, 0, 2])
TOTAL = 25


def joined(lists):
    return list(itertools.chain(*lists))


def parts_of(parts, is_even=False, *, seed=1, epoch=0, mix=2, sizes=SIZES):
    total = int(sizes.sum())
    return [
        list(epoch_order(sizes, seed, epoch, part_of_epoch(total, part, parts, is_even), mix))
        for part in range(parts)
    ]


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 25, 40])
@pytest.mark.parametrize("mix", [None, 1, 2, 100])
def test_parts_have_every_sample_once(parts, mix):
    lists = parts_of(parts, mix=mix)
    assert sorted(joined(lists)) == list(range(TOTAL))
    lengths = {len(each) for each in lists}
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 40])
def test_even_parts_have_equal_lengths(parts):
    lists = parts_of(parts, is_even=True)
    assert {len(each) for each in lists} == {TOTAL // parts}
    assert len(set(joined(lists))) == parts * (TOTAL // parts)


def test_left_out_samples_differ_between_epochs():
    left_out = {
        frozenset(range(TOTAL)) - set(joined(parts_of(7, True, epoch=epoch))) for epoch in range(5)
    }
    assert all(len(each) == 4 for each in left_out)
    assert len(left_out) > 1


def test_seed_and_epoch_decide_the_order():
    orders = {
        (seed, epoch): tuple(parts_of(1, seed=seed, epoch=epoch)[0])
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(set(orders.values())) == len(orders)
    again = {key: tuple(parts_of(1, seed=key[0], epoch=key[1])[0]) for key in orders}
    assert again == orders


def test_parts_join_to_the_whole_order():
    assert joined(parts_of(4)) == parts_of(1)[0]


def test_no_mix_keeps_the_order():
    assert parts_of(1, mix=None)[0] == list(range(TOTAL))


def test_few_groups_are_in_use_at_a_time():
    group_of = np.repeat(np.arange(len(SIZES)), SIZES)
    groups = group_of[parts_of(1, mix=2)[0]]
    spans = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    in_use = np.zeros(TOTAL, int)
    for span in spans:
        in_use[span[0] : span[-1] + 1] += 1
    assert in_use.max() == 2


def test_every_position_has_every_sample_about_as_often():
    """The mean position of each sample over many epochs is the middle."""
    sizes = np.full(6, 4)
    positions = np.zeros(24)
    for epoch in range(400):
        positions[parts_of(1, epoch=epoch, sizes=sizes)[0]] += np.arange(24)
    # Of 400 uniform positions of 0 to 23, the mean has a standard deviation of 0.35.
    assert abs(positions / 400 - 11.5).max() < 5 * 0.35


def test_no_samples():
    assert parts_of(2, sizes=np.zeros(0, np.int64)) == [[], []]
    assert parts_of(2, sizes=np.zeros(3, np.int64)) == [[], []]
