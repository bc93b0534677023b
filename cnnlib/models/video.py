"""C3D (Tran, Bourdev, Fergus, Torresani, Paluri 2014, arXiv:1412.0767)."""

from collections.abc import Sequence

import keras
from keras import layers

from cnnlib.models.blocks import classifier, inputs
from cnnlib.models.entry import entry

# Figure 3: the convolutions of each stage, and their maps as multiples of the first's.
STAGES = ((1, 1), (1, 2), (2, 4), (2, 8), (2, 8))


@entry(
    year=2014, paper="1412.0767", task="video", trainable=79_991_015, total=79_991_015
)
def c3d(
    *,
    input_shape: Sequence[int] = (16, 112, 112, 3),
    classes: int = 487,
    width: int = 64,
    dense: int = 4096,
) -> keras.Model:
    """C3D with 79,991,015 parameters: eight 3×3×3 convolutions, three dense layers.

    arXiv:1412.0767, section 3.2, figure 3, with Sports-1M's 487 classes (78,409,573
    with UCF101's 101). The first pooling spares time: 1×2×2; the others are 2×2×2. All
    round up, as in the authors' Caffe, which pads behind the last row and column only:
    that matters at the fifth, where 7 become 4. Dropout 0.5 follows both hidden dense
    layers. Weights start from ``glorot_uniform`` and zeros, theirs from Gaussians of a
    fixed width. From frames of 0 to 255 the authors subtract the mean clip.

    Args:
        width: maps of the first convolution, 64 in the paper; the others follow.
        dense: units of the dense layers, 4096 in the paper.
    """
    video, classes = inputs(
        "c3d", input_shape, classes, name="video", dimensions=3, any_size=False
    )
    x = video
    for i, (convs, multiple) in enumerate(STAGES, start=1):
        for letter in "ab"[:convs]:
            maps, name = width * multiple, f"conv{i}_{letter}"
            conv = layers.Conv3D(maps, 3, padding="same", activation="relu", name=name)
            x = conv(x)
        pool = (1, 2, 2) if i == 1 else 2
        x = layers.MaxPooling3D(pool, padding="same", name=f"conv{i}_pool")(x)
    return keras.Model(video, classifier(x, classes, dense), name="c3d")
