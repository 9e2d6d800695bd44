"""How far each score is to be trusted: weights learned from synthetic anomalies on held-out normal video."""

import numpy as np
from scipy.optimize import minimize

from dist_vad.base.exact import one_thread

RIDGE = 0.01
"""Penalty on the squared weights: keeps them finite where synthetic anomalies are told apart without an error."""


@one_thread
def fusion_weights(normal: np.ndarray, synthetic: list[np.ndarray]) -> np.ndarray:
    """Weights of several calibrated anomaly scores in their sum: 0 or more, together 1, float64 [M].

    A logistic regression with non-negative weights tells synthetic anomalies from normal objects. The normal objects
    and each kind of synthetic anomaly count as much as their number divided away. A score that only repeats what a
    better one says, or that also rises for normal objects, so gets little: a head is not weighed by itself but beside
    the others. Equal weights where no score tells anything.

    Args:
        normal: scores of held-out normal objects, [N, M].
        synthetic: scores of the anomalies of each kind, [n, M] each.
    """
    values = np.concatenate([normal, *synthetic])
    sign = np.concatenate([np.full(len(normal), -1.0), *(np.ones(len(kind)) for kind in synthetic)])
    kind_shares = [np.full(len(kind), 0.5 / len(synthetic) / len(kind)) for kind in synthetic]
    share = np.concatenate([np.full(len(normal), 0.5 / len(normal)), *kind_shares])

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        weights, offset = parameters[:-1], parameters[-1]
        margin = sign * (values @ weights + offset)
        pull = -share * sign / (1 + np.exp(np.clip(margin, -500, 500)))
        gradient = np.append(values.T @ pull + 2 * RIDGE * weights, pull.sum())
        return float(share @ np.logaddexp(0, -margin) + RIDGE * weights @ weights), gradient

    count = normal.shape[1]
    start = np.append(np.full(count, 0.1), 0.0)
    weights = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * count + [(None, None)]).x[:-1]
    return weights / weights.sum() if weights.sum() > 1e-6 else np.full(count, 1 / count)
