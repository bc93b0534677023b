"""Exercises on convolution."""

import keras
import numpy as np

from exercises import Wrong, alike, ask, exercise


@exercise("02.1", "equal to Keras's padding='same' for every size and stride tried")
def same_padding(convolve):
    """``convolve(image, kernel, stride)`` pads with zeros as Keras does."""
    rng = np.random.default_rng(21)
    for side, k, stride in [(7, 3, 1), (8, 5, 1), (7, 3, 2), (8, 3, 2), (9, 5, 3)]:
        image, kernel = rng.normal(size=(side, side)), rng.normal(size=(k, k))
        expected = keras.ops.conv(
            image[None, :, :, None], kernel[:, :, None, None], stride, "same"
        )[0, :, :, 0]
        what = f"the output for a {side}×{side} image, {k}×{k} filter, stride {stride},"
        answer = np.asarray(ask(convolve, image, kernel, stride))
        backwards = ask(convolve, image[::-1, ::-1], kernel[::-1, ::-1], stride)
        if (
            answer.shape == expected.shape
            and stride > 1
            and side % 2 == 0
            and np.allclose(np.asarray(backwards)[::-1, ::-1], expected, atol=1e-4)
        ):
            raise Wrong(f"{what} has the odd row of padding above; Keras puts it below")
        alike(answer, expected, what)
