"""Exercises on residual networks."""

import keras
import numpy as np
from keras import ops

from cnnlib.gradients import gradient
from exercises import Wrong, alike, ask, exercise


@exercise("11.1", "one weight of 1 for each map, in the middle, for every size tried")
def identity_kernel(kernel):
    """``kernel(side, maps)`` makes a convolution the identity."""
    for side, maps in [(3, 4), (5, 2), (1, 3), (7, 1)]:
        whole = f"the kernel of side {side} for {maps} maps"
        centre, every = np.zeros((2, side, side, maps, maps))
        centre[side // 2, side // 2] = np.eye(maps)
        every[side // 2, side // 2] = 1
        corner, all_places = np.zeros_like(centre), np.zeros_like(centre)
        corner[0, 0] = np.eye(maps)
        all_places[:] = np.eye(maps)
        alike(
            ask(kernel, side, maps),
            centre,
            whole,
            mistakes={
                "joins every map to every other: each is to see only itself": every,
                "looks at the corner of its window, which shifts the maps": corner,
                "sums over the whole window": all_places,
                "is an average: the maps come out blurred": all_places / side**2,
                "is divided by the maps": centre / maps,
            },
        )


@exercise("11.2", "equal to Keras's gradient, shortcut and branch")
def unit_backward(backward):
    """``backward(x, w1, w2, error)`` is the error below y = x + ReLU(x w1) w2."""
    rng = np.random.default_rng(112)
    for n, maps, hidden in [(6, 5, 7), (3, 4, 4), (1, 8, 3)]:
        x, error = rng.normal(size=(2, n, maps)).astype("float32")
        w1 = rng.normal(size=(maps, hidden)).astype("float32")
        w2 = rng.normal(size=(hidden, maps)).astype("float32")

        def score(x, w1=w1, w2=w2, error=error):
            return ops.sum(error * (x + ops.relu(x @ w1) @ w2))

        right = gradient(score, x)
        on = (x @ w1 > 0).astype("float32")
        back = error @ w2.T
        alike(
            ask(backward, x, w1, w2, error),
            right,
            f"the error of {n} examples with {maps} numbers and {hidden} hidden ones",
            tolerance=1e-4,
            mistakes={
                "lacks what comes back through the shortcut": right - error,
                "has the shortcut and nothing else": error,
                "ignores ReLU: where it is off, nothing comes back": error
                + back @ w1.T,
                "adds a 1 in place of the error from above": 1 + right - error,
                "has ReLU on the error; its slope is 1 where x w1 is above 0": error
                + np.maximum(back, 0) @ w1.T,
                "multiplies by ReLU's value; its slope is asked for": error
                + (back * np.maximum(x @ w1, 0)) @ w1.T,
                "counts the shortcut twice": right + error,
                "is subtracted on the branch": 2 * error - right,
                "is multiplied by ReLU the wrong way round: on where x w1 is below 0": (
                    error + (back * (1 - on)) @ w1.T
                ),
            },
        )


@exercise("11.3", "equal to the shortcut that the network's units have")
def padded_shortcut(shortcut):
    """``shortcut(x, filters)``: every second place, zeros as new maps."""
    rng = np.random.default_rng(113)
    for shape, filters in [((2, 8, 8, 3), 6), ((1, 7, 5, 4), 8), ((3, 6, 9, 2), 5)]:
        x = rng.normal(size=shape).astype("float32")
        kept = x[:, ::2, ::2]
        new = np.zeros((*kept.shape[:3], filters - shape[-1]), "float32")
        right = np.concatenate([kept, new], axis=-1)
        whole = f"the shortcut from {shape} to {filters} maps"
        even = x[:, : shape[1] // 2 * 2, : shape[2] // 2 * 2]
        pooled = np.stack([even[:, i::2, j::2] for i in (0, 1) for j in (0, 1)])
        mistakes = {
            "has the new maps in front; they come last": np.concatenate(
                [new, kept], axis=-1
            ),
            "keeps every place; every second is asked for": np.pad(
                x, [(0, 0)] * 3 + [(0, filters - shape[-1])]
            ),
            "begins at the second place; begin at the first": np.pad(
                x[:, 1::2, 1::2], [(0, 0)] * 3 + [(0, filters - shape[-1])]
            ),
            "lacks the new maps": kept,
            "adds as many maps as there shall be in all": np.pad(
                kept, [(0, 0)] * 3 + [(0, filters)]
            ),
            "takes the mean of four places": np.pad(
                pooled.mean(axis=0), [(0, 0)] * 3 + [(0, filters - shape[-1])]
            ),
            "takes the largest of four places": np.pad(
                pooled.max(axis=0), [(0, 0)] * 3 + [(0, filters - shape[-1])]
            ),
        }
        found = ask(shortcut, x, filters)
        if isinstance(found, keras.KerasTensor):
            raise Wrong(f"{whole} is symbolic; return an array")
        alike(found, right, whole, tolerance=0, mistakes=mistakes)
