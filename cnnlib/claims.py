"""What the talk claims, and what became of each claim.

``LEDGER`` holds every claim of the talk once: its id, the section of the talk, the
kind and the statement. A claim is settled with one line, which prints one line::

    claims.holds("dense-params", count == 615_440, f"784 to 784: {count:,} weights")
    claims.corrected("param-race", vgg16 == 138_357_544, "VGG-16 has 138.4 M")
    claims.cited("jft", "Chollet 2017, arXiv:1610.02357, section 4.1")

A claim whose condition does not come true raises, so a page never says more than its
code found. ``parse`` reads such a line back; that is how verdicts are gathered.
"""

import difflib
import re
from typing import NamedTuple

SECTIONS = {
    1: "What are neural networks?",
    2: "Convolutional neural networks",
    3: "Going deep",
    4: "Image classification data sets",
    5: "Progress on ImageNet",
    6: "Inception and Xception",
    7: "Residual networks",
    8: "Many paths",
    9: "Interlude: fooling deep networks",
    10: "Segmentation",
    11: "Conclusions",
}

KINDS = {
    "exact": "settled by counting, or by two computations that must agree",
    "measured": "settled by an experiment",
    "cited": "not checkable here; the source is given",
}


class Claim(NamedTuple):
    """One statement of the talk."""

    id: str
    section: int
    kind: str
    statement: str


class Verdict(NamedTuple):
    """What became of a claim: ``ruling`` is holds, corrected or cited."""

    id: str
    ruling: str
    evidence: str

    def __str__(self) -> str:
        return f"claim {self.id} — {self.ruling}: {self.evidence}"


class ClaimError(Exception):
    """A claim is unknown, settled twice, ruled on wrongly, or not borne out."""


# fmt: off
_TABLE = (
    ("dense-formula", 1, "exact",
     "A neuron's output is y_i = f(W_ik x_k + b_i); training determines the weights "
     "W and the bias b."),
    ("nonlinear", 1, "exact",
     "f is nonlinear; without it, stacked layers collapse to one linear map."),
    ("tanh-to-relu", 1, "cited",
     "The field went from f = tanh to f = max(0, x), the ReLU."),
    ("dense-params", 1, "exact",
     "All neurons of a layer connect to all of the previous one: good in general, "
     "but many parameters, above all when deep."),
    ("dense-images", 1, "measured",
     "Dense layers are suboptimal for images."),
    ("three-ideas", 2, "exact",
     "Keep the 2D structure of the input; connect a neuron only to a block, say 3×3, "
     "of the previous layer; use the same weights for all of these."),
    ("edges", 2, "measured",
     "The first layers detect edges at various angles; deeper layers compose them "
     "into higher features."),
    ("many-filters", 2, "exact",
     "There are several filters at each hidden layer."),
    ("pooling-invariance", 2, "measured",
     "Pooling gives approximate translational invariance; average-pooling is less "
     "popular than max-pooling."),
    ("hyperparameters", 2, "exact",
     "Parameters are learned; hyperparameters (layers, filter size, channels, "
     "stride, extra layers) are fixed beforehand."),
    ("relu-deep", 3, "measured",
     "ReLU was the first key advance for training deep networks."),
    ("dropout", 3, "measured",
     "Switching off about half of the previous layer's neurons at random in training "
     "prevents overfitting."),
    ("batchnorm", 3, "measured",
     "Normalizing a layer's inputs per batch makes training faster, and regularizes."),
    ("mnist-99", 3, "measured",
     "The Keras example reaches 99.0 % on an MNIST subset; CPU 14 min, GPU 42 s."),
    ("mnist-facts", 4, "cited",
     "MNIST: 60,000 + 10,000 handwritten digits, 28×28."),
    ("cifar-facts", 4, "cited",
     "CIFAR-10 and CIFAR-100: 60,000 colour images, 32×32, 10 and 100 classes."),
    ("imagenet-facts", 4, "cited",
     "ImageNet: 1.2 million images, 256×256 and larger, 1000 classes."),
    ("augmentation", 4, "measured",
     "Deep networks need many examples, also to be told which features are "
     "inessential: make more by flipping, rotating, cropping and so on."),
    ("alexnet-2012", 5, "cited",
     "AlexNet's 2012 result was a breakthrough; the second-best entry had a top-5 "
     "error of 26.2 %."),
    ("param-race", 5, "exact",
     "Not only brute force: AlexNet has about 60 M parameters, VGG about 180 M, "
     "GoogLeNet only 5 M."),
    ("human-error", 5, "cited",
     "Human performance on ImageNet: 5.1 % top-5 error."),
    ("top1-larger", 5, "cited",
     "Top-1 errors are much larger: 17 % to 20 % and more."),
    ("inception-v4", 5, "cited",
     "2016: Inception v4, 3.08 %."),
    ("inception-idea", 6, "exact",
     "Inception: filters of several sizes side by side, concatenated; first a "
     "pointwise 1×1 convolution over channels, then the spatial one."),
    ("factorize-params", 6, "exact",
     "This cuts the number of parameters significantly."),
    ("googlenet-22", 6, "exact",
     "GoogLeNet stacks Inception modules, 22 layers deep."),
    ("xception-idea", 6, "exact",
     "Xception factorizes every convolution into a pointwise and a spatial one."),
    ("xception-vs-v3", 6, "cited",
     "Better than Inception v3 at the same number of parameters."),
    ("jft", 6, "cited",
     "Also used JFT: 350 million images, 17,000 classes; 60 NVIDIA GPUs."),
    ("degradation", 7, "measured",
     "Very deep plain networks struggle on the training set: 56 layers are worse "
     "than 20, and not through overfitting."),
    ("identity-extension", 7, "exact",
     "A 56-layer network as good as a 20-layer one exists: the 20 layers and 36 that "
     "do the identity."),
    ("hard-identity", 7, "measured",
     "Conventional deep layers find it hard to learn the identity."),
    ("residual-idea", 7, "exact",
     "Learn deviations from the identity instead."),
    ("very-deep", 7, "exact",
     "Stacked units give 200 layers on ImageNet and 1001 on CIFAR."),
    ("unit-variants", 7, "measured",
     "The second paper tests variations of the unit."),
    ("residual-everywhere", 7, "cited",
     "The ideas enter Inception-ResNet, and FCNs for segmentation."),
    ("many-paths", 8, "exact",
     "Residual, Highway, stochastic-depth and Fractal networks give data several "
     "paths through the network."),
    ("dense-concat", 8, "exact",
     "DenseNets concatenate the outputs of a block's layers, not sum them."),
    ("transition", 8, "exact",
     "Transition layers reduce the number of features; 1×1 bottlenecks precede the "
     "convolutions."),
    ("densenet-efficiency", 8, "cited",
     "DenseNets reach an ImageNet top-1 error with fewer parameters."),
    ("ostrich", 9, "measured",
     "A small perturbation turns images that AlexNet classifies right into "
     "ostriches."),
    ("fooling-images", 9, "measured",
     "Evolved images are labelled with more than 99.6 % confidence."),
    ("linearity", 9, "measured",
     "Adversarial examples come from the linear nature and the high dimension of the "
     "network."),
    ("not-only-cnn", 9, "measured",
     "They are not restricted to deep CNNs."),
    ("pixelwise", 10, "measured",
     "Not only which classes, but where, pixel by pixel."),
    ("unet", 10, "exact",
     "U-Net, made for biomedical images, is a general segmentation architecture."),
    ("tiramisu", 10, "exact",
     "Fully convolutional DenseNets segment too."),
    ("other-dimensions", 11, "measured",
     "CNNs serve time series (1D convolutions) and video (3D) too."),
    ("gpu", 11, "measured",
     "GPUs are crucial."),
    ("multiple-paths", 11, "measured",
     "Novel architectures, not only brute force; several ways through the network "
     "help greatly."),
)
# fmt: on

LEDGER = {row[0]: Claim(*row) for row in _TABLE}

settled: dict[str, Verdict] = {}  # in this process, in the order of settling


def _settle(claim_id: str, ruling: str, evidence: str) -> None:
    if claim_id not in LEDGER:
        near = difflib.get_close_matches(str(claim_id), LEDGER, n=1)
        hint = f"; the nearest is {near[0]!r}" if near else ""
        raise ClaimError(f"the talk has no claim {claim_id!r}{hint}")
    if claim_id in settled:
        raise ClaimError(f"claim {claim_id!r} is settled already: {settled[claim_id]}")
    kind = LEDGER[claim_id].kind
    if (ruling == "cited") != (kind == "cited"):
        raise ClaimError(f"claim {claim_id!r} is {kind}: {ruling!r} cannot settle it")
    if not evidence.strip() or "\n" in evidence:
        raise ClaimError(f"claim {claim_id!r} needs its evidence, on one line")
    settled[claim_id] = Verdict(claim_id, ruling, evidence)
    print(settled[claim_id])


def holds(claim_id: str, condition: bool, evidence: str) -> None:
    """Settle a claim that the cell has found true, and print its one-line verdict.

    Args:
        claim_id: an id of ``LEDGER``, of kind exact or measured.
        condition: what was found; anything but true is an error.
        evidence: one line that says what was counted or measured.

    Raises:
        ClaimError: the id is unknown or settled already, its kind is cited, there is no
            evidence, or the condition is not true.
    """
    if not bool(condition):
        raise ClaimError(f"claim {claim_id!r} is not borne out: {evidence}")
    _settle(claim_id, "holds", evidence)


def corrected(claim_id: str, condition: bool, evidence: str) -> None:
    """Settle a claim in which the talk is off: ``condition`` is what is true instead.

    Arguments and errors are those of ``holds``.
    """
    if not bool(condition):
        raise ClaimError(f"the correction of {claim_id!r} is not borne out: {evidence}")
    _settle(claim_id, "corrected", evidence)


def cited(claim_id: str, source: str) -> None:
    """Settle a claim that no code here can check by giving its source.

    Raises:
        ClaimError: the id is unknown or settled already, its kind is not cited, or
            there is no source.
    """
    _settle(claim_id, "cited", source)


_LINE = re.compile(r"claim (\S+) — (holds|corrected|cited): (.+)")


def parse(text: str) -> list[Verdict]:
    """The verdicts printed in ``text``, in order: the inverse of ``str(verdict)``."""
    lines = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return [Verdict(*line.groups()) for line in lines if line]
