import foolable as nets
import pytest


@pytest.fixture(scope="session")
def digits():
    return nets.digits()


@pytest.fixture(scope="session")
def trained(digits):
    """A small network that knows the 8×8 digits."""
    x, y, _, _ = digits
    model = nets.compiled(nets.untrained())
    model.fit(x, y, batch_size=64, epochs=4, verbose=0)
    return model
