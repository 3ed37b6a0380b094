"""How loo.txt was made: by ArviZ (0.21), from log likelihoods that the formula below gives in the test as well.

Each block: observation, relative efficiency, then k, elpd_loo of it; at the end the totals of loo and waic."""
import math
import arviz as az
import numpy as np

chains, draws, n = 4, 250, 6

def unit(i):  # a fraction that needs no generator
    z = (i * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03) & (2**64 - 1)
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
    return ((z ^ (z >> 31)) >> 11) * 2.0**-53 + 2.0**-54

ll = np.empty((chains, draws, n))
for k in range(n):  # heavier tails of 1 / p from one to the next: exponent of a Pareto variable
    for s in range(chains * draws):
        ll[s // draws, s % draws, k] = -1.5 + 0.15 * (k + 1) * math.log(unit(s + 5000 * k))
for reff in (1.0, 0.4):
    lw, k = az.psislw(-ll.reshape(chains * draws, n).T.copy(), reff)
    for i in range(n):
        flat = ll[:, :, i].ravel()
        x = lw[i] + flat
        e = x.max() + math.log(np.exp(x - x.max()).sum())
        print(i, repr(reff), repr(float(k[i])), repr(float(e)))
data = az.from_dict(posterior={"mu": np.zeros((chains, draws))}, log_likelihood={"y": ll})
loo = az.loo(data, reff=1.0, pointwise=True)
waic = az.waic(data, pointwise=True)
print("loo", repr(float(loo.elpd_loo)), repr(float(loo.se)), repr(float(loo.p_loo)))
print("waic", repr(float(waic.elpd_waic)), repr(float(waic.se)), repr(float(waic.p_waic)))
