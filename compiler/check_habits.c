/* check_habits.c: names that people bring from Stan, PyMC, R and Python, and what they are called here.
 *
 * Looked up only after a name was not found, so nothing here can change what a program means. */
#include "compiler/check_state.h"

#include <string.h>

typedef struct habit {
  const char *names; /* " normal norm " */
  const char *help;
} habit;

static const char recipe[] = "write it as a `dist`, or its density with `factor`: docs/from_stan.md shows how";

/* The distributions that are missing share a help, by which they are told. */
static const habit dists[] = {
    {" Gaussian gaussian normal norm ", "it is `Normal(mu, sigma)`, sigma being the standard deviation"},
    {" dnorm ", "it is `Normal(mu, sigma)`, sigma being the standard deviation; with a precision tau, as JAGS has it, `Normal(mu, 1 / sqrt(tau))`"},
    {" std_normal StandardNormal ", "it is `Normal(0, 1)`"},
    {" half_normal halfnorm HalfGaussian ", "it is `HalfNormal(sigma)`"},
    {" Exp exp exponential expon dexp ", "it is `Exponential(rate)`, whose mean is 1 / rate"},
    {" half_student_t HalfT ", "it is `HalfStudentT(nu, sigma)`"},
    {" student_t StudentsT Student T t dt ", "it is `StudentT(nu, mu, sigma)`"},
    {" gamma dgamma ", "it is `Gamma(shape, rate)`, whose mean is shape / rate"},
    {" inv_gamma InverseGamma Inverse_Gamma invgamma ", "it is `InvGamma(shape, scale)`"},
    {" beta dbeta ", "it is `Beta(a, b)`"},
    {" lognormal Lognormal log_normal lognorm ", "it is `LogNormal(mu, sigma)`, of the logarithm"},
    {" cauchy ", "it is `Cauchy(mu, sigma)`"},
    {" half_cauchy halfcauchy ", "it is `HalfCauchy(sigma)`"},
    {" uniform unif dunif ", "it is `Uniform(a, b)`"},
    {" bernoulli dbern ", "it is `Bernoulli(p)`"},
    {" bernoulli_logit BernoulliLogit BernoulliLogits ", "it is `Bernoulli(logit = x)`"},
    {" poisson dpois ", "it is `Poisson(rate)`"},
    {" poisson_log PoissonLog ", "it is `Poisson(log = x)`"},
    {" categorical dcat ", "it is `Categorical(p)`, over 1..K"},
    {" categorical_logit CategoricalLogit ", "it is `Categorical(logit = x)`, over 1..K"},
    {" dirichlet ", "it is `Dirichlet(alpha)`"},
    {" multi_normal MvNormal MultivariateNormal multivariate_normal mvnormal ", "it is `MultiNormal(mu, cov)` or `MultiNormal(mu, cholesky = L)`"},
    {" dmnorm ", "it is `MultiNormal(mu, precision = P)`, whose matrix is a precision as that of JAGS is"},
    {" multi_normal_cholesky ", "it is `MultiNormal(mu, cholesky = L)`"},
    {" chi_square ChiSquare Chi2 ", "it is `ChiSquared(nu)`"},
    {" inv_chi_square InverseChiSquared ", "it is `InvChiSquared(nu)`"},
    {" scaled_inv_chi_square ScaledInverseChiSquared ", "it is `ScaledInvChiSquared(nu, sigma)`"},
    {" flat ImproperUniform improper_uniform ", "it is `Flat()`, over the support of what stands left of `~`"},
    {" HalfFlat ", "its type says which half: `x: real<lower = 0> ~ Flat()`"},
    {" discrete_range ", "it is `DiscreteUniform(a, b)`"},
    {" Truncated TruncatedNormal truncated_normal ", "it is `truncated(Normal(mu, sigma), lower = a, upper = b)`, of any distribution with a cdf"},
    {" Censored censored ", "it is `right_censored(D, event)`, `left_censored(D, event)` or `interval_censored(D)`"},
    {" Mixture MixtureSameFamily NormalMixture ", "it is `mixture(w, Normal(mu, sigma))`, with an element of mu and sigma for each component"},
    {" normal_id_glm ", "it is `Normal(alpha + X @ beta, sigma)`"},
    {" bernoulli_logit_glm ", "it is `Bernoulli(logit = alpha + X @ beta)`"},
    {" poisson_log_glm ", "it is `Poisson(log = alpha + X @ beta)`"},
    {" neg_binomial_2_log_glm ", "it is `NegBinomial(log = alpha + X @ beta, phi = phi)`"},
    {" ordered_logistic ", "it is `OrderedLogistic(eta, cut)`, over 1..K with K - 1 cut points"},
    {" binomial dbinom ", "it is `Binomial(n, p)`"},
    {" binomial_logit BinomialLogit ", "it is `Binomial(n, logit = x)`"},
    {" beta_binomial ", "it is `BetaBinomial(n, a, b)`"},
    {" NegativeBinomial neg_binomial_2 ", "it is `NegBinomial(mu, phi)`, of mean mu and variance mu + mu^2 / phi"},
    {" neg_binomial_2_log ", "it is `NegBinomial(log = x, phi = phi)`"},
    {" neg_binomial ", "it is `NegBinomial(alpha = a, beta = b)`, of mean a / b"},
    {" geometric ", "it is `Geometric(p)`, the failures before the first success"},
    {" hypergeometric ", "it is `HyperGeometric(n, marked, other)`"},
    {" zero_inflated_poisson ZIP ", "it is `ZeroInflatedPoisson(theta, rate)`"},
    {" multinomial ", "it is `Multinomial(n, p)`"},
    {" dirichlet_multinomial ", "it is `DirichletMultinomial(n, alpha)`"},
    {" LKJCorr lkj lkj_corr ", "it is `LKJ(eta)`, of a `corr(K)`"},
    {" lkj_corr_cholesky LKJCholeskyCov ", "it is `LKJCholesky(eta)`, of a `cholesky_corr(K)`"},
    {" wishart ", "it is `Wishart(nu, V)`"},
    {" inv_wishart InverseWishart ", "it is `InvWishart(nu, V)`"},
    {" multi_normal_prec ", "it is `MultiNormal(mu, precision = P)`"},
    {" multi_student_t MvStudentT ", "it is `MultiStudentT(nu, mu, cov)`"},
    {" GaussianRandomWalk gaussian_random_walk ", "it is `RandomWalk(start, sigma)`, of a `real[N]`"},
    {" weibull ", "it is `Weibull(shape, scale)`"},
    {" frechet ", "it is `Frechet(shape, scale)`"},
    {" pareto ", "it is `Pareto(shape, scale)`, on values above scale"},
    {" rayleigh ", "it is `Rayleigh(sigma)`"},
    {" loglogistic log_logistic ", "it is `LogLogistic(shape, scale)`"},
    {" laplace double_exponential DoubleExponential ", "it is `Laplace(mu, sigma)`"},
    {" logistic ", "it is `Logistic(mu, sigma)`"},
    {" gumbel ", "it is `Gumbel(mu, sigma)`"},
    {" exp_mod_normal exgaussian ExGaussian ", "it is `ExpModNormal(mu, sigma, rate)`"},
    {" skew_normal ", "it is `SkewNormal(mu, sigma, alpha)`"},
    {" von_mises ", "it is `VonMises(mu, kappa)`"},
    {" zero_sum_normal ", "it is `ZeroSumNormal(sigma)`, of a `sum_to_zero(K)`"},
    {" custom CustomDist DensityDist ", "declare it: `dist D(mu: real) on real { logpdf(x) = ... }`; docs/from_stan.md shows one"},
    {" AsymmetricLaplace Kumaraswamy ", recipe},
};

static const habit functions[] = {
    {" ln ", "it is `log(x)`"},
    {" log10 ", "it is `log(x) / log(10.0)`"},
    {" log2 ", "it is `log(x) / log(2.0)`"},
    {" normal_cdf std_normal_cdf pnorm normcdf phi Phi_approx ", "it is `Phi(x)` of the standard normal, `Phi((x - mu) / sigma)` of others"},
    {" normal_lcdf std_normal_lcdf ", "it is `logcdf(Normal(mu, sigma), x)`, or `log_Phi(x)` of the standard normal"},
    {" normal_lccdf ", "it is `logccdf(Normal(mu, sigma), x)`"},
    {" normal_lpdf bernoulli_lpmf poisson_lpmf dnorm logp ", "it is `logpdf(Normal(mu, sigma), x)`, and so of every distribution"},
    {" qnorm ppf inv_Phi_approx probit ", "it is `inv_Phi(p)`"},
    {" sigmoid expit invlogit logistic plogis ", "it is `inv_logit(x)`"},
    {" qlogis ", "it is `logit(p)`"},
    {" fabs Abs ", "it is `abs(x)`"},
    {" append append_row append_col concat concatenate hstack vstack stack c ",
     "arrays are built by elements: `[a, b]`, `[e for i in 1..N]`, `columns(x, y)`, or `let v[1] = a` and a loop for the rest"},
    {" length len nrow num_elements rows numel shape ", "it is `size(x)`"},
    {" ncol cols ", "it is `size(x, 2)`"},
    {" std stdev ", "it is `sd(x)`"},
    {" var ", "it is `variance(x)`"},
    {" logsumexp ", "it is `log_sum_exp(x)`"},
    {" log_mix ", "it is `log_sum_exp([log(w) + a, log1p(-w) + b])`"},
    {" log1m ", "it is `log1p(-x)`"},
    {" logaddexp log_sum_exp2 ", "it is `log_add_exp(a, b)`"},
    {" log1p_exp softplus log1pexp ", "it is `log1p_exp(x)`"},
    {" dot_product inner inprod ", "it is `dot(x, y)`"},
    {" det determinant log_determinant logdet log_determinant_spd slogdet ", "of a covariance matrix A the log determinant is `2 * sum(log(L[i, i]) for i in 1..K)` with `let L = cholesky(A)`"},
    {" trace diagonal ", "the diagonal of a matrix is `[A[i, i] for i in 1..K]`, its trace `sum(A[i, i] for i in 1..K)`"},
    {" segment head tail sub_row sub_col block ", "a slice is written `x[a..b]`, of a matrix `X[a..b, c..d]`"},
    {" step int_step Heaviside heaviside equals ", "it is a comparison: `x >= 0`, which counts as 0 and 1"},
    {" log_inv_logit log_sigmoid ", "it is `-log1p_exp(-x)`"},
    {" log1m_inv_logit ", "it is `-log1p_exp(x)`"},
    {" quad_form_diag ", "it is `diag(s) @ R @ diag(s)`"},
    {" diag_pre_multiply ", "it is `diag(s) @ L`"},
    {" diag_post_multiply ", "it is `L @ diag(s)`"},
    {" quad_form ", "it is `B' @ A @ B`, of a vector `dot(b, A @ b)`"},
    {" pow_int power ", "it is `x^n`"},
    {" dot_self ", "it is `dot(x, x)`"},
    {" range seq seq_len arange ", "a range is written `1..N`"},
    {" matmul mm ", "it is `A @ B`"},
    {" transpose t ", "it is `A'`"},
    {" inverse inv solve mdivide_left mdivide_left_tri_low ", "of a number it is 1 / x; a matrix is solved by its `cholesky`, `solve_lower` and `solve_lower_t`"},
    {" cholesky_decompose chol ", "it is `cholesky(A)`"},
    {" rep_vector rep_array rep_matrix fill full repeat ", "it is `rep(x, n)`, or `rep(x, n, m)`"},
    {" zeros zeros_vector ", "it is `rep(0.0, n)`"},
    {" ones ones_vector ", "it is `rep(1.0, n)`"},
    {" identity_matrix eye ", "it is `diag(rep(1.0, K))`"},
    {" diag_matrix ", "it is `diag(v)`"},
    {" one_hot ", "it is `onehot(k, n)`"},
    {" cumulative_sum ", "it is `cumsum(x)`"},
    {" gammaln loggamma gammaln1 ", "it is `lgamma(x)`"},
    {" tgamma ", "it is `exp(lgamma(x))`"},
    {" lbeta betaln ", "it is `log_beta(a, b)`"},
    {" lchoose binomial_coefficient_log ", "it is `log_choose(n, k)`"},
    {" gp_exp_quad_cov gp_matern32_cov gp_matern52_cov gp_periodic_cov cov_exp_quad ", "it is `gp_exp_quad(distances(x, x), sigma, rho)`, and so of the other kernels"},
    {" ode_rk45 ode_adams ode_ckrk integrate_ode integrate_ode_rk45 odeint solve_ivp diffeqsolve ", "it is `ode(f, u0, t0, ts, ...)`, the parameters of f behind the times"},
    {" ode_bdf ode_bdf_tol integrate_ode_bdf ", "it is `ode(f, u0, t0, ts, ..., solver = stiff)`, the parameters of f behind the times"},
    {" is_na is_nan isnan is_missing isna ", "missing values need no test: an array that a statement observes may have them, see \"Missing values\" in section 4 of docs/language.md"},
    {" where ifelse if_else ", "it is `select(c, a, b)`, or `if c { a } else { b }`"},
    {" infinity positive_infinity Inf ", "it is `inf`, a number with a name"},
    {" negative_infinity ", "it is `-inf`"},
    {" sort sort_asc sort_desc sorted order argsort rank median ", "nothing sorts here: data are sorted before the run, and unknowns in order have the type `ordered(K)`"},
    {" fmin minimum ", "it is `min(a, b)`"},
    {" fmax maximum ", "it is `max(a, b)`"},
    {" to_vector to_array to_array_1d to_matrix flatten array ", "arrays need no conversion; `[e for i in 1..N]` rearranges one"},
};

/* Distributions are told apart by their letters and digits alone: `Student_t` is `student_t` is `StudentT`. */
static bool same_letters(const char *word, const char *name) {
  for (;; word++, name++) {
    while (*word == '_') word++;
    while (*name == '_') name++;
    if (*word == ' ' || !*name) return *word == ' ' && !*name;
    if ((*word | 32) != (*name | 32)) return false;
  }
}

static const char *find_dist(const char *name) {
  for (size_t i = 0; *name && i < sizeof dists / sizeof dists[0]; i++)
    for (const char *at = dists[i].names; *at; at++)
      if (*at == ' ' && at[1] && same_letters(at + 1, name)) return dists[i].help;
  return NULL;
}

static const char *find(const habit *table, size_t n, const char *name) {
  size_t len = strlen(name);
  for (size_t i = 0; len && i < n; i++)
    for (const char *at = table[i].names; (at = strstr(at, name)) != NULL; at++)
      if (at[-1] == ' ' && at[len] == ' ') return table[i].help;
  return NULL;
}

static bool ends_in(const char *name, const char *end) {
  size_t n = strlen(name), k = strlen(end);
  return n > k && strcmp(name + n - k, end) == 0;
}

const char *habit_function(const char *name) {
  const char *own = find(functions, sizeof functions / sizeof functions[0], name);
  if (own) return own;
  if (ends_in(name, "_rng")) return "a draw has a name: `x ~ Normal(mu, sigma)`, in `predict { ... }` if it does not take part in the fit";
  if (ends_in(name, "_lpdf") || ends_in(name, "_lpmf")) return "it is `logpdf(D, x)` of a distribution D: `logpdf(Normal(mu, sigma), x)`";
  if (ends_in(name, "_lcdf")) return "it is `logcdf(D, x)` of a distribution D: `logcdf(Normal(mu, sigma), x)`";
  if (ends_in(name, "_lccdf")) return "it is `logccdf(D, x)` of a distribution D: `logccdf(Normal(mu, sigma), x)`";
  if (ends_in(name, "_cdf")) return "it is `cdf(D, x)` of a distribution D: `cdf(Normal(mu, sigma), x)`";
  return NULL;
}

static const habit modules[] = {{" np numpy jnp math torch tf scipy stats jax tt pt ", "functions stand by themselves: `exp(x)`, `sum(x)`; docs/language.md, section 8, lists them"}};

const char *habit_module(const char *name) { return find(modules, 1, name); }

const char *habit_dist(const char *name, bool *missing) {
  const char *help = find_dist(name);
  if (!help && ends_in(name, "_rng")) help = "what is drawn after the fit has its distribution by its own name: `predict { x ~ Normal(mu, sigma) }`";
  *missing = help == recipe;
  return help;
}

/* Parameters that other programs give a distribution. */
const char *habit_parameter(const char *dist, const char *param) {
  static const struct { const char *dist, *params, *help; } table[] = {
      {"Gamma", " scale theta ", "it is `Gamma(shape, rate)`: `rate = 1 / scale`"},
      {"Gamma", " alpha a ", "it is `Gamma(shape, rate)`"},
      {"Gamma", " beta b ", "it is `Gamma(shape, rate)`"},
      {"Gamma", " mu mean ", "it is `Gamma(shape, rate)`, whose mean is shape / rate"},
      {"InvGamma", " rate ", "it is `InvGamma(shape, scale)`: that of 1 / x with x ~ `Gamma(shape, rate = scale)`"},
      {"InvGamma", " alpha beta ", "it is `InvGamma(shape, scale)`"},
      {"Exponential", " scale beta mean ", "it is `Exponential(rate)`: `rate = 1 / scale`"},
      {"Exponential", " lam lambda ", "it is `Exponential(rate)`"},
      {"Normal", " scale sd std tau precision ", "it is `Normal(mu, sigma)`, sigma being the standard deviation"},
      {"Normal", " variance var sigma2 ", "it is `Normal(mu, sigma)`, sigma being the standard deviation: `sigma = sqrt(v)`"},
      {"Normal", " mean loc ", "it is `Normal(mu, sigma)`"},
      {"Uniform", " lower low min ", "it is `Uniform(a, b)`"},
      {"Uniform", " upper high max ", "it is `Uniform(a, b)`"},
      {"Beta", " alpha beta mu ", "it is `Beta(a, b)`"},
      {"Poisson", " lam lambda mu log_rate eta ", "it is `Poisson(rate)` or `Poisson(log = x)`"},
      {"Bernoulli", " logits logit_p prob probs theta ", "it is `Bernoulli(p)` or `Bernoulli(logit = x)`"},
      {"Categorical", " logits logit_p prob probs theta ", "it is `Categorical(p)` or `Categorical(logit = x)`"},
      {"MultiNormal", " Sigma sigma covariance_matrix ", "it is `MultiNormal(mu, cov)`"},
      {"", " shape dims size dim plate ", "the extents stand in the type of what is drawn: `x: real[P] ~ ...`"},
      {"", " observed obs y ", "data are observed by their name left of `~`: `y ~ ...`"},
      {"MultiNormal", " chol L scale_tril ", "it is `MultiNormal(mu, cholesky = L)`"},
  };
  size_t len = strlen(param);
  for (size_t i = 0; len && i < sizeof table / sizeof table[0]; i++) {
    if (table[i].dist[0] && strcmp(table[i].dist, dist) != 0) continue;
    for (const char *at = table[i].params; (at = strstr(at, param)) != NULL; at++)
      if (at[-1] == ' ' && at[len] == ' ') return table[i].help;
  }
  return NULL;
}
