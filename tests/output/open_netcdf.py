"""Opens a file of `aimc run -o` with the real ArviZ and looks whether all is where ArviZ wants it."""
import sys

import arviz

d = arviz.from_netcdf(sys.argv[1])
assert set(d.groups()) == {"posterior", "sample_stats", "posterior_predictive", "log_likelihood", "observed_data", "constant_data"}, d.groups()
assert d.posterior["alpha"].dims == ("chain", "draw", "county")
assert list(d.posterior["county"].values) == ["East", "North", "West"]
assert d.posterior_predictive["y"].shape == (4, 1000, 7)
assert d.observed_data["y"].values[0] == 1.1
assert list(d.constant_data["county"].values[:2]) == ["East", "West"]
assert d.sample_stats["diverging"].dtype == bool
assert d.posterior.attrs["inference_library"] == "AIM"
s = arviz.summary(d)
assert (s["r_hat"] < 1.1).all()
assert arviz.loo(d).n_data_points == 7
arviz.bfmi(d)
