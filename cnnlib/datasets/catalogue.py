"""The sets that are not embedded: where they come from and what exactly is in them.

A checksum is that of the *content*: of a file after unzipping, of a member of an
archive, so that every container of a set is held to the same figures. 64 hexadecimal
digits are SHA-256, 32 are MD5; ``data/README.md`` gives the source of each.
"""

from typing import NamedTuple

IDX = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class CifarLayout(NamedTuple):
    """One of the two official forms of a CIFAR set: a folder, or an archive of it."""

    kind: str  # "python" (pickled batches) or "binary" (fixed-length records)
    folder: str
    archives: tuple[str, ...]
    train: dict[str, str]  # member: checksum, in the order of the set
    test: dict[str, str]

    @property
    def members(self) -> dict[str, str]:
        """All members, those of the training set first."""
        return {**self.train, **self.test}


class Set(NamedTuple):
    """A set that is looked for, and downloaded where it is not found."""

    title: str
    folders: tuple[str, ...]  # names a folder of it goes by
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    idx: dict[str, str]  # the four IDX files: checksum, of the sets that have them
    cifar: tuple[CifarLayout, ...]
    download: dict[str, str]  # file: where keras.datasets takes it from


_TF = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_TORONTO = "https://www.cs.toronto.edu/~kriz/"


def _idx(*digests: str) -> dict[str, str]:
    return dict(zip(IDX, digests, strict=True))


_CIFAR10_NAMES = tuple(
    "airplane automobile bird cat deer dog frog horse ship truck".split()
)

_CIFAR100_NAMES = tuple(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy
    bridge bus butterfly camel can castle caterpillar cattle chair chimpanzee clock
    cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
    forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion
    lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange
    orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
    possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper
    snail snake spider squirrel streetcar sunflower sweet_pepper table tank
    telephone television tiger tractor train trout tulip turtle wardrobe whale
    willow_tree wolf woman worm
    """.split()
)

SETS = {
    "mnist": Set(
        title="MNIST",
        folders=("mnist", "MNIST", "MNIST/raw"),
        shape=(28, 28, 1),
        class_names=tuple("0123456789"),
        idx=_idx(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        cifar=(),
        download={"mnist.npz": _TF + "mnist.npz"},
    ),
    "fashion_mnist": Set(
        title="Fashion-MNIST",
        folders=("fashion_mnist", "fashion-mnist", "FashionMNIST", "FashionMNIST/raw"),
        shape=(28, 28, 1),
        class_names=tuple(
            "T-shirt/top,trouser,pullover,dress,coat,sandal,shirt,sneaker,bag,ankle "
            "boot".split(",")
        ),
        idx=_idx(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        cifar=(),
        download={f"{name}.gz": f"{_TF}{name}.gz" for name in IDX},
    ),
    "cifar10": Set(
        title="CIFAR-10",
        folders=("cifar10", "cifar-10", "CIFAR10"),
        shape=(32, 32, 3),
        class_names=_CIFAR10_NAMES,
        idx={},
        cifar=(
            CifarLayout(
                kind="python",
                folder="cifar-10-batches-py",
                archives=("cifar-10-python.tar.gz", "cifar-10-python.tar"),
                train={
                    "data_batch_1": "c99cafc152244af753f735de768cd75f",
                    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
                    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
                    "data_batch_4": "634d18415352ddfa80567beed471001a",
                    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
                },
                test={"test_batch": "40351d587109b95175f43aff81a1287e"},
            ),
            CifarLayout(
                kind="binary",
                folder="cifar-10-batches-bin",
                archives=("cifar-10-binary.tar.gz", "cifar-10-binary.tar"),
                train={
                    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
                    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
                    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
                    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
                    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
                },
                test={"test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d"},
            ),
        ),
        download={"cifar-10-python.tar.gz": _TORONTO + "cifar-10-python.tar.gz"},
    ),
    "cifar100": Set(
        title="CIFAR-100",
        folders=("cifar100", "cifar-100", "CIFAR100"),
        shape=(32, 32, 3),
        class_names=_CIFAR100_NAMES,
        idx={},
        cifar=(
            CifarLayout(
                kind="python",
                folder="cifar-100-python",
                archives=("cifar-100-python.tar.gz", "cifar-100-python.tar"),
                train={"train": "16019d7e3df5f24257cddd939b257f8d"},
                test={"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
            ),
            CifarLayout(
                kind="binary",
                folder="cifar-100-binary",
                archives=("cifar-100-binary.tar.gz", "cifar-100-binary.tar"),
                train={"train.bin": "6172c7755cfe09b2fe270c85cebc1b15"},
                test={"test.bin": "4499cfba6c016c1be1438163640a0898"},
            ),
        ),
        download={"cifar-100-python.tar.gz": _TORONTO + "cifar-100-python.tar.gz"},
    ),
}
