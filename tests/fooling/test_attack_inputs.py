"""What every attack refuses, asked of each of them."""

import foolable as nets
import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import checks, fooling

ATTACKS = {
    "fgsm": lambda model, x, y, **k: fooling.fgsm(model, x, y, 0.1, **k),
    "pgd": lambda model, x, y, **k: fooling.pgd(model, x, y, 0.1, steps=1, **k),
    "lbfgs": lambda model, x, y, **k: fooling.lbfgs(
        model, x, y, **{"targets": (np.asarray(y) + 1) % 4, **k}
    ),
    "robustness": lambda model, x, y, **k: fooling.robustness(model, x, y, **k),
    "linearity": lambda model, x, y, **k: fooling.linearity(
        model, x, y, [-1, 0, 1], **k
    ),
}
TARGETED = ["fgsm", "pgd", "lbfgs"]
X, Y = nets.some(0)


@pytest.fixture(params=ATTACKS)
def attack(request):
    return lambda *args, **k: ATTACKS[request.param](*args, **k)


def refuse(attack, kind, message, model=None, x=X, y=Y, **settings):
    with pytest.raises(kind, match=message) as caught:
        attack(model or nets.bent(), x, y, **settings)
    assert "\n" not in str(caught.value)


class OneBlack(fooling.Direct):
    """Begins with grey images, the ninth of which is black."""

    def first(self, n, shape, rng):
        genomes = np.full((n, int(np.prod(shape))), 0.5, "float32")
        genomes[8] = 0
        return genomes


def headed(*head, classes=4):
    return keras.Sequential(
        [keras.Input((6, 6, 1)), layers.Flatten(), layers.Dense(classes), *head],
        name="net",
    )


@pytest.mark.parametrize(
    "head", [layers.Softmax, lambda: layers.Dense(4, activation="softmax")]
)
def test_a_softmax_is_noticed_and_the_way_to_logits_shown(attack, head):
    message = r"takes logits, and 'net' ends in a softmax.*activation=None.*set_weights"
    refuse(attack, ValueError, message, headed(head()))


def test_a_softmax_is_noticed_where_it_is_quite_sure():
    model = headed(layers.Softmax())
    model.layers[1].set_weights([np.zeros((36, 4)), 1e4 * np.eye(4)[0]])
    with pytest.raises(ValueError, match="ends in a softmax"):
        fooling.fgsm(model, X, Y, 0.1)


def test_a_softmax_of_half_precision_is_noticed():
    """Its outputs add up to 1 to three digits."""
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Flatten(),
            layers.Dense(4),
            layers.Lambda(lambda z: keras.ops.softmax(z), dtype="bfloat16"),
            layers.Lambda(lambda z: keras.ops.cast(z, "float32"), dtype="float32"),
        ]
    )
    sums = np.asarray(model(X)).sum(axis=1)
    assert 1e-5 < np.abs(sums - 1).max() < 4e-3
    with pytest.raises(ValueError, match="ends in a softmax"):
        fooling.fgsm(model, X, Y, 0.1)


def test_a_softmax_is_noticed_where_no_layer_is_called_so():
    image = keras.Input((6, 6, 1))
    z = layers.Dense(4)(layers.Flatten()(image))
    model = keras.Model(image, keras.ops.softmax(z, axis=-1), name="net")
    nested = keras.Sequential([keras.Input((6, 6, 1)), model], name="outer")
    for n in (1, 5):
        with pytest.raises(ValueError, match="ends in a softmax"):
            fooling.fgsm(nested, X[:n], Y[:n], 0.1)


def test_logits_that_add_up_to_one_by_chance_are_no_softmax():
    weights = np.zeros((36, 2))
    weights[0, 0] = 1
    model = nets.straight(weights)
    x = X.copy()
    x[:, 0, 0] = 1  # logits (1, 0) for all of these images
    fooling.fgsm(model, x, 0, 0.1)


def test_a_model_sees_nothing_out_of_the_range():
    seen = []

    class Watching(layers.Layer):
        def call(self, x):
            if checks.visible(x) is not None:
                seen.append((float(keras.ops.min(x)), float(keras.ops.max(x))))
            return x

    model = keras.Sequential(
        [keras.Input((6, 6, 1)), Watching(), layers.Flatten(), layers.Dense(4)]
    )
    for low, high in ((0, 1), (-3, 2)):
        fooling.fgsm(model, low + (high - low) * X, Y, 0.1, bounds=(low, high))
        lows, highs = zip(*seen, strict=True)
        assert low <= min(lows) <= max(highs) <= high
        seen.clear()


def test_one_class_is_none_to_be_fooled_into(attack):
    refuse(attack, ValueError, "at least two classes; 'net' has one", headed(classes=1))


def test_a_map_of_logits_is_no_classifier(attack):
    maps = keras.Sequential([keras.Input((6, 6, 1)), layers.Conv2D(4, 3)], name="net")
    refuse(
        attack, ValueError, r"logits \(n, classes\); 'net' gives \(10, 4, 4, 4\)", maps
    )


def test_two_inputs_are_one_too_many(attack):
    a, b = keras.Input((6, 6, 1)), keras.Input((6, 6, 1))
    both = layers.Dense(4)(layers.Flatten()(layers.add([a, b])))
    model = keras.Model([a, b], both, name="net")
    refuse(attack, ValueError, "one input; 'net' has 2", model)


def test_the_advice_for_whole_numbers_keeps_to_their_range(attack):
    message = r"bounds=\(0, 255\) as floats; given uint8: take x.astype\('float32'\)$"
    x = (255 * X).astype("uint8")
    refuse(attack, TypeError, message, x=x, bounds=(0, 255))


def test_whole_numbers_are_no_images(attack):
    message = r"inputs within bounds=\(0, 1\) as floats; given uint8: rescale"
    refuse(attack, TypeError, message, x=(255 * X).astype("uint8"))


@pytest.mark.parametrize("value", [-0.5, 1.5, np.nan])
def test_images_out_of_their_range_are_refused(attack, value):
    x = X.copy()
    x[2, 3, 3] = value
    refuse(attack, ValueError, r"inputs within bounds=\(0, 1\); given values", x=x)


def test_the_range_is_the_declared_one(attack):
    message = r"within bounds=\(0.1, 2\); given values from 0 to 1"
    refuse(attack, ValueError, message, bounds=(0.1, 2))


def test_of_a_range_for_each_channel_the_ends_are_told(attack):
    bounds = (0.1, np.array([[2.0], [3.0], [2.0], [2.0], [2.0], [2.0]]))
    refuse(attack, ValueError, r"within bounds=\(0.1, 3\); given", bounds=bounds)


def test_a_model_is_left_as_it_was(attack):
    image = keras.Input((6, 6, 1))
    x = layers.BatchNormalization()(layers.Dropout(0.5)(image))
    model = keras.Model(image, layers.Dense(4)(layers.Flatten()(x)))
    before = [np.array(variable) for variable in model.variables]
    attack(model, X, Y)
    for one, other in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(one, other)


NO_BOUNDS = [(1, 0), (0, 0), 1, (0, np.inf), (-3e38, 3e38), (0, 1, 2), "ab"]


@pytest.mark.parametrize("bounds", NO_BOUNDS)
def test_bounds_that_are_none_are_refused(attack, bounds):
    refuse(attack, ValueError, r"takes bounds=\(low, high\)", bounds=bounds)


def test_bounds_that_fit_no_input_are_refused(attack):
    refuse(attack, ValueError, "bounds that fit an input", bounds=(np.zeros(5), 1))


@pytest.mark.parametrize("x", [X[0], X[:0], X[:, :5], X[..., 0]])
def test_another_shape_than_the_models_is_refused(attack, x):
    message = r"a batch of shape \(n, 6, 6, 1\), n at least 1; given \("
    refuse(attack, ValueError, message, x=x)


@pytest.mark.parametrize("y", [Y[:4], np.eye(4, dtype=int)[Y], Y[:, None]])
def test_labels_of_the_wrong_shape_are_refused(attack, y):
    refuse(attack, ValueError, r"y of shape \(5,\), one class per image; given", y=y)


@pytest.mark.parametrize("y", [[0, 1, 2, 3, 4], [-1, 0, 0, 0, 0]])
def test_labels_that_are_no_class_are_refused(attack, y):
    refuse(attack, ValueError, "y from 0 to 3; given", y=y)


def test_labels_that_are_no_whole_numbers_are_refused(attack):
    refuse(attack, TypeError, "whole numbers.*given float", y=Y.astype(float))


@pytest.mark.parametrize("name", TARGETED)
def test_a_target_equal_to_the_true_class_is_refused(name):
    targets = (Y + 1) % 4
    targets[3] = Y[3]
    message = rf"{name} takes targets other than the true class; image 3 is of class"
    refuse(ATTACKS[name], ValueError, message, targets=targets)


@pytest.mark.parametrize("name", TARGETED)
def test_targets_are_checked_like_labels(name):
    attack = ATTACKS[name]
    refuse(attack, ValueError, r"targets of shape \(5,\)", targets=[1, 2])
    refuse(attack, ValueError, "targets from 0 to 3; given 7", targets=7)
    refuse(attack, TypeError, "targets as whole numbers", targets=0.5)


@pytest.mark.parametrize("size", [-0.1, np.nan, np.inf, "big", None])
def test_an_epsilon_below_zero_is_refused(size):
    message = "takes epsilon from 0; given"
    for attack in (fooling.fgsm, fooling.pgd, fooling.AdversarialTraining):
        with pytest.raises(ValueError, match=message):
            attack(
                nets.bent(),
                *(X, Y, size)[-1 if attack is fooling.AdversarialTraining else 0 :],
            )
    with pytest.raises(ValueError, match=message):
        fooling.robustness(nets.bent(), X, Y, epsilons=[0.1, size])


def test_what_is_refused_is_not_attacked(monkeypatch):
    calls = []
    model = nets.bent()
    monkeypatch.setattr(
        "cnnlib.fooling.gradient_attacks.input_gradient", lambda *a: calls.append(a)
    )
    with pytest.raises(ValueError, match="y of shape"):
        fooling.pgd(model, X, Y[:3], 0.1)
    assert calls == []


def test_a_sigmoid_for_each_class_is_noticed(attack):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras remembers what came out of a sigmoid on TensorFlow alone")
    message = "takes logits; given what a softmax or a sigmoid makes"
    refuse(attack, ValueError, message, headed(layers.Activation("sigmoid")))


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_a_model_of_whole_numbers_has_no_gradient_to_follow(attack, dtype):
    image = keras.Input((6, 6, 1), dtype=dtype)
    flat = layers.Flatten()(layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, layers.Dense(4)(flat), name="net")
    message = f"model of float inputs, which have gradients; 'net' takes {dtype}"
    x = np.round(255 * X)
    refuse(attack, ValueError, message, model, x, bounds=(0, 255))


def test_a_model_that_has_diverged_is_refused(attack):
    model = headed()
    model.set_weights([np.full(w.shape, np.nan) for w in model.get_weights()])
    refuse(attack, ValueError, "takes finite logits of 'net'; some values are", model)


def test_a_gradient_that_is_no_number_is_refused(attack):
    root = layers.Activation(lambda x: keras.ops.sqrt(x * x))  # at 0, 0 times infinity
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), root, layers.Flatten(), layers.Dense(4)], name="net"
    )
    refuse(attack, ValueError, "takes finite gradients of 'net'; some values", model)


def test_along_the_sign_a_slope_may_be_infinite():
    root = layers.Activation(keras.ops.sqrt)
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), root, layers.Flatten(), layers.Dense(4)], name="net"
    )
    assert (X == 0).any()
    steps = np.abs(fooling.fgsm(model, X, Y, 0.1, bounds=(-1, 2)) - X)
    np.testing.assert_allclose(steps, 0.1, rtol=1e-6)
    with pytest.raises(ValueError, match="pgd takes finite gradients of 'net'"):
        fooling.pgd(model, X, Y, 0.1, norm="l2")


@pytest.mark.parametrize("name", ["robustness", "linearity", "evolve"])
def test_logits_of_a_later_image_that_are_no_numbers_are_refused(name):
    logarithm = layers.Activation(keras.ops.log)
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), logarithm, layers.Flatten(), layers.Dense(4)],
        name="net",
    )
    x = np.full((9, 6, 6, 1), 0.5, "float32")
    x[8] = 0.1
    attacks = {
        "robustness": lambda: fooling.robustness(model, x, 0, epsilons=[0.2]),
        "linearity": lambda: fooling.linearity(model, x, 0, [-0.2, 0, 0.2]),
        "evolve": lambda: fooling.evolve(model, OneBlack(), generations=0),
    }
    with pytest.raises(ValueError, match=f"{name} takes finite logits of 'net'; some"):
        attacks[name]()
