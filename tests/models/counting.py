"""Parameters counted by hand, layer by layer as a paper lists them."""


class Count:
    """``trained`` parameters of layers, and ``total``, with moving statistics."""

    def __init__(self):
        self.trained = self.total = 0

    def conv(self, size, given, made):
        """A square window from ``given`` to ``made`` maps, with biases."""
        self.trained += size * size * given * made + made
        self.total += size * size * given * made + made

    def norm(self, maps):
        """Batch normalization: two that are trained and two that move for each map."""
        self.trained += 2 * maps
        self.total += 4 * maps
