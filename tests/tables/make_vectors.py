#!/usr/bin/env python3
"""Makes vectors.txt: log densities of distributions of vectors and matrices, and of bounded and counted ones, with derivatives, by mpmath with 80 digits and more.

Each entry is a model with a coefficient c = 1 and real unknowns, whose factor is c times the log density; so the density is its derivative in c.  Three lines and
rows:

    the model
    its data, or -
    number of unknowns, number of rows
    unknowns  value  size  (derivative  size)...

The formulas are textbook ones in determinants and inverses, no Cholesky factors; where those are differences of large numbers which the density is not, products of ratios.  value is the sum of a list of terms and size that of their absolute values; so for each derivative.
The table is kept, so building and testing need neither Python nor mpmath:  python3 make_vectors.py > vectors.txt"""
import random
from mpmath import mp, mpf, log, log1p, exp, expm1, erfc, sqrt, loggamma, gammainc, pi, matrix, det, inverse, beta

mp.dps = 80
L2PI = log(2 * pi) / 2
ROWS = 10


def symmetric(v, k):
    m, at = matrix(k, k), 0
    for i in range(k):
        for j in range(i + 1):
            m[i, j] = m[j, i] = v[at]
            at += 1
    return m


def lower(v, k):
    m, at = matrix(k, k), 0
    for i in range(k):
        for j in range(i + 1):
            m[i, j] = v[at]
            at += 1
    return m


def quadratic(d, m):
    return [d[i] * m[i, j] * d[j] for i in range(len(d)) for j in range(len(d))]


def normal(mu, x, inv, logdet):
    d = [b - a for a, b in zip(mu, x)]
    return [-t / 2 for t in quadratic(d, inv)] + [-logdet / 2] + [-L2PI] * len(mu)


def student(nu, mu, x, s):
    k, d = len(mu), [b - a for a, b in zip(mu, x)]
    q = sum(quadratic(d, inverse(s)))
    return [loggamma((nu + k) / 2), -loggamma(nu / 2), -log(nu) * k / 2, -log(pi) * k / 2, -log(det(s)) / 2, -(nu + k) / 2 * log1p(q / nu)]


def lkj(eta, k):
    return [-(2 * eta - 2 + k - i) * (k - i) * log(2) for i in range(1, k)] + [-(k - i) * log(beta(eta + mpf(k - i - 1) / 2, eta + mpf(k - i - 1) / 2)) for i in range(1, k)]


def multigamma(a, k):
    return [mpf(k * (k - 1)) / 4 * log(pi)] + [loggamma(a - mpf(j) / 2) for j in range(k)]


def trace(a, b):
    return [a[i, j] * b[j, i] for i in range(a.rows) for j in range(a.rows)]


def wishart(nu, s, x):
    k = s.rows
    return [(nu - k - 1) / 2 * log(det(x)), -nu * k / 2 * log(2), -nu / 2 * log(det(s))] + [-t / 2 for t in trace(inverse(s), x)] + [-t for t in multigamma(nu / 2, k)]


def inv_wishart(nu, s, x):
    k = s.rows
    return [nu / 2 * log(det(s)), -nu * k / 2 * log(2), -(nu + k + 1) / 2 * log(det(x))] + [-t / 2 for t in trace(s, inverse(x))] + [-t for t in multigamma(nu / 2, k)]


def choose(n, k):
    return [loggamma(n + 1), -loggamma(k + 1), -loggamma(n - k + 1)]


def sp(x):
    return log1p(exp(x))


# --- points, with six digits, or in 1024ths where they add up

def short(v):
    return float("%.6g" % v)


def real(n, scale=2.0):
    return [short(scale * random.uniform(-1, 1)) for _ in range(n)]


def rate(n, wide=1.5):
    return [short(10 ** random.uniform(-wide, wide)) for _ in range(n)]


def shares(n):
    cuts = sorted(random.sample(range(1, 1024), n - 1))
    return [(b - a) / 1024 for a, b in zip([0] + cuts, cuts + [1024])]


def zeros(n):
    v = [random.randint(-2048, 2048) / 1024 for _ in range(n - 1)]
    return v + [-sum(v)]


def factor(k):
    return [short(random.uniform(0.6, 2.0) if i == j else random.uniform(-0.5, 0.5)) for i in range(k) for j in range(i + 1)]


def positive(k):
    m = lower([mpf(v) for v in factor(k)], k)
    s = m * m.T
    return [short(s[i, j]) for i in range(k) for j in range(i + 1)]


def rows(v, k, full=True):
    """The text of a k x k matrix of the array v."""
    at = lambda i, j: "%s[%d]" % (v, i * (i + 1) // 2 + j + 1) if j <= i else (at(j, i) if full else "0.0")
    return "[" + ", ".join("[" + ", ".join(at(i, j) for j in range(k)) + "]" for i in range(k)) + "]"


D = []


def entry(names, call, x, terms, point, data="-", signature=""):
    sizes = [(n, s) for n, s in names]
    model = "model m(%s) { c ~ Flat(); " % signature + "; ".join("%s: real[%d] ~ Flat()" % (n, s) if s else "%s: real ~ Flat()" % n for n, s in sizes)
    D.append((model + "; factor c * logpdf(%s, %s) }" % (call, x), data, sum(s or 1 for _, s in sizes), terms, point))


entry([("a", 4), ("x", 4)], "Dirichlet(a)", "x", lambda v: [loggamma(sum(v[:4]))] + [-loggamma(a) for a in v[:4]] + [(a - 1) * log(x) for a, x in zip(v[:4], v[4:])], lambda: rate(4) + shares(4))
for k in (2, 3):
    n = k * (k + 1) // 2
    names = [("m", k), ("v", n), ("x", k)]
    entry(names, "MultiNormal(m, %s)" % rows("v", k), "x", lambda v, k=k, n=n: normal(v[:k], v[k + n:], inverse(symmetric(v[k:], k)), log(det(symmetric(v[k:], k)))), lambda k=k: real(k) + positive(k) + real(k, 5.0))
    entry(names, "MultiNormal(m, cholesky = %s)" % rows("v", k, False), "x",
          lambda v, k=k, n=n: normal(v[:k], v[k + n:], inverse(lower(v[k:], k) * lower(v[k:], k).T), 2 * log(det(lower(v[k:], k)))), lambda k=k: real(k) + factor(k) + real(k, 5.0))
    entry(names, "MultiNormal(m, precision = %s)" % rows("v", k), "x", lambda v, k=k, n=n: normal(v[:k], v[k + n:], symmetric(v[k:], k), -log(det(symmetric(v[k:], k)))), lambda k=k: real(k) + positive(k) + real(k, 5.0))
    names = [("d", 0)] + names
    entry(names, "MultiStudentT(d, m, %s)" % rows("v", k), "x", lambda v, k=k, n=n: student(v[0], v[1:k + 1], v[1 + k + n:], symmetric(v[k + 1:], k)), lambda k=k: rate(1) + real(k) + positive(k) + real(k, 5.0))
    entry(names, "MultiStudentT(d, m, cholesky = %s)" % rows("v", k, False), "x",
          lambda v, k=k, n=n: student(v[0], v[1:k + 1], v[1 + k + n:], lower(v[k + 1:], k) * lower(v[k + 1:], k).T), lambda k=k: rate(1) + real(k) + factor(k) + real(k, 5.0))
    names = [("d", 0), ("v", n), ("x", n)]
    for call, f in (("Wishart", wishart), ("InvWishart", inv_wishart)):
        entry(names, "%s(d, %s)" % (call, rows("v", k)), rows("x", k), lambda v, k=k, n=n, f=f: f(v[0], symmetric(v[1:], k), symmetric(v[1 + n:], k)), lambda k=k: [short(k + random.uniform(-0.9, 8))] + positive(k) + positive(k))
entry([("s", 0), ("x", 4)], "ZeroSumNormal(s)", "x", lambda v: [-x * x / (2 * v[0] ** 2) for x in v[1:]] + [-3 * log(v[0]), -3 * L2PI], lambda: rate(1, 1.0) + zeros(4))
entry([("b", 0), ("s", 0), ("x", 4)], "RandomWalk(b, s)", "x", lambda v: [-(y - x) ** 2 / (2 * v[1] ** 2) for x, y in zip([v[0]] + v[2:5], v[2:])] + [-4 * log(v[1]), -4 * L2PI], lambda: real(1) + rate(1, 1.0) + real(4))
entry([("e", 0), ("v", 3)], "LKJ(e)", "[[1.0, v[1], v[2]], [v[1], 1.0, v[3]], [v[2], v[3], 1.0]]",
      lambda v: [(v[0] - 1) * log(det(matrix([[1, v[1], v[2]], [v[1], 1, v[3]], [v[2], v[3], 1]])))] + lkj(v[0], 3), lambda: rate(1, 1.0) + real(3, 0.5))
entry([("e", 0), ("v", 5)], "LKJCholesky(e)", "[[1.0, 0.0, 0.0], [v[1], v[2], 0.0], [v[3], v[4], v[5]]]",
      lambda v: [(1 + 2 * v[0] - 2) * log(v[2]), (2 * v[0] - 2) * log(v[5])] + lkj(v[0], 3), lambda: rate(1, 1.0) + [0.6, 0.8, 0.48, short(random.uniform(-0.3, 0.3)), 0.6])
for counts in ([3, 0, 1, 6], [0, 0, 12, 0], [100, 250, 7, 43]):
    data = '{"n": %d, "x": %s}' % (sum(counts), counts)
    entry([("p", 4)], "Multinomial(n, p)", "x", lambda v, y=counts: [loggamma(mpf(sum(y) + 1))] + [-loggamma(mpf(t + 1)) for t in y] + [t * log(p) for t, p in zip(y, v) if t], lambda: shares(4), data, "n: int, x: int[4]")
    entry([("a", 4)], "DirichletMultinomial(n, a)", "x",
          lambda v, y=counts: [loggamma(mpf(sum(y) + 1)), loggamma(sum(v)), -loggamma(sum(v) + sum(y))] + [-loggamma(mpf(t + 1)) for t in y] + [s for t, a in zip(y, v) for s in (loggamma(a + t), -loggamma(a))], lambda: rate(4), data, "n: int, x: int[4]")
for k in range(1, 5):
    def ordered(v, k=k):
        e, c = v[0], [None] + v[1:] + [None]
        below = [] if k == 1 else [-sp(c[k - 1] - e)]
        over = [] if k == 4 else [-sp(e - c[k])]
        return below + over + ([] if k in (1, 4) else [log(1 - exp(c[k - 1] - c[k]))])
    entry([("e", 0), ("t", 3)], "OrderedLogistic(e, t)", "x", ordered, lambda: real(1, 6.0) + sorted(real(3, 4.0)), '{"x": %d}' % k, "x: int")
    entry([("l", 4)], "Categorical(logit = l)", "x", lambda v, k=k: [v[k - 1], -log(sum(exp(t) for t in v))], lambda: real(4, 8.0), '{"x": %d}' % k, "x: index(4)")
entry([("a", 0), ("b", 0), ("x", 0)], "Uniform(a, b)", "x", lambda v: [-log(v[1] - v[0])], lambda: (lambda s: [s[0], s[2], s[1]])(sorted(real(3, 50.0))))
for n, m, o, x in ((5, 10, 10, 0), (40, 30, 200, 12), (300, 900, 1200, 290), (7, 3, 9, 3)):
    entry([], "HyperGeometric(n, g, o)", "x", lambda v, n=n, m=m, o=o, x=x: choose(mpf(m), mpf(x)) + choose(mpf(o), mpf(n - x)) + [-t for t in choose(mpf(m + o), mpf(n))], lambda: [],
          '{"n": %d, "g": %d, "o": %d, "x": %d}' % (n, m, o, x), "n: int, g: int, o: int, x: int")
for a, b, x in ((0, 9, 4), (-7, -7, -7), (-100, 2000, 2000)):
    entry([], "DiscreteUniform(a, b)", "x", lambda v, a=a, b=b: [-log(mpf(b - a + 1))], lambda: [], '{"a": %d, "b": %d, "x": %d}' % (a, b, x), "a: int, b: int, x: int")

# --- the rest have points of their own, so that more of them change no others
FIRST = len(D)


def phi(m, s, x):
    """Terms of the normal density; the logs of both tails."""
    return [-((x - m) / s) ** 2 / 2, -log(s), -L2PI]


def below(m, s, x):
    z = (x - m) / s / sqrt(mpf(2))
    return log(erfc(-z) / 2) if z < 0 else log1p(-erfc(z) / 2)


def above(m, s, x):
    return below(-m, s, -x)


def less(a, b):
    """Terms of -log(exp(a) - exp(b))"""
    return [-a, -log(-expm1(b - a))]


def between(m, s, a, b):
    return less(above(m, s, a), above(m, s, b)) if a > m else less(below(m, s, b), below(m, s, a))


def poisson(q, x):
    return [x * log(q), -q, -loggamma(mpf(x + 1))]


def log_sum(parts):
    """Of logarithms given by their terms, which count among the terms."""
    own = [t for p in parts for t in p]
    return [log(sum(exp(sum(p)) for p in parts))] + own + [-t for t in own]


def rising(a, n):
    return [log((a + j) / (j + 1)) for j in range(n)]


def ordered(n, low, high):
    return sorted(short(random.uniform(low, high)) for _ in range(n))


for k in range(1, 5):
    entry([("p", 4)], "Categorical(p)", "x", lambda v, k=k: [log(v[k - 1])], lambda: shares(4), '{"x": %d}' % k, "x: index(4)")
for form, terms in (("%s", lambda v: normal(v[:2], v[9:], inverse(symmetric(v[3:], 2)), log(det(symmetric(v[3:], 2))))),
                    ("cholesky = %s", lambda v: normal(v[:2], v[9:], inverse(lower(v[3:], 2) * lower(v[3:], 2).T), 2 * log(det(lower(v[3:], 2))))),
                    ("precision = %s", lambda v: normal(v[:2], v[9:], symmetric(v[3:], 2), -log(det(symmetric(v[3:], 2)))))):
    entry([("m", 3), ("v", 6), ("x", 2)], "PaddedMultiNormal(2, m, %s)" % (form % rows("v", 3, form[0] != "c")), "[x[1], x[2], 0.0]", terms,
          lambda form=form: real(3) + (factor(3) if form[0] == "c" else positive(3)) + real(2, 5.0))
entry([("x", 0)], "Flat()", "x", lambda v: [mpf(0)], lambda: real(1, 1e8))
for counts in ([3, 0, 1, 6], [100, 250, 7, 43]):
    def wide(v, y=counts):
        n, a = sum(y), sum(v)
        return [loggamma(mpf(n + 1))] + [-loggamma(mpf(t + 1)) for t in y] + [log((c + j) / a) for c, t in zip(v, y) for j in range(t)] + [-log1p(mpf(j) / a) for j in range(n)]
    entry([("a", 4)], "DirichletMultinomial(n, a)", "x", wide, lambda: [short(10 ** random.uniform(9, 11)) for _ in range(4)], '{"n": %d, "x": %s}' % (sum(counts), counts), "n: int, x: int[4]")
entry([("a", 0), ("b", 0)], "BetaBinomial(n, a, b)", "x", lambda v: choose(mpf(12), mpf(5)) + [log((v[0] + j) / (v[0] + v[1] + j)) for j in range(5)] + [log((v[1] + j) / (v[0] + v[1] + 5 + j)) for j in range(7)],
      lambda: [short(10 ** random.uniform(8, 10)) for _ in range(2)], '{"n": 12, "x": 5}', "n: int, x: int")
normal_at = [("m", 0), ("s", 0)]
entry(normal_at + [("l", 0), ("x", 0)], "truncated(Normal(m, s), lower = l)", "x", lambda v: phi(v[0], v[1], v[3]) + [-above(v[0], v[1], v[2])], lambda: real(1) + rate(1, 0.3) + ordered(2, -9, 9))
entry(normal_at + [("x", 0), ("u", 0)], "truncated(Normal(m, s), upper = u)", "x", lambda v: phi(v[0], v[1], v[2]) + [-below(v[0], v[1], v[3])], lambda: real(1) + rate(1, 0.3) + ordered(2, -9, 9))
entry(normal_at + [("l", 0), ("x", 0), ("u", 0)], "truncated(Normal(m, s), lower = l, upper = u)", "x", lambda v: phi(v[0], v[1], v[3]) + between(v[0], v[1], v[2], v[4]),
      lambda: real(1) + rate(1, 0.3) + (lambda t: [t[0], short((t[0] + t[1] + 0.5) / 2), short(t[1] + 0.5)])(ordered(2, -9, 9)))
entry([("q", 0), ("x", 0), ("u", 0)], "truncated(Exponential(q), upper = u)", "x", lambda v: [log(v[0]), -v[0] * v[1], -log(-expm1(-v[0] * v[2]))], lambda: rate(1) + ordered(2, 0.01, 5))
for x in (1, 2, 40):
    entry([("q", 0)], "truncated(Poisson(q), lower = 1)", "x", lambda v, x=x: poisson(v[0], x) + [-log(-expm1(-v[0]))], lambda: rate(1, 2.0), '{"x": %d}' % x, "x: int")
    entry([("q", 0), ("f", 0)], "truncated(NegBinomial(q, f), lower = 1)", "x",
          lambda v, x=x: rising(v[1], x) + [-v[1] * log1p(v[0] / v[1]), x * log(v[0] / (v[0] + v[1])), -log(-expm1(-v[1] * log1p(v[0] / v[1])))], lambda: rate(2), '{"x": %d}' % x, "x: int")
    entry([("p", 0)], "truncated(Binomial(n, p), lower = 1)", "x",
          lambda v, x=x: choose(mpf(50), mpf(x)) + [x * log(v[0]), (50 - x) * log1p(-v[0]), -log(-expm1(50 * log1p(-v[0])))], lambda: [short(10 ** random.uniform(-4, -0.1))], '{"n": 50, "x": %d}' % x, "n: int, x: int")
entry([("q", 0)], "truncated(Poisson(q), lower = 2, upper = 9)", "x", lambda v: poisson(v[0], 4) + [-t for t in log_sum([poisson(v[0], k) for k in range(2, 10)])], lambda: rate(1, 1.0), '{"x": 4}', "x: int")
for event in ("true", "false"):
    entry([("k", 0), ("s", 0), ("x", 0)], "right_censored(Weibull(k, s), e)", "x",
          lambda v, event=event: ([log(v[0]), -log(v[1]), (v[0] - 1) * log(v[2] / v[1])] if event == "true" else []) + [-(v[2] / v[1]) ** v[0]], lambda: rate(3, 0.5), '{"e": %s}' % event, "e: bool")
    entry(normal_at + [("x", 0)], "left_censored(Normal(m, s), e)", "x", lambda v, event=event: phi(*v) if event == "true" else [below(*v)], lambda: real(1) + rate(1, 0.5) + real(1, 20.0), '{"e": %s}' % event, "e: bool")
entry([("k", 0), ("q", 0), ("x", 2)], "interval_censored(Gamma(k, q))", "x",
      lambda v: log_sum([[log(gammainc(v[0], v[1] * v[2], v[1] * v[3])), -loggamma(v[0])]]), lambda: [short(random.uniform(0.5, 4))] + rate(1, 0.3) + ordered(1, 0.1, 2) + ordered(1, 2.2, 6))
entry([("w", 2)] + normal_at + [("k", 0), ("x", 0)], "mixture(w, [Normal(m, s), Cauchy(k, 1)])", "x",
      lambda v: log_sum([[log(v[0])] + phi(v[2], v[3], v[5]), [log(v[1]), -log(pi), -log1p((v[5] - v[4]) ** 2)]]), lambda: shares(2) + real(1) + rate(1, 0.5) + real(2, 9.0))
entry(normal_at + [("k", 0), ("x", 0)], "switch(2, [Normal(m, s), Cauchy(k, 1)])", "x", lambda v: [-log(pi), -log1p((v[3] - v[2]) ** 2)], lambda: real(1) + rate(1) + real(2, 9.0))

for at, (model, data, n, terms, point) in enumerate(D):
    if at in (0, FIRST):
        random.seed(2 + at)
        mp.dps = 200 if at else 80  # a bound far out moves a density by 1e-60
    count = ROWS if n else 1
    print("%s\n%s\n%d %d" % (model.replace("; ;", ";"), data, n, count))
    for _ in range(count):
        p = point()
        v = [mpf(t) for t in p]
        t = terms(v)
        out = ["%.17g" % u for u in p] + [mp.nstr(sum(t), 20), "%.3g" % float(sum(abs(u) for u in t))]
        for k in range(n):
            h = (abs(v[k]) or 1) * mpf(10) ** -25
            a, b = list(v), list(v)
            a[k] += h
            b[k] -= h
            d = [(s - r) / (2 * h) for s, r in zip(terms(a), terms(b))]
            out += [mp.nstr(sum(d), 20), "%.3g" % float(sum(abs(u) for u in d))]
        print(" ".join(out))
