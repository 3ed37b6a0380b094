#!/usr/bin/env python3
"""Makes densities.txt: log densities of scalar distributions and their derivatives, by mpmath with 420 digits.

Each distribution is a list of terms whose sum is its log density; a pair is a difference that counts as one term of the density, which keeps its digits,
and as two of a derivative.  A line of the table is

    parameters  x  value  size  (derivative  size)...

under a heading `call: kinds of parameters, kind of x, rows`.  value is the sum of the terms and size that of their absolute values; the derivatives follow, in
every real parameter and, of a continuous distribution, in x, each again with the sum of the absolute derivatives of the terms.  The first rows have points in the mass, in both tails and far out; the others stand at
extremes of parameters and of x, at most EXTREMES of the product of those that are listed for each kind.  The table is kept, so building and testing need neither
Python nor mpmath:  python3 make_densities.py > densities.txt"""
import random
from itertools import product
from mpmath import mp, mpf, log, log1p, exp, loggamma, pi, sin, besseli, erfc, sqrt

mp.dps = 420
EXTREMES = 40
L2PI = log(2 * pi) / 2


def lphi(x):
    """log Phi(x); below -1e8, where erfc of mpmath gives up, by the asymptotic series."""
    if x > 1e8:
        return mpf(0)
    if x > 0:
        return log1p(-erfc(x / sqrt(2)) / 2)
    if x > -1e8:
        return log(erfc(-x / sqrt(2)) / 2)
    t = s = mpf(1)
    for k in range(1, 12):
        t *= -(2 * k - 1) / x**2
        s += t
    return -x**2 / 2 - log(-x) - L2PI + log(s)


def sp(x):
    return log1p(exp(x))


def step(a, n, sign=1):
    """log Gamma(a + n) - log Gamma(a): a pair where the two are large."""
    t = (sign * loggamma(a + n), -sign * loggamma(a))
    return [t] if a > 32 else list(t)


def choose(n, k):
    k = min(k, n - k)
    return step(n - k + 1, k) + [-loggamma(k + 1)]


def z_of(x, p):
    return (x - p[0]) / p[1]


def tee(nu, z):
    return step(nu / 2, mpf(1) / 2) + [-log(nu * pi) / 2, -(nu + 1) / 2 * log1p(z * z / nu)]


def nb(x, a, lp, lq):
    return step(a, x) + [-loggamma(x + 1), a * lp, tuple(x * t for t in lq) if isinstance(lq, tuple) else x * lq]


# Call (a plain name takes its parameters in order), terms, kinds of parameters, kind of x: r real, s scale, t scale of what is raised to a power, q rate or
# shape, h shape where the density takes logarithms apart, d degrees of freedom, m and k as their extremes say, p probability, l log rate, a real without scale,
# g angle, u upper end, n integer
D = [
    ("Normal", lambda x, p: [-z_of(x, p)**2 / 2, -log(p[1]), -L2PI], "rs", "real"),
    ("HalfNormal", lambda x, p: [-(x / p[0])**2 / 2, -log(p[0]), log(2) - L2PI], "s", "pos"),
    ("Cauchy", lambda x, p: [-log1p(z_of(x, p)**2), -log(p[1]), -log(pi)], "rs", "real"),
    ("HalfCauchy", lambda x, p: [-log1p((x / p[0])**2), -log(p[0]), log(2 / pi)], "s", "pos"),
    ("StudentT", lambda x, p: tee(p[0], (x - p[1]) / p[2]) + [-log(p[2])], "drs", "real"),
    ("HalfStudentT", lambda x, p: tee(p[0], x / p[1]) + [-log(p[1]), log(2)], "ds", "pos"),
    ("LogNormal", lambda x, p: [-((log(x) - p[0]) / p[1])**2 / 2, -log(x), -log(p[1]), -L2PI], "rs", "pos"),
    ("Exponential", lambda x, p: [log(p[0]), -p[0] * x], "q", "pos"),
    ("Gamma", lambda x, p: [p[0] * log(p[1]), -loggamma(p[0]), (p[0] - 1) * log(x), -p[1] * x], "qq", "pos"),
    ("InvGamma", lambda x, p: [p[0] * log(p[1]), -loggamma(p[0]), -(p[0] + 1) * log(x), -p[1] / x], "qq", "pos"),
    ("Beta", lambda x, p: [loggamma(p[0] + p[1]), -loggamma(p[0]), -loggamma(p[1]), (p[0] - 1) * log(x), (p[1] - 1) * log1p(-x)], "qq", "unit"),
    ("Laplace", lambda x, p: [-abs(x - p[0]) / p[1], -log(p[1]), -log(2)], "rs", "real"),
    ("Logistic", lambda x, p: [-sp(z_of(x, p)), -sp(-z_of(x, p)), -log(p[1])], "rs", "real"),
    ("Gumbel", lambda x, p: [-z_of(x, p), -exp(-z_of(x, p)), -log(p[1])], "rs", "real"),
    ("ExpModNormal", lambda x, p: [log(p[2]), (p[1] * p[2])**2 / 2, -p[2] * (x - p[0]), lphi(z_of(x, p) - p[1] * p[2])], "rsm", "real"),
    ("SkewNormal", lambda x, p: [-z_of(x, p)**2 / 2, -log(p[1]), log(2) - L2PI, lphi(p[2] * z_of(x, p))], "rsa", "real"),
    ("ChiSquared", lambda x, p: [(p[0] / 2 - 1) * log(x), -x / 2, -loggamma(p[0] / 2), -p[0] / 2 * log(2)], "d", "pos"),
    ("InvChiSquared", lambda x, p: [-(p[0] / 2 + 1) * log(x), -1 / (2 * x), -loggamma(p[0] / 2), -p[0] / 2 * log(2)], "d", "pos"),
    ("ScaledInvChiSquared", lambda x, p: [p[0] / 2 * log(p[0] / 2), -loggamma(p[0] / 2), p[0] * log(p[1]), -(p[0] / 2 + 1) * log(x), -p[0] / 2 * p[1]**2 / x], "ds", "pos"),
    ("Weibull", lambda x, p: [log(p[0]), -log(p[1]), (p[0] - 1) * log(x / p[1]), -(x / p[1])**p[0]], "qt", "pos"),
    ("Frechet", lambda x, p: [log(p[0]), -log(p[1]), (p[0] + 1) * log(p[1] / x), -(p[1] / x)**p[0]], "ht", "pos"),
    ("Pareto", lambda x, p: [log(p[0]), p[0] * log(p[1]), -(p[0] + 1) * log(x)], "qs", "above"),
    ("Rayleigh", lambda x, p: [log(x), -2 * log(p[0]), -(x / p[0])**2 / 2], "s", "pos"),
    ("LogLogistic", lambda x, p: [log(p[0]), -log(p[1]), (p[0] - 1) * log(x / p[1]), -2 * sp(p[0] * log(x / p[1]))], "ht", "pos"),
    ("VonMises", lambda x, p: [-2 * p[1] * sin((x - p[0]) / 2)**2, -2 * L2PI, -log(besseli(0, p[1]) * exp(-p[1]))], "gk", "angle"),
    ("Uniform", lambda x, p: [-log(p[1] - p[0])], "ru", "between"),
    ("Bernoulli", lambda x, p: [log(p[0]) if x else log1p(-p[0])], "p", "bool"),
    ("Bernoulli(logit = p0[i])", lambda x, p: [-sp(-p[0]) if x else -sp(p[0])], "a", "bool"),
    ("Poisson", lambda x, p: [x * log(p[0]), -p[0], -loggamma(x + 1)], "q", "count"),
    ("Poisson(log = p0[i])", lambda x, p: [x * p[0], -exp(p[0]), -loggamma(x + 1)], "l", "count"),
    ("Binomial", lambda x, p: choose(p[0], x) + [x * log(p[1]), (p[0] - x) * log1p(-p[1])], "np", "upto"),
    ("Binomial(p0[i], logit = p1[i])", lambda x, p: choose(p[0], x) + [-x * sp(-p[1]), -(p[0] - x) * sp(p[1])], "na", "upto"),
    ("BetaBinomial", lambda x, p: choose(p[0], x) + step(p[1], x) + step(p[2], p[0] - x) + step(p[1] + p[2], p[0], -1), "nqq", "upto"),
    ("NegBinomial", lambda x, p: nb(x, p[1], -log1p(p[0] / p[1]), (log(p[0]), -log(p[0] + p[1]))), "qq", "count"),
    ("NegBinomial(alpha = p0[i], beta = p1[i])", lambda x, p: nb(x, p[0], -log1p(1 / p[1]), -log1p(p[1])), "qq", "count"),
    ("NegBinomial(log = p0[i], phi = p1[i])", lambda x, p: nb(x, p[1], -sp(p[0] - log(p[1])), -sp(log(p[1]) - p[0])), "lq", "count"),
    ("ZeroInflatedPoisson", lambda x, p: [log1p(-p[0]), x * log(p[1]), -p[1], -loggamma(x + 1)] if x else [log(p[0] + (1 - p[0]) * exp(-p[1]))], "pq", "count"),
    ("Geometric", lambda x, p: [log(p[0]), x * log1p(-p[0])], "p", "count"),
]


def short(v):
    return float("%.6g" % v)


def parameter(kind):
    u = random.uniform(-1, 1)
    return {"r": lambda: short(3 * u), "u": lambda: short(4 + u), "l": lambda: short(4 * u), "s": lambda: short(10 ** (2 * u)), "q": lambda: short(10 ** (0.5 + 2 * u)),
            "m": lambda: short(10**u), "k": lambda: short(10 ** (0.5 + 2.5 * u)), "p": lambda: short(1 / (1 + 10 ** (3 * u))), "n": lambda: float(int(10 ** (1.6 + 1.5 * u)))}[{"d": "q", "a": "r", "g": "r", "h": "q", "t": "s"}.get(kind, kind)]()


def point(kind, kinds, p):
    u, far = random.uniform(-1, 1), 10 ** random.uniform(-5, 3)
    if kind == "real":
        at, s = p[kinds.index("r")], p[kinds.index("s")]
        return short(at + s * (far if u > 0 else -far) / (1 if far < 30 else 30))
    if kind == "pos":
        s = p[-1] if kinds[-1] in "st" else p[0] / p[-1]
        return short(s * far ** 0.6)
    if kind == "above":
        return short(p[1] * (1 + far) * 1.00001)
    if kind == "unit":
        return short(1 / (1 + 10 ** (5 * u)))
    if kind == "angle":
        return short(3.14 * u)
    if kind == "between":
        return short((p[0] + p[1]) / 2 + 0.4999 * u * (p[1] - p[0]))
    if kind == "bool":
        return float(u > 0)
    if kind == "upto":
        return float(random.randint(0, int(p[0])))
    return float(int(far))


def apart(terms):
    return [t for c in terms for t in (c if isinstance(c, tuple) else (c,))]


def line(terms, kinds, kind, p, x):
    v = [mpf(t) for t in p] + [mpf(x)]
    t = [sum(c) if isinstance(c, tuple) else c for c in terms(v[-1], v)]
    out = ["%.17g" % t for t in p] + ["%.17g" % x, mp.nstr(sum(t), 20), mp.nstr(sum(abs(c) for c in t), 3)]
    for k in range(len(p) + 1):
        if (k < len(p) and kinds[k] == "n") or (k == len(p) and kind in ("bool", "count", "upto")):
            continue
        located = k == kinds.find("r") or k == len(p) and kind == "real"
        h = (v[kinds.index("s")] if located and "s" in kinds else abs(v[k]) or 1) * mpf(10)**-45
        a, b = list(v), list(v)
        a[k] += h
        b[k] -= h
        d = [(s - r) / (2 * h) for s, r in zip(apart(terms(a[-1], a)), apart(terms(b[-1], b)))]
        out += [mp.nstr(sum(d), 20), mp.nstr(sum(abs(c) for c in d), 3)]
    return " ".join(out)


EXTREME = {"r": [0.0, -3e10], "l": [-700.0, -40.0, 18.0], "s": [1e-150, 1e-10, 1e10, 1e150], "t": [1e-10, 1e10], "q": [1e-8, 1e-3, 1.0, 1e4, 1e8], "u": [0.0, 1e-10, 3e10, 1e150], "h": [1e-8, 1e-3, 1.0, 300.0], "d": [1e-8, 1e-3, 1.0, 1e4, 1e10],
           "m": [1e-10, 1.0, 1e10], "k": [1e-10, 1.0, 1e8], "g": [-20.0, 0.0, 3.0], "p": [1e-300, 1e-10, 0.3, 1 - 2**-30, 1 - 2**-53], "n": [1.0, 40.0, 1e9], "a": [-1e10, -30.0, -1e-10, 1e10]}


def extreme_points(kind, kinds, p):
    """x, as multiples of what the parameters say, or at the ends of the support."""
    if kind == "real":
        return [p[kinds.index("r")] + p[kinds.index("s")] * z for z in (-1e5, -1.0, 0.0, 1e-8, 0.7, 35.0, 1e100)]
    if kind == "pos":
        s = p[-1] if kinds[-1] in "st" else p[0] / p[1] if len(p) > 1 else p[0] if kinds == "d" else 1 / p[0]
        return [1e-100] + [s * y for y in (1e-8, 1 - 2**-30, 1.0, 1 + 2**-30, 1.0001, 30.0, 1e8)]
    if kind == "between":
        return [p[0], (p[0] + p[1]) / 2, p[1]]
    if kind == "above":
        return [p[1] * y for y in (1.0, 1 + 2**-30, 1.5, 1e100)]
    if kind == "unit":
        return [1e-300, 1e-10, 0.3, p[0] / (p[0] + p[1]), 1 - 2**-30, 1 - 2**-53]
    if kind == "angle":
        return [-3.1415926535897931, -1e-8, 0.0, 1e-4, 3.1415926535897931]
    if kind == "bool":
        return [0.0, 1.0]
    if kind == "upto":
        return sorted({0.0, 1.0, float(p[0] // 3), p[0] - 1, p[0]})
    return [0.0, 1.0, 30.0, 1e4, 1e8]


def within(kind, p, x):
    return {"pos": x > 0, "unit": 0 < x < 1, "between": p[0] <= x <= p[-1] > p[0], "angle": abs(x) < pi, "above": x >= p[-1], "upto": 0 <= x <= p[0]}.get(kind, True)


def finite(row):
    return all(abs(mpf(v)) < 1e300 for v in row.split())


def extremes(kind, kinds):
    """Each point once, in an order of chance."""
    every = [(list(p), x) for p in product(*[EXTREME[k] for k in kinds]) for x in sorted(set(extreme_points(kind, kinds, p)))]
    random.shuffle(every)
    return every


random.seed(1)
for name, terms, kinds, kind in D:
    rows = []
    while len(rows) < 24:
        p = [parameter(c) for c in kinds]
        row = line(terms, kinds, kind, p, point(kind, kinds, p))
        if finite(row):
            rows.append(row)
    state = random.getstate()
    for p, x in extremes(kind, kinds):
        row = line(terms, kinds, kind, p, x) if within(kind, p, x) else None
        if row and finite(row) and len(rows) < 24 + EXTREMES:
            rows.append(row)
    random.setstate(state)
    call = name if "(" in name else "%s(%s)" % (name, ", ".join("p%d[i]" % k for k in range(len(kinds))))
    print("%s: %s %s %d" % (call, kinds, kind, len(rows)))
    print("\n".join(rows))
