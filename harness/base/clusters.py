"""The standard error of a metric whose windows come in articles, and how many degrees of freedom it has.

The textbook interval for clustered data, G/(G-1) times the squared residual totals with Student's t of G-1 degrees of
freedom, covers .87 instead of .95 where ten articles have log-normal sizes: the longest decide the metric, and their
residuals are small because they pulled the metric towards themselves. Both are mended in closed form: the CR2
adjustment and the degrees of freedom of Bell and McCaffrey (Survey Methodology 28, 2002), with the working covariance
of Imbens and Kolesar (Review of Economics and Statistics 98, 2016), in which windows of one article resemble each
other. The studentised and the percentile cluster bootstrap were tried and cover less; see docs/intervals.md.
"""

import numpy as np
from jaxtyping import Float

# Below this many articles no interval is given. From here up coverage is .94 to .97 (docs/intervals.md); at five
# articles of log-normal sizes two of them can be most of the sample, and no formula knows what the others would say.
MINIMUM_ARTICLES = 10
# Share of the variance of a metric that is taken to lie between articles, the rest between windows; it only sets the
# degrees of freedom. Estimating it buys nothing: with 0 the intervals cover .937 to .958, with all of it .968 to .983,
# with .3 from .945 to .967, whatever the true share is (20,000 draws each of 10 to 60 articles of log-normal sizes).
BETWEEN = 0.3


def cluster_error(
    influence: Float[np.ndarray, "*b g"], sizes: Float[np.ndarray, "*b g"]
) -> tuple[Float[np.ndarray, "*b"], Float[np.ndarray, "*b"]]:
    """Standard error of a metric, and its degrees of freedom.

    Args:
        influence: how far each article moves the metric; sums to zero. Of a mean over N windows it is the total of
            the article's residuals over N.
        sizes: windows of each article; at least two articles must have some.

    Returns:
        The error, the root of sum_g influence_g^2 / (1 - w_g) where w is the share of the windows (CR2), and the
        degrees of freedom by Satterthwaite's rule under the working covariance.
    """
    weight = sizes / sizes.sum(axis=-1, keepdims=True)
    adjust = 1.0 / (1.0 - weight)
    error = np.sqrt((adjust * influence**2).sum(axis=-1))
    square = sizes**2
    variance = BETWEEN * square / square.sum(axis=-1, keepdims=True) + (1.0 - BETWEEN) * weight
    # Influences have covariance diag(v) - w v' - v w' + w w', as v sums to one. With A = diag(adjust), the squared
    # error has expectation tr(A cov) and variance 2 tr(A cov A cov); both in one pass over the articles.
    own = variance * (1.0 - 2.0 * weight) + weight**2
    expected = (adjust * own).sum(axis=-1)
    ww, vv, wv = (
        (adjust * a * b).sum(axis=-1) for a, b in ((weight, weight), (variance, variance), (weight, variance))
    )
    between = 2.0 * ww * vv + 2.0 * wv**2 + ww**2 - 4.0 * ww * wv
    within = (adjust**2 * (variance**2 + 2.0 * variance * (weight**2 - 2.0 * weight * variance))).sum(axis=-1)
    return np.asarray(error), np.asarray(expected**2 / (between + within))
