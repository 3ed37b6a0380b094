#!/usr/bin/env python3
"""Makes cdfs.txt: distribution functions of scalar distributions in the mass, in both tails and at extremes of parameters, by mpmath.

With `slopes` it makes cdf_slopes.txt, the derivatives of some of the same points.

Under a heading `call: kinds of parameters, kind of x, rows` a line is

    parameters  x  log P(X <= x)  log P(X > x)

where kinds are r real and n integer; of slopes the derivatives of the first and then of the second logarithm in each real argument, each with what its error is compared with.  The lighter tail is computed by itself, by a closed form, a series of positive terms or an
integral of the density over its value at the end.  The table is kept, so building and testing need neither Python nor mpmath:  python3 make_cdfs.py > cdfs.txt"""
from mpmath import mp, mpf, atan, atan2, cos, erf, erfc, exp, expm1, hyp1f1, hyp2f1, log, log1p, loggamma, pi, quad, sin, sqrt
from sys import argv

mp.dps = 40 if "slopes" in argv else 60
SLOPES = 14


def lphi(z):
    return log(erfc(-z / sqrt(mpf(2))) / 2)


def rest(t):
    """log(1 - exp(t))"""
    return log(-expm1(t))


def gamma_p(a, x):
    return a * log(x) - x - loggamma(a + 1) + log(hyp1f1(1, a + 1, x))


def beta(a, b, x, y):
    if x > mpf(a + 1) / (a + b + 2) and a * y < b * x:
        return rest(beta(b, a, y, x))
    return a * log(x) + b * log(y) - log(a) - loggamma(a) - loggamma(b) + loggamma(a + b) + log(hyp2f1(a + b, 1, a + 1, x))


def student(nu, z):
    """log P(T < z), z < 0"""
    x = nu / (nu + z * z)
    return beta(nu / 2, mpf(1) / 2, x, z * z / (nu + z * z)) - log(mpf(2))


def gamma_pair(a, x):
    with mp.workdps(60 + int(x)):
        p = gamma_p(a, x)
        return p, rest(p)


def flipped(pair):
    return pair[1], pair[0]


def student_pair(nu, z):
    t = student(nu, -abs(z))
    return (t, rest(t)) if z < 0 else (rest(t), t)


def beta_pair(a, b, x, y):
    return beta(a, b, x, y), beta(b, a, y, x)


def skew_light(z, a):
    """log of the mass of SkewNormal(0, 1, -a) above z"""
    end = 160 / (1 + a * a)
    end = end / (sqrt(z * z + end) + z) if z > 0 else sqrt(z * z + end) - z
    f = lambda t: exp(-t * t / 2) * erfc(a * t / sqrt(mpf(2)))
    return log(quad(lambda t: f(t) / f(z), [z + end * k / 16 for k in range(17)])) + log(f(z)) - log(2 * pi) / 2


def skew_pair(a, z):
    if a < 0:
        return flipped(skew_pair(-a, -z))
    t = skew_light(-z, a)
    return t, rest(t)


def mises_pair(kappa, x):
    """The lighter side from the density, cut where it has fallen by e^-90."""
    c = cos(x) - 90 / kappa if kappa else mpf(-2)
    end = mp.acos(c) if c > -1 else pi
    f = lambda t: exp(kappa * (cos(t) - cos(x)))
    tail = quad(f, [abs(x) + (end - abs(x)) * k / 16 for k in range(17)])
    t = log(tail / (2 * pi * mp.besseli(0, kappa))) + kappa * cos(x)
    return (t, rest(t)) if x < 0 else (rest(t), t)


def exp_mod_pair(z, s):
    """A standard normal plus an Exponential(s): a difference in the lower tail, with digits enough for that."""
    with mp.workdps(400 if s > 1000 else 120):
        part = exp(s * s / 2 - s * z + lphi(z - s))
        return log(exp(lphi(z)) - part), log(exp(lphi(-z)) + part)


def half_student_pair(nu, z):
    low = beta(mpf(1) / 2, nu / 2, z * z / (nu + z * z), nu / (nu + z * z))
    return low, rest(low)


def summed_pair(p, x, last):
    """From probabilities p(k), k = 0 .. last."""
    return log(sum(p(k) for k in range(x + 1))), log(sum(p(k) for k in range(x + 1, last + 1)))


def beta_binomial_pair(n, a, b, x):
    return summed_pair(lambda k: mp.binomial(n, k) * mp.beta(a + k, b + n - k) / mp.beta(a, b), int(x), int(n))


def hyper_geometric_pair(n, m, o, x):
    return summed_pair(lambda k: mp.binomial(m, k) * mp.binomial(o, n - k) / mp.binomial(m + o, n), int(x), int(n))


def less(a, b):
    """log(exp(a) - exp(b))"""
    return a + rest(b - a)


def truncated(pair, below, above):
    """Pairs of the whole and at the bounds, None for no bound: the mass between each is taken from the lighter tail."""
    def between(p, q):
        if p is None:
            return pair[0] if q is None else q[0]
        if q is None:
            return p[1]
        return less(p[1], q[1]) if p[0] > p[1] else less(q[0], p[0])
    mass = between(below, above)
    return between(below, pair) - mass, between(pair, above) - mass


def normal_pair(m, s, x):
    return lphi((x - m) / s), lphi((m - x) / s)


def mixed(w, pairs):
    return tuple(log(sum(v * exp(p[side]) for v, p in zip(w, pairs))) for side in (0, 1))


def geometric_pair(p, x):
    return rest((x + 1) * log1p(-p)), (x + 1) * log1p(-p)


def inflated(theta, pair):
    return log(theta + (1 - theta) * exp(pair[0])), log1p(-theta) + pair[1]


def weibull(a, s, x):
    t = (x / s)**a
    return rest(-t), -t


def frechet(a, s, x):
    t = (x / s)**-a
    return -t, rest(-t)


def logistic(z):
    return -log1p(exp(-z)), -log1p(exp(z))


def laplace(z):
    t = -abs(z) - log(mpf(2))
    return (t, log1p(-exp(t))) if z < 0 else (log1p(-exp(t)), t)


SCALES = ["1e-150", "1e-8", "1", "1e8", "1e150"]
SHAPES = ["1e-8", "1e-3", "0.5", "1", "30", "1e4"]
WIDE = [-37, -8.3, -1, -1e-10, 0, 1e-10, 1, 8.3, 37]
located = [(0, s, float(s) * z) for s in SCALES for z in WIDE]
halves = [(s, float(s) * z) for s in SCALES for z in (1e-100, 1e-10, 0.5, 1, 8.3, 37)]
shaped = [(a, s, float(s) * y) for a in SHAPES for s in ("1e-8", "1", "1e8") for y in (1e-8, 0.9, 1, 1.1, 3) if float(a) * abs(mp.log(y)) < 200]
gammas = [(a, b, float(a) / float(b) * y) for a in SHAPES[:-1] + ["300"] for b in ("1e-150", "1", "1e150") for y in (1e-8, 0.5, 1, 1.5)]
inverse = [(a, b, float(b) / float(a) / y) for a, b, x in gammas for y in [float(x) * float(b) / float(a)]]
betas = [(a, b, x) for a in SHAPES[:-1] for b in SHAPES[:-1] for x in (1e-100, 1e-8, 0.3, float(a) / (float(a) + float(b)), 1 - 1e-8)]
falls = [(m, f, x) for m in ("1e-8", "1", "30") for f in ("1e-3", "1", "30", "1e5", "1e10") for x in (0, 1, 5, 40)]
counted = [(m, x) for m in ("1e-300", "1e-8", "1", "30", "300") for x in (0, 1, 5, 30, 300, 350) if x < 2 * float(m) + 100]
trials = [(n, p, x) for n in (1, 10, 1000) for p in ("1e-300", "1e-8", "0.3", "0.5", "0.99999999") for x in sorted({0, n // 3, n // 2, n - 1})]

D = [
    ("Normal", "rr", "real", normal_pair, located),
    ("Cauchy", "rr", "real", lambda m, s, x: (log(atan2(1, (m - x) / s) / pi), log(atan2(1, (x - m) / s) / pi)), located + [(0, 1, -1e200), (0, 1, 1e150)]),
    ("Laplace", "rr", "real", lambda m, s, x: laplace((x - m) / s), located),
    ("Logistic", "rr", "real", lambda m, s, x: logistic((x - m) / s), located + [(0, 1, 700), (0, 1, -1e5)]),
    ("Gumbel", "rr", "real", lambda m, s, x: (-exp(-(x - m) / s), rest(-exp(-(x - m) / s))), [r for r in located if r[2] / float(r[1]) > -9]),
    ("StudentT", "rrr", "real", lambda nu, m, s, x: student_pair(nu, (x - m) / s), [(nu, 0, 1, z) for nu in SHAPES + ["1e8"] for z in WIDE + [1e100, -1e154, 1e155, -1e200, 1e300] if z and (float(nu) < 1e3 or abs(z) < 40)]),
    ("SkewNormal", "rrr", "real", lambda m, s, a, x: skew_pair(a, (x - m) / s), [(0, 1, a, z) for a in ("1", "-1", "-5", "100", "1e6", "1e10") for z in (1e-12, 1e-7, 1e-6, 1e-5, 0.01, 0.5, 3, -1e-12, -1e-6, -0.001, -1, -6) if float(a) < 1e3 or z > -1e-5]),
    ("VonMises", "rr", "real", lambda m, k, x: mises_pair(k, x - m), [(0, k, x) for k in ("0", "1e-8", "1", "30", "1e3", "1e6") for x in (-3, -1, -0.05, 1e-3, 0.002, 0.1, 2)]),
    ("HalfNormal", "r", "real", lambda s, x: (log(erf(x / s / sqrt(mpf(2)))), log(erfc(x / s / sqrt(mpf(2))))), halves),
    ("HalfCauchy", "r", "real", lambda s, x: (log(2 / pi * atan(x / s)), log(2 / pi * atan2(1, x / s))), halves),
    ("HalfStudentT", "rr", "real", lambda nu, s, x: half_student_pair(nu, x / s), [(nu, 1, z) for nu in SHAPES + ["1e8"] for z in (1e-200, 1e-100, 1e-3, 0.5, 1, 8.3, 1e10, 1e200) if float(nu) < 1e3 or z < 40]),
    ("LogNormal", "rr", "real", lambda m, s, x: (lphi((log(x) - m) / s), lphi((m - log(x)) / s)), [(m, s, x) for m in (0, -600, 600) for s in ("1", "30", "1e8") for x in (1e-300, 1e-8, 1, 1e8, 1e300) if abs(mp.log(x) - m) / float(s) < 1e3]),
    ("Exponential", "r", "real", lambda q, x: (rest(-q * x), -q * x), [(1 / float(s), x) for s, x in halves]),
    ("Rayleigh", "r", "real", lambda s, x: (rest(-(x / s)**2 / 2), -(x / s)**2 / 2), halves),
    ("Weibull", "rr", "real", weibull, shaped),
    ("Frechet", "rr", "real", frechet, shaped),
    ("LogLogistic", "rr", "real", lambda a, s, x: logistic(a * log(x / s)), [r for r in shaped if float(r[0]) < 1e3]),
    ("Pareto", "rr", "real", lambda a, s, x: (rest(-a * log(x / s)), -a * log(x / s)), [(a, s, float(s) * y) for a in SHAPES + ["1e8"] for s in SCALES for y in (1 + 2**-52, 1.0001, 1.1, 3, 1e8)]),
    ("Gamma", "rr", "real", lambda a, b, x: gamma_pair(a, b * x), gammas),
    ("InvGamma", "rr", "real", lambda a, b, x: flipped(gamma_pair(a, b / x)), inverse),
    ("ChiSquared", "r", "real", lambda n, x: gamma_pair(n / 2, x / 2), [(a, float(a) * y) for a in SHAPES[:-1] for y in (1e-3, 0.9, 1, 1.1)]),
    ("InvChiSquared", "r", "real", lambda n, x: flipped(gamma_pair(n / 2, 1 / x / 2)), [(a, 1 / (float(a) * y)) for a in SHAPES[:-1] for y in (1e-3, 0.9, 1, 1.1)]),
    ("ScaledInvChiSquared", "rr", "real", lambda n, s, x: flipped(gamma_pair(n / 2, n * s * s / x / 2)), [(a, s, float(s)**2 / y) for a in SHAPES[:-1] for s in ("1e-8", "1", "1e8") for y in (1e-3, 0.9, 1, 1.1)]),
    ("ExpModNormal", "rrr", "real", lambda m, s, q, x: exp_mod_pair((x - m) / s, s * q), [(0, s, q, z * float(s)) for s in ("1e-3", "1", "1e5") for q in ("1e-10", "1e-3", "0.3", "1", "3", "30", "1e5") for z in (-30, -8, -1, 0, 0.9, 1, 1.1, 3, 8, 30) if float(s) * float(q) < 1e6]),
    ("Uniform", "rr", "real", lambda a, b, x: (log((x - a) / (b - a)), log((b - x) / (b - a))), [(0, 1, 1e-300), (0, 1, 1 - 2**-53), (-1e8, 1e8, 1e8 - 1e-7), (1, 2, 1 + 2**-52)]),
    ("Beta", "rr", "real", lambda a, b, x: beta_pair(a, b, x, 1 - x), betas),
    ("Binomial", "nr", "int", lambda n, p, x: beta_pair(n - x, x + 1, 1 - p, p), trials),
    ("Binomial(p0[i], logit = p1[i])", "nr", "int", lambda n, l, x: beta_pair(n - x, x + 1, 1 / (1 + exp(l)), 1 / (1 + exp(-l))), [(n, l, x) for n, p, x in trials if p == "0.5" for l in ("-300", "-3", "3", "40")]),
    ("BetaBinomial", "nrr", "int", beta_binomial_pair, [(n, a, b, x) for n in (1, 10, 300) for a, b in (("1", "1"), ("0.3", "2.5"), ("1e-8", "30"), ("1e8", "2e8"), ("20", "1e-3")) for x in sorted({0, n // 3, n - 1}) if n < 300 or a != "1e8"]),
    ("HyperGeometric", "nnn", "int", hyper_geometric_pair, [(5, 10, 10, 0), (5, 10, 10, 4), (12, 7, 9, 3), (12, 7, 9, 6), (30, 90, 120, 2), (30, 90, 120, 13), (30, 90, 120, 29), (40, 10**8, 10**8, 3), (40, 10**8, 10**8, 39), (3, 9, 1, 2)]),
    ("Poisson", "r", "int", lambda m, x: flipped(gamma_pair(mpf(x + 1), m)), counted),
    ("Poisson(log = p0[i])", "r", "int", lambda l, x: flipped(gamma_pair(mpf(x + 1), exp(l))), [(l, x) for l in ("-300", "-18", "0", "3.4", "5.7") for x in (0, 1, 5, 30, 300) if x < 2 * mp.exp(float(l)) + 100]),
    ("NegBinomial", "rr", "int", lambda m, f, x: beta_pair(f, mpf(x + 1), f / (m + f), m / (m + f)), falls + [("1e3", "1e10", 0)]),
    ("NegBinomial(alpha = p0[i], beta = p1[i])", "rr", "int", lambda a, b, x: beta_pair(a, mpf(x + 1), b / (1 + b), 1 / (1 + b)), [(f, float(f) / float(m), x) for m, f, x in falls]),
    ("NegBinomial(log = p0[i], phi = p1[i])", "rr", "int", lambda l, f, x: beta_pair(f, mpf(x + 1), f / (exp(l) + f), exp(l) / (exp(l) + f)), [(l, f, x) for l in ("-18", "0", "3.4") for m, f, x in falls if m == "1"]),
    ("ZeroInflatedPoisson", "rr", "int", lambda t, m, x: inflated(t, flipped(gamma_pair(mpf(x + 1), m))), [(t, m, x) for t in ("1e-300", "1e-8", "0.5", "0.99999999") for m in ("1e-8", "1", "30") for x in (0, 1, 30)]),
    ("Geometric", "r", "int", geometric_pair, [(p, x) for p in ("1e-300", "1e-10", "0.5", "0.99999999") for x in (0, 1, 5, 10**9)]),
    ("DiscreteUniform", "nn", "int", lambda a, b, x: (log((x - a + 1) / (b - a + 1)), log((b - x) / (b - a + 1))), [(0, 10**9, 0), (0, 10**9, 10**9 - 1), (-5, 5, 0)]),
    ("truncated(Normal(p0[i], p1[i]), lower = p2[i])", "rrr", "real", lambda m, s, a, x: truncated(normal_pair(m, s, x), normal_pair(m, s, a), None), [(0, 1, a, a + d) for a in (-30, -1, 0.5, 9, 37) for d in (0.1, 1, 5)]),
    ("truncated(Normal(p0[i], p1[i]), upper = p2[i])", "rrr", "real", lambda m, s, b, x: truncated(normal_pair(m, s, x), None, normal_pair(m, s, b)), [(0, 1, b, b - d) for b in (-37, -9, -0.5, 1, 30) for d in (0.1, 1, 5)]),
    ("truncated(Normal(p0[i], p1[i]), lower = p2[i], upper = p3[i])", "rrrr", "real", lambda m, s, a, b, x: truncated(normal_pair(m, s, x), normal_pair(m, s, a), normal_pair(m, s, b)), [(0, 1, a, a + w, a + w * f) for a in (-31, -9, -1, 0.5, 9, 37) for w in (0.2, 0.7, 5) for f in (0.25, 0.9375)]),
    ("truncated(Geometric(p0[i]), lower = p1[i])", "rn", "int", lambda p, a, x: truncated(geometric_pair(p, x), geometric_pair(p, a - 1), None), [(p, a, a + d) for p in ("1e-8", "0.3", "0.999") for a in (1, 4, 60) for d in (0, 1, 7)]),
    ("mixture([0.25, 0.75], [Normal(p0[i], p1[i]), Cauchy(p2[i], 1)])", "rrr", "real", lambda m, s, c, x: mixed((mpf(1) / 4, mpf(3) / 4), (normal_pair(m, s, x), (log(atan2(1, c - x) / pi), log(atan2(1, x - c) / pi)))), [(0, 1, c, x) for c in (-5, 0, 40) for x in (-1e10, -37, -2, 0, 3, 38, 1e6)]),
    ("switch(2, [Normal(p0[i], p1[i]), Cauchy(p2[i], 1)])", "rrr", "real", lambda m, s, c, x: (log(atan2(1, c - x) / pi), log(atan2(1, x - c) / pi)), [(0, 1, 2, x) for x in (-1e10, -2, 0, 3, 1e6)]),
]

# Of distributions with a location, what each argument and x is compared with: the argument at this position.  Others are compared with themselves, or with 1 if 0.
UNITS = {"StudentT": "0222", "SkewNormal": "1121", "ExpModNormal": "1121", "Normal": "111", "Cauchy": "111", "Laplace": "111", "Logistic": "111", "Gumbel": "111"}


# Closed forms at an ulp from an end of the support: smaller steps, more digits.
NEAR_ENDS = ("Pareto", "Uniform")
# What is as near to 1 as 1e-8.
NEAR_ONE = ("Beta", "Binomial", "ZeroInflatedPoisson", "Geometric", "ExpModNormal")


def truncated_size(name, v, k):
    """Of both logarithms of a truncated Normal, which are differences of logarithms of masses, and these differences of tails: the derivatives' terms."""
    m, s, x = v[0], v[1], v[-1]
    a, b = v[2] if "lower" in name else None, v[-2] if "upper" in name else None
    high = a is not None and a > m or b is not None and a is None and b > m + 8 * s
    tail = lambda y: exp(lphi((m - y) / s if high else (y - m) / s))

    def term(y):
        z, at = (y - m) / s, {0, 1} | {j for j in range(2, len(v)) if v[j] == y}
        return exp(-z * z / 2) / sqrt(2 * pi) / s * (abs(z) if k == 1 else 1) if k in at else mpf(0)

    def part(p, q):
        ends = [y for y in (p, q) if y is not None]
        mass = abs((tail(p) if p is not None else 1 - high) - (tail(q) if q is not None else 1 - high)) if len(ends) == 2 else tail(ends[0]) if (p is None) != high else 1 - tail(ends[0])
        return sum(term(y) for y in ends) / mass
    return part(a, x) + part(a, b), part(x, b) + part(a, b)


def slopes(name, kinds, kind, pair, v):
    """Derivatives of both logarithms in what is real, each with its size: itself, or 1 over what the argument is compared with."""
    out = [[], []]
    units = "1" * len(v) if name[:4] in ("trun", "mixt", "swit") and kind == "real" else UNITS.get(name, "".join(map(str, range(len(v)))))
    for k in range(len(v)):
        if (kind == "int") if k == len(kinds) else (kinds[k] == "n"):
            continue
        unit = 1 if name == "VonMises" else v[1] - v[0] if name == "Uniform" else abs(v[int(units[k])]) or 1
        h = unit * mpf(10)**(-40 if name in NEAR_ENDS else -18 if name in NEAR_ONE or "truncated(Normal" in name else -13) / (max(1, abs(v[2])) if name == "SkewNormal" else 1)
        below, above = [pair(*[t + e if j == k else t for j, t in enumerate(v)]) for e in (-h, h)]
        for side in (0, 1):
            d = ((above[side] if above[side] is not None else rest(above[1])) - (below[side] if below[side] is not None else rest(below[1]))) / (2 * h)
            size = (1 + (v[1] * v[2])**2 if name == "ExpModNormal" else 1) / unit
            if "truncated(Normal" in name:
                size = max(size, truncated_size(name, v, k)[side])
            out[side] += [mp.nstr(d, 18), mp.nstr(max(abs(d), size), 3)]
    return out[0] + out[1]


for name, kinds, kind, pair, rows in D:
    lines = []
    if "slopes" in argv:
        rows = [r for k, r in enumerate(rows) if k * SLOPES // len(rows) != (k - 1) * SLOPES // len(rows)]
    for r in rows:
        if "slopes" in argv and (name == "VonMises" and r[1] == "0" or name == "Uniform" and r[2] == 1e-300):
            continue  # an end of the range, or a step from it
        v = [float(t) for t in r]
        x = [mpf(t) for t in v]
        low, high = pair(*x)
        low = rest(high) if low is None else low
        if low > -1e300 and high > -1e300:
            with mp.workdps(90 if name in NEAR_ENDS else mp.dps):
                lines.append(" ".join(["%.17g" % t for t in v] + (slopes(name, kinds, kind, pair, x) if "slopes" in argv else [mp.nstr(low, 20), mp.nstr(high, 20)])))
    if "slopes" in argv and kind == "int" and "r" not in kinds:
        continue
    call = name if "(" in name else "%s(%s)" % (name, ", ".join("p%d[i]" % k for k in range(len(kinds))))
    print("%s: %s %s %d" % (call, kinds, kind, len(lines)))
    print("\n".join(lines), flush=True)
