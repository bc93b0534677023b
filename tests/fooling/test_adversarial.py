import foolable as nets
import keras
import numpy as np
import pytest
from keras import layers

from cnnlib.fooling import AdversarialTraining, fgsm

CE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def test_one_step_descends_the_mixed_objective():
    """Logistic regression: the gradient of both terms by hand, on FGSM's images."""
    model, (x, y) = nets.straight(nets.numbers(36, 4)), nets.some(0)
    size, alpha, rate = 0.1, 0.3, 0.5
    before = np.array(model.layers[-1].kernel)
    attacked = fgsm(model, x, y, size)

    def slope(x):
        z = nets.logits(model, x).astype("float64")
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return x.reshape(5, -1).T @ (p - np.eye(4)[y]) / 5

    expected = before - rate * (alpha * slope(x) + (1 - alpha) * slope(attacked))
    trainer = AdversarialTraining(model, size, alpha=alpha)
    trainer.compile(keras.optimizers.SGD(rate), CE)
    trainer.fit(x, y, batch_size=5, verbose=0)
    np.testing.assert_allclose(np.array(model.layers[-1].kernel), expected, atol=1e-5)
    assert np.abs(expected - before).max() > 0.01


def test_the_loss_of_a_step_is_the_mixed_one():
    model, (x, y) = nets.bent(), nets.some(0)
    attacked = fgsm(model, x, y, 0.1)
    plain, worse = (float(CE(y, model(images))) for images in (x, attacked))
    assert worse > plain + 0.01
    for alpha in (0, 0.5, 1):
        trainer = AdversarialTraining(model, 0.1, alpha=alpha)
        trainer.compile(keras.optimizers.SGD(0.0), CE)
        loss = trainer.fit(x, y, batch_size=5, verbose=0).history["loss"][0]
        assert loss == pytest.approx(alpha * plain + (1 - alpha) * worse, rel=1e-4)
        assert trainer.evaluate(x, y, verbose=0) == pytest.approx(plain, rel=1e-4)


def test_where_the_loss_is_flat_no_pixel_moves():
    keras.utils.set_random_seed(0)
    asleep = layers.ReLU(threshold=0.5)
    model = keras.Sequential([keras.Input((3,)), asleep, layers.Dense(2)])
    x, y = np.full((4, 3), 0.2, "float32"), np.array([0, 1, 0, 1])
    trainer = AdversarialTraining(model, 0.1, alpha=0)
    trainer.compile(keras.optimizers.SGD(0.0), CE)
    loss = trainer.fit(x, y, batch_size=4, verbose=0).history["loss"][0]
    assert loss == pytest.approx(np.log(2), rel=1e-5)


def test_it_trains_the_model_itself_and_makes_it_robust(digits):
    x, y, x_test, y_test = digits
    size, right = 0.15, {}
    for kind in ("plain", "adversarial"):
        model = nets.untrained(3)
        trainer = model if kind == "plain" else AdversarialTraining(model, size)
        nets.compiled(trainer).fit(x, y, batch_size=64, epochs=4, verbose=0)
        found = fgsm(model, x_test, y_test, size)
        right[kind] = np.mean(nets.predicted(model, found) == y_test)
        assert np.mean(nets.predicted(model, x_test) == y_test) > 0.8
    assert right["adversarial"] > right["plain"] + 0.2


def test_attacks_are_made_from_the_weights_of_the_moment():
    """Two batches in one epoch: the second is attacked after the first step."""
    model, (x, y) = nets.bent(), nets.some(0, n=8)
    same = nets.bent()
    trainer = AdversarialTraining(model, 0.2, alpha=0)
    trainer.compile(keras.optimizers.SGD(0.5), CE)
    trainer.fit(x, y, batch_size=4, shuffle=False, verbose=0)
    same.compile(keras.optimizers.SGD(0.5), CE)
    for part in (slice(0, 4), slice(4, 8)):
        same.train_on_batch(fgsm(same, x[part], y[part], 0.2), y[part])
    for a, b in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_attacks_stay_in_the_box():
    """Straight logits, a step far beyond the box: the loss is that of its corners."""
    weights = nets.numbers(36, 2)
    model, (x, _) = nets.straight(weights), nets.some(0)
    y = np.array([0, 1, 0, 0, 1])
    low, high = -0.5, 1.25
    towards = (weights[:, 1 - y] - weights[:, y]).T.reshape(x.shape)
    corners = np.where(towards > 0, high, low).astype("float32")
    trainer = AdversarialTraining(model, 5.0, alpha=0, bounds=(low, high))
    trainer.compile(keras.optimizers.SGD(0.0), CE)
    loss = trainer.fit(x, y, batch_size=5, verbose=0).history["loss"][0]
    assert loss == pytest.approx(float(CE(y, model(corners))), rel=1e-4)


def test_it_trains_step_by_step_without_being_compiled():
    model, (x, y) = nets.bent(), nets.some(0)
    trainer = AdversarialTraining(model, 0.1)
    trainer.compile("sgd", CE, run_eagerly=True)
    before = model.get_weights()
    trainer.train_on_batch(x, y)
    assert np.abs(model.get_weights()[0] - before[0]).max() > 0


def test_dropout_and_batch_statistics_work_in_it():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(4, kernel_regularizer=keras.regularizers.L2(0.1)),
        ]
    )
    x, y = nets.some(0, n=16)
    trainer = nets.compiled(AdversarialTraining(model, 0.1))
    history = trainer.fit(x, y, batch_size=8, epochs=5, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert history["loss"][-1] < history["loss"][0]
    assert np.abs(np.array(model.layers[1].moving_mean)).max() > 0


def test_both_terms_see_the_model_as_in_training():
    """Each moves the batch statistics by half: by the images, then by their attacks."""
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.BatchNormalization(momentum=0.5),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )
    x, y = nets.some(0)
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    twin(x, training=True)
    attacked = fgsm(twin, x, y, 0.3)
    trainer = AdversarialTraining(model, 0.3)
    trainer.compile(keras.optimizers.SGD(0.0), CE)
    trainer.fit(x, y, batch_size=5, verbose=0)
    expected = x.mean() / 4 + attacked.mean() / 2
    assert abs(attacked.mean() - x.mean()) > 1e-3
    mean = np.array(model.layers[0].moving_mean)
    np.testing.assert_allclose(mean, [expected], rtol=1e-4)


def test_one_hot_labels_and_sample_weights_are_the_losses_business():
    x, y = nets.some(0)
    weights = []
    for hot in (False, True):
        model = nets.bent()
        loss = keras.losses.CategoricalCrossentropy(from_logits=True) if hot else CE
        trainer = AdversarialTraining(model, 0.1)
        trainer.compile(keras.optimizers.SGD(0.5), loss)
        labels = np.eye(4, dtype="float32")[y] if hot else y
        keep = np.array([1.0, 0, 1, 0, 0], "float32")
        trainer.fit(x, labels, sample_weight=keep, batch_size=5, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    nothing = nets.bent()
    trainer = AdversarialTraining(nothing, 0.1)
    trainer.compile(keras.optimizers.SGD(0.5), CE)
    trainer.fit(x, y, sample_weight=np.zeros(5, "float32"), verbose=0)
    for a, b in zip(nothing.get_weights(), nets.bent().get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_whole_numbers_are_taken_as_floats():
    x, y = nets.some(0)
    weights, x = [], np.round(255 * x)
    for kind in ("float32", "uint8"):
        model = nets.bent()
        trainer = AdversarialTraining(model, 8, bounds=(0, 255))
        nets.compiled(trainer).fit(x.astype(kind), y, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("x", [255, -0.1])
def test_images_out_of_the_box_are_refused_in_fit(x):
    trainer = nets.compiled(AdversarialTraining(nets.bent(), 0.1))
    images, y = nets.some(0)
    images[2, 3, 3] = x
    trainer.evaluate(images, y, verbose=0)  # nothing is attacked
    with pytest.raises(Exception, match=r"inputs within bounds=\(0, 1\)"):
        trainer.fit(images, y, verbose=0)


def test_the_ends_of_images_out_of_the_box_are_told_in_their_order():
    trainer = nets.compiled(AdversarialTraining(nets.bent(), 0.1))
    trainer.run_eagerly = True
    images, y = nets.some(0)
    images[:2, 3, 3, 0] = -0.5, 7
    with pytest.raises(ValueError, match=r"bounds=\(0, 1\); given -0.5 to 7"):
        trainer.fit(images, y, verbose=0)


def test_images_may_leave_the_box_by_rounding():
    trainer = nets.compiled(AdversarialTraining(nets.bent(), 0.1))
    images, y = nets.some(0)
    images[2, 3, 3] = np.nextafter(np.float32(1), np.float32(2))
    assert np.isfinite(trainer.train_on_batch(images, y)).all()
    trainer = nets.compiled(AdversarialTraining(nets.bent(), 8, bounds=(0, 255)))
    images[2, 3, 3] = 255.0001  # of rounding on that scale; 255.01 would be none
    assert np.isfinite(trainer.train_on_batch(images, y)).all()
    trainer = nets.compiled(AdversarialTraining(nets.bent(), 0.1, bounds=(-1, 1)))
    images[2, 3, 3] = np.nextafter(np.float32(1), np.float32(2))
    assert np.isfinite(trainer.train_on_batch(images, y)).all()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX drops none")
def test_the_loss_of_images_out_of_the_box_is_nan_where_checks_are_dropped():
    trainer = AdversarialTraining(nets.bent(), 0.1)
    trainer.compile("sgd", CE, jit_compile=True)
    x, y = nets.some(0)
    losses = [trainer.train_on_batch(x, y), trainer.train_on_batch(255 * x, y)]
    assert np.isfinite(losses[0])
    assert np.isnan(losses[1])


def test_a_model_of_whole_numbers_is_refused():
    image = keras.Input((6, 6, 1), dtype="uint8")
    model = keras.Model(image, layers.Dense(4)(layers.Flatten()(image)), name="net")
    with pytest.raises(ValueError, match=r"of float inputs.* 'net' takes uint8"):
        AdversarialTraining(model, 8, bounds=(0, 255))


def test_bad_settings_are_refused():
    model = nets.bent()
    with pytest.raises(ValueError, match="alpha from 0 to 1; given 2"):
        AdversarialTraining(model, 0.1, alpha=2)
    with pytest.raises(ValueError, match=r"takes bounds=\(low, high\)"):
        AdversarialTraining(model, 0.1, bounds=(1, 0))
    with pytest.raises(ValueError, match="'net' has no weights yet"):
        AdversarialTraining(keras.Sequential([layers.Dense(2)], name="net"), 0.1)


def test_a_checkpoint_of_it_comes_back_and_training_goes_on(tmp_path):
    x, y = nets.some(0)
    trainer = AdversarialTraining(nets.bent(), 0.2, alpha=0.25, bounds=(-1, 2))
    trainer.compile(keras.optimizers.SGD(0.3, momentum=0.9), CE)
    path = str(tmp_path / "adversarial.keras")
    keep = keras.callbacks.ModelCheckpoint(path)
    trainer.fit(x, y, epochs=2, callbacks=[keep], verbose=0)
    again = keras.models.load_model(path)
    assert (again.epsilon, again.alpha) == (0.2, 0.25)
    assert [float(bound) for bound in again.box] == [-1, 2]
    for one in (trainer, again):
        one.fit(x, y, epochs=2, batch_size=5, shuffle=False, verbose=0)
    for a, b in zip(trainer.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def sure(policy, lead):
    """Two logits far apart, whose softmax half floats take for certain."""
    with_policy = keras.dtype_policies.DTypePolicy(policy)
    dense = layers.Dense(2, use_bias=False, dtype=with_policy)
    model = keras.Sequential([keras.Input((3,)), dense])
    dense.set_weights([lead * np.outer([1.0, 2, -0.5], [1, -1]) / 2.5])
    return model


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_in_half_precision_a_sure_network_is_attacked_too(policy):
    """The attack lowers the plain loss' logit by ε · ‖w‖₁; seen in the mixed loss."""
    lead, size = 18.0, 0.25
    model = sure(policy, lead)
    x, y = np.full((4, 3), 0.5, "float32"), np.zeros(4, "int32")
    trainer = AdversarialTraining(model, size, alpha=0)
    trainer.compile(keras.optimizers.SGD(0.0), CE)
    loss = trainer.fit(x, y, batch_size=4, verbose=0).history["loss"][0]
    attacked = lead * (1 - size * 3.5 / 1.25)
    assert loss == pytest.approx(np.log1p(np.exp(-attacked)), rel=0.1)


def test_it_is_called_after_the_model_that_it_trains():
    model = nets.bent()
    assert AdversarialTraining(model, 0.1).name == f"adversarial_{model.name}"
