#!/usr/bin/env python3
"""Makes densities.txt: log densities of scalar distributions and their derivatives, by mpmath with 160 digits.

Each distribution is a list of terms whose sum is its log density.  A line of the table is

    parameters  x  value  size  (derivative  size)...

under a heading `call: kinds of parameters, kind of x`.  value is the sum of the terms and size that of their absolute values; the derivatives follow, in every real parameter and, of a continuous distribution,
in x, each again with the sum of the absolute derivatives of the terms.  Points are in the mass, in both tails and far out.  The table is kept, so building and
testing need neither Python nor mpmath:  python3 make_densities.py > densities.txt"""
import random
from mpmath import mp, mpf, log, log1p, exp, loggamma, pi, sin, besseli, erfc, sqrt

mp.dps = 160
L2PI = log(2 * pi) / 2


def lphi(x):
    return log1p(-erfc(x / sqrt(2)) / 2) if x > 0 else log(erfc(-x / sqrt(2)) / 2)


def sp(x):
    return log1p(exp(x))


def choose(n, k):
    return [loggamma(n + 1), -loggamma(k + 1), -loggamma(n - k + 1)]


def z_of(x, p):
    return (x - p[0]) / p[1]


def tee(nu, z):
    return [loggamma((nu + 1) / 2), -loggamma(nu / 2), -log(nu * pi) / 2, -(nu + 1) / 2 * log1p(z * z / nu)]


def nb(x, a, lp, lq):
    return [loggamma(a + x), -loggamma(a), -loggamma(x + 1), a * lp, x * lq]


# Call (a plain name takes its parameters in order), terms, kinds of parameters, kind of x.  r real, s scale, q rate or shape, p probability, n integer
D = [
    ("Normal", lambda x, p: [-z_of(x, p)**2 / 2, -log(p[1]), -L2PI], "rs", "real"),
    ("HalfNormal", lambda x, p: [-(x / p[0])**2 / 2, -log(p[0]), log(2) - L2PI], "s", "pos"),
    ("Cauchy", lambda x, p: [-log1p(z_of(x, p)**2), -log(p[1]), -log(pi)], "rs", "real"),
    ("HalfCauchy", lambda x, p: [-log1p((x / p[0])**2), -log(p[0]), log(2 / pi)], "s", "pos"),
    ("StudentT", lambda x, p: tee(p[0], (x - p[1]) / p[2]) + [-log(p[2])], "qrs", "real"),
    ("HalfStudentT", lambda x, p: tee(p[0], x / p[1]) + [-log(p[1]), log(2)], "qs", "pos"),
    ("LogNormal", lambda x, p: [-((log(x) - p[0]) / p[1])**2 / 2, -log(x), -log(p[1]), -L2PI], "rs", "pos"),
    ("Exponential", lambda x, p: [log(p[0]), -p[0] * x], "q", "pos"),
    ("Gamma", lambda x, p: [p[0] * log(p[1]), -loggamma(p[0]), (p[0] - 1) * log(x), -p[1] * x], "qq", "pos"),
    ("InvGamma", lambda x, p: [p[0] * log(p[1]), -loggamma(p[0]), -(p[0] + 1) * log(x), -p[1] / x], "qq", "pos"),
    ("Beta", lambda x, p: [loggamma(p[0] + p[1]), -loggamma(p[0]), -loggamma(p[1]), (p[0] - 1) * log(x), (p[1] - 1) * log(1 - x)], "qq", "unit"),
    ("Laplace", lambda x, p: [-abs(x - p[0]) / p[1], -log(p[1]), -log(2)], "rs", "real"),
    ("Logistic", lambda x, p: [-sp(z_of(x, p)), -sp(-z_of(x, p)), -log(p[1])], "rs", "real"),
    ("Gumbel", lambda x, p: [-z_of(x, p), -exp(-z_of(x, p)), -log(p[1])], "rs", "real"),
    ("ExpModNormal", lambda x, p: [log(p[2]), (p[1] * p[2])**2 / 2, -p[2] * (x - p[0]), lphi(z_of(x, p) - p[1] * p[2])], "rsm", "real"),
    ("SkewNormal", lambda x, p: [-z_of(x, p)**2 / 2, -log(p[1]), log(2) - L2PI, lphi(p[2] * z_of(x, p))], "rsr", "real"),
    ("ChiSquared", lambda x, p: [(p[0] / 2 - 1) * log(x), -x / 2, -loggamma(p[0] / 2), -p[0] / 2 * log(2)], "q", "pos"),
    ("InvChiSquared", lambda x, p: [-(p[0] / 2 + 1) * log(x), -1 / (2 * x), -loggamma(p[0] / 2), -p[0] / 2 * log(2)], "q", "pos"),
    ("ScaledInvChiSquared", lambda x, p: [p[0] / 2 * log(p[0] / 2), -loggamma(p[0] / 2), p[0] * log(p[1]), -(p[0] / 2 + 1) * log(x), -p[0] / 2 * p[1]**2 / x], "qs", "pos"),
    ("Weibull", lambda x, p: [log(p[0]), -log(p[1]), (p[0] - 1) * log(x / p[1]), -(x / p[1])**p[0]], "qs", "pos"),
    ("Frechet", lambda x, p: [log(p[0]), -log(p[1]), (p[0] + 1) * log(p[1] / x), -(p[1] / x)**p[0]], "qs", "pos"),
    ("Pareto", lambda x, p: [log(p[0]), p[0] * log(p[1]), -(p[0] + 1) * log(x)], "qs", "above"),
    ("Rayleigh", lambda x, p: [log(x), -2 * log(p[0]), -(x / p[0])**2 / 2], "s", "pos"),
    ("LogLogistic", lambda x, p: [log(p[0]), -log(p[1]), (p[0] - 1) * log(x / p[1]), -2 * sp(p[0] * log(x / p[1]))], "qs", "pos"),
    ("VonMises", lambda x, p: [-2 * p[1] * sin((x - p[0]) / 2)**2, -2 * L2PI, -log(besseli(0, p[1]) * exp(-p[1]))], "rk", "angle"),
    ("Bernoulli", lambda x, p: [log(p[0]) if x else log(1 - p[0])], "p", "bool"),
    ("Bernoulli(logit = p0[i])", lambda x, p: [-sp(-p[0]) if x else -sp(p[0])], "r", "bool"),
    ("Poisson", lambda x, p: [x * log(p[0]), -p[0], -loggamma(x + 1)], "q", "count"),
    ("Poisson(log = p0[i])", lambda x, p: [x * p[0], -exp(p[0]), -loggamma(x + 1)], "l", "count"),
    ("Binomial", lambda x, p: choose(p[0], x) + [x * log(p[1]), (p[0] - x) * log(1 - p[1])], "np", "to n"),
    ("Binomial(p0[i], logit = p1[i])", lambda x, p: choose(p[0], x) + [-x * sp(-p[1]), -(p[0] - x) * sp(p[1])], "nr", "to n"),
    ("BetaBinomial", lambda x, p: choose(p[0], x) + [loggamma(p[1] + x), loggamma(p[2] + p[0] - x), -loggamma(p[1] + p[2] + p[0]), loggamma(p[1] + p[2]), -loggamma(p[1]), -loggamma(p[2])], "nqq", "to n"),
    ("NegBinomial", lambda x, p: nb(x, p[1], -log1p(p[0] / p[1]), log(p[0] / (p[0] + p[1]))), "qq", "count"),
    ("NegBinomial(alpha = p0[i], beta = p1[i])", lambda x, p: nb(x, p[0], -log1p(1 / p[1]), -log1p(p[1])), "qq", "count"),
    ("NegBinomial(log = p0[i], phi = p1[i])", lambda x, p: nb(x, p[1], -sp(p[0] - log(p[1])), -sp(log(p[1]) - p[0])), "lq", "count"),
    ("ZeroInflatedPoisson", lambda x, p: [log1p(-p[0]), x * log(p[1]), -p[1], -loggamma(x + 1)] if x else [log(p[0] + (1 - p[0]) * exp(-p[1]))], "pq", "count"),
    ("Geometric", lambda x, p: [log(p[0]), x * log(1 - p[0])], "p", "count"),
]


def short(v):
    return float("%.6g" % v)


def parameter(kind):
    u = random.uniform(-1, 1)
    return {"r": lambda: short(3 * u), "l": lambda: short(4 * u), "s": lambda: short(10 ** (2 * u)), "q": lambda: short(10 ** (0.5 + 2 * u)),
            "m": lambda: short(10**u), "k": lambda: short(10 ** (0.5 + 2.5 * u)), "p": lambda: short(1 / (1 + 10 ** (3 * u))), "n": lambda: float(int(10 ** (1.6 + 1.5 * u)))}[kind]()


def point(kind, kinds, p):
    u, far = random.uniform(-1, 1), 10 ** random.uniform(-5, 3)
    if kind == "real":
        at, s = p[kinds.index("r")], p[kinds.index("s")]
        return short(at + s * (far if u > 0 else -far) / (1 if far < 30 else 30))
    if kind == "pos":
        s = p[kinds.index("s")] if "s" in kinds else p[0] / p[-1]
        return short(s * far ** 0.6)
    if kind == "above":
        return short(p[1] * (1 + far) * 1.00001)
    if kind == "unit":
        return short(1 / (1 + 10 ** (5 * u)))
    if kind == "angle":
        return short(3.14 * u)
    if kind == "bool":
        return float(u > 0)
    if kind == "to n":
        return float(random.randint(0, int(p[0])))
    return float(int(far))


def line(terms, kinds, kind, p, x):
    v = [mpf(t) for t in p] + [mpf(x)]
    t = terms(v[-1], v)
    out = ["%.17g" % t for t in p] + ["%.17g" % x, mp.nstr(sum(t), 20), "%.3g" % float(sum(abs(c) for c in t))]
    for k in range(len(p) + 1):
        if (k < len(p) and kinds[k] == "n") or (k == len(p) and kind in ("bool", "count", "to n")):
            continue
        h = (abs(v[k]) or 1) * mpf(10)**-45
        a, b = list(v), list(v)
        a[k] += h
        b[k] -= h
        d = [(s - r) / (2 * h) for s, r in zip(terms(a[-1], a), terms(b[-1], b))]
        out += [mp.nstr(sum(d), 20), "%.3g" % float(sum(abs(c) for c in d))]
    return " ".join(out)


random.seed(1)
for name, terms, kinds, kind in D:
    rows = []
    while len(rows) < 24:
        p = [parameter(c) for c in kinds]
        row = line(terms, kinds, kind, p, point(kind, kinds, p))
        if all(abs(mpf(v)) < 1e300 for v in row.split()):
            rows.append(row)
    call = name if "(" in name else "%s(%s)" % (name, ", ".join("p%d[i]" % k for k in range(len(kinds))))
    print("%s: %s %s" % (call, kinds, kind))
    print("\n".join(rows))
