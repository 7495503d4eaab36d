"""What the road finds of a planned track: kinds, changes, which deployment brought what."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.generating.moments import Moments
from deployments.generating.releases import Entries

# In the order of their codes in `TrackHistory.kind`.
KINDS = ("", "baseline", "forward", "rollback", "redeploy", "unknown")
_NONE, BASELINE, FORWARD, ROLLBACK, REDEPLOY, UNKNOWN = range(len(KINDS))
Indices = NDArray[np.integer[Any]]


@dataclass(slots=True)
class TrackHistory:
    """The deployments of a track in order, and what follows from them. Positions are of the main branch."""

    at: Moments
    position: NDArray[np.int32]
    reached: NDArray[np.bool_]
    fixes: NDArray[np.int32]  # the position whose version it says to fix, -1 is none
    kind: NDArray[np.int8]
    previous: NDArray[np.int32]  # which entry ran before it, -1 is none
    highest: NDArray[np.int32]  # the highest position deployed up to it, itself included, -1 is none
    counted: NDArray[np.int32] | None  # by position: how many changes below it count here; None where nobody told

    @property
    def first(self) -> int:
        """The baseline: the first entry that reached its environment, -1 is none."""
        return int(np.argmax(self.reached)) if self.reached.any() else -1

    def changes_count(self, chosen: slice) -> Indices:
        """Return how many changes deployments shipped."""
        if self.counted is None or self.first < 0:
            return np.zeros(len(self.at[chosen]), np.int64)
        before = np.concatenate([[-1], self.highest[:-1]])[chosen]
        shipped = self.counted[self.highest[chosen] + 1] - self.counted[before + 1]
        shipped[before < 0] = 0
        counts: Indices = shipped.astype(np.int64)
        return counts

    def brought_by(self, positions: Indices) -> Indices:
        """Return which entry first brought what stands at positions; -1 where it was there before, or is not yet."""
        found = np.searchsorted(self.highest, positions, side="left")
        unknown = (found == len(self.highest)) | (found <= self.first)
        return np.where(unknown, -1, found)


def track_history(entries: Entries, position_of: Indices, counts: NDArray[np.bool_] | None) -> TrackHistory:
    """Work out a track. `counts` tells by position what counts as a change there, None where nobody told."""
    position = position_of[entries["key"]].astype(np.int32)
    reached = entries["reached"].copy()
    order = np.arange(len(entries), dtype=np.int32)
    upto = np.maximum.accumulate(np.where(reached, order, -1)) if len(order) else order
    previous = np.concatenate([[-1], upto[:-1]]).astype(np.int32)[: len(order)]
    highest = np.maximum.accumulate(np.where(reached, position, -1)).astype(np.int32) if len(order) else order
    fixes = np.where(entries["fixes"] >= 0, position_of[entries["fixes"]], -1).astype(np.int32)
    counted = None
    if counts is not None:
        counted = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    kind = _kinds(position, previous, reached, is_known=counts is not None)
    return TrackHistory(entries["at"].copy(), position, reached, fixes, kind, previous, highest, counted)


def _kinds(
    position: NDArray[np.int32], previous: NDArray[np.int32], reached: NDArray[np.bool_], *, is_known: bool
) -> NDArray[np.int8]:
    before = position[previous]  # of the first one whatever, as it is the baseline
    kind = np.select(
        [~reached, previous < 0, position == before, np.full(len(position), not is_known), position > before],
        [_NONE, BASELINE, REDEPLOY, UNKNOWN, FORWARD],
        ROLLBACK,
    )
    return kind.astype(np.int8)
