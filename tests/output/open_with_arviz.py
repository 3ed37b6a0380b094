"""Opens two CSV files of test_vm_output.c with ArviZ and checks what arrives against the values written there."""
import sys
import arviz
import numpy as np

data = arviz.from_cmdstan(sys.argv[1:])
posterior, stats = data.posterior, data.sample_stats
odd = [0.1, -1e-300, 1e22, 1.0 / 3, -0.0, 12345678.9]


def value(row, column):
    if (row, column) == (1, 2):
        return -np.inf
    return np.nan if (row, column) == (2, 3) else odd[(row + column) % 6]


assert dict(posterior.sizes)["chain"] == 2 and dict(posterior.sizes)["draw"] == 3, posterior.sizes
assert posterior["theta"].shape == (2, 3, 3) and posterior["Sigma"].shape == (2, 3, 2, 3)
for row in range(3):
    assert posterior["mu"].values[0, row] == value(row, 0)
    for i in range(3):
        np.testing.assert_array_equal(posterior["theta"].values[0, row, i], value(row, 1 + i))
    for i in range(2):
        for j in range(3):
            np.testing.assert_array_equal(posterior["Sigma"].values[0, row, i, j], value(row, 4 + i + 2 * j))
assert (stats["lp"].values == -7.25).all() and (stats["tree_depth"].values == 2).all() and not stats["diverging"].values.any()
