"""Adversarial training, as a model that ``fit`` takes."""

import keras
import numpy as np
from keras import ops

from cnnlib import checks, gradients
from cnnlib.fooling import inputs


@keras.saving.register_keras_serializable("cnnlib")
class AdversarialTraining(keras.Model):
    """A model around another one, which it trains on images and on their attacks.

    The objective of Goodfellow, Shlens and Szegedy (arXiv:1412.6572), section 6::

        α · J(x, y) + (1 − α) · J(x + ε · sign ∂J/∂x, y)

    with the loss J that it is compiled with. The perturbed images are made anew for
    each batch, from the weights of the moment, at inference; no gradient goes through
    their making. Both terms then see the model as in training, dropout included.
    ``evaluate`` and the metrics are those of plain images. ::

        trainer = AdversarialTraining(model, epsilon=0.1)
        trainer.compile("adam", SparseCategoricalCrossentropy(from_logits=True))
        trainer.fit(x, y)  # trains model

    Weights and layers are the model's own: attack and use that one. Saved, as by
    ``ModelCheckpoint``, both come back, and training goes on.

    Args:
        model: any built classifier of one input that emits logits.
        epsilon: ε, in the units of the inputs, at least 0.
        alpha: α, the part of the plain loss, 0 to 1; the paper's is 0.5.
        bounds: (low, high), the box of all inputs: numbers, or one per channel.
    """

    def __init__(self, model, epsilon, *, alpha=0.5, bounds=(0.0, 1.0)):
        checks.built("AdversarialTraining", model)
        super().__init__(name=f"adversarial_{model.name}")
        who = "AdversarialTraining"
        inputs.differentiable(who, model)
        self.epsilon = checks.number(who, "epsilon", epsilon, least=0)
        self.alpha = checks.number(who, "alpha", alpha, least=0, most=1)
        self.box = inputs.box(who, bounds)
        self.model = model
        self.built = True

    def call(self, x, training=None):
        return self.model(x, training=training)

    def get_config(self):
        bounds = [np.asarray(bound).tolist() for bound in self.box]
        return {
            "model": keras.saving.serialize_keras_object(self.model),
            "epsilon": self.epsilon,
            "alpha": self.alpha,
            "bounds": bounds,
        }

    @classmethod
    def from_config(cls, config):
        model = keras.saving.deserialize_keras_object(config["model"])
        return cls(**{**config, "model": model})

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """The mixed objective in training, the plain loss otherwise."""
        plain = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training:
            return plain
        x = ops.cast(x, "float32")
        low, high = self.box
        slack = 1e-6 * (high - low)  # where images and bounds were rounded apart
        inside = ops.all((x >= low - slack) & (x <= high + slack))
        told = f"AdversarialTraining {inputs.told(self.box)}"
        gradients.demand(inside, told, ops.min(x), ops.max(x))

        def loss(logits):
            return super(AdversarialTraining, self).compute_loss(
                x, y, logits, sample_weight, False
            )

        def number(x):
            return gradients.through(self.model(x, training=False), loss)[0]

        step = self.epsilon * ops.sign(gradients.slope(number, x))
        attacked = ops.stop_gradient(ops.clip(x + step, self.box.low, self.box.high))
        logits = self.model(attacked, training=True)
        attacked_loss = super().compute_loss(
            attacked, y, logits, sample_weight, training
        )
        mixed = self.alpha * plain + (1 - self.alpha) * attacked_loss
        return ops.where(inside, mixed, float("nan"))
