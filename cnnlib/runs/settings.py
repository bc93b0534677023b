"""What ``train`` is asked for, and what it refuses before anything is read or built."""

from dataclasses import dataclass

from cnnlib import checks, models

CHOICES = {
    "optimizer": ("adam", "sgd"),
    "schedule": ("onecycle", "steps", "constant"),
    "augmentation": ("none", "flip", "cifar", "digits"),
    "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
}


@dataclass
class Settings:
    """What ``train`` is asked for; None stands for the network's or data's own."""

    network: str
    data: str
    size: int | None = None
    epochs: int = 10
    batch_size: int = 64
    rate: float = 1e-3
    optimizer: str = "adam"
    schedule: str = "onecycle"
    weight_decay: float = 0.0
    augmentation: str = "none"
    precision: str = "float32"
    validation: float = 0.1
    seed: int = 0
    transfer: bool = False

    def check(self) -> None:
        """Refuse what cannot be done, before anything is read or built."""
        who = "train"
        checks.named("network", self.network, [*models.CATALOG, *models.FAMILIES])
        for name in ("epochs", "batch_size"):
            checks.integer(who, name, getattr(self, name))
        checks.integer(who, "seed", self.seed, least=0)
        if self.size is not None:
            checks.integer(who, "size", self.size)
        checks.number(who, "rate", self.rate, above=0)
        checks.number(who, "weight_decay", self.weight_decay, least=0)
        checks.number(who, "validation", self.validation, above=0, below=1)
        for name, known in CHOICES.items():
            checks.choice(who, name, getattr(self, name), known)
        entry = models.CATALOG.get(self.network)
        if entry is not None and entry.task != "classification":
            raise ValueError(
                f"train takes a network that classifies images; {self.network} is one "
                f"for {entry.task}"
            )
        if self.transfer and self.network != "efficientnet_lite0":
            raise ValueError(
                "transfer begins with weights of ImageNet that are installed, those "
                f"of efficientnet_lite0; given {self.network}"
            )


# The papers' training on CIFAR-10: 1512.03385 and 1608.06993, section 4.2 of each.
# Momentum is Nesterov's, as the latter says; the former says momentum and no more.
# Weight decay is a part of the gradient, as in the frameworks of both (training.SGD).
# Where it is not theirs: images are standardized by channel, as the latter has it (the
# former subtracts the mean of each pixel), but after the crops, whose padding is black
# and not the mean.
CIFAR = {
    "data": "cifar10",
    "augmentation": "cifar",
    "optimizer": "sgd",
    "schedule": "steps",
    "rate": 0.1,
    "weight_decay": 1e-4,
}
RECIPES = {
    # 64,000 steps of 128
    "cifar-resnet": dict(CIFAR, network="resnet56", epochs=182, batch_size=128),
    "cifar-densenet": dict(CIFAR, network="densenet100_bc", epochs=300, batch_size=64),
}
