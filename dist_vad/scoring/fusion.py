"""How far each score is to be trusted: weights learned from anomalies planted on held-out normal video."""

import numpy as np
from scipy.optimize import minimize

from dist_vad.base.exact import one_thread

RIDGE = 0.01
"""Penalty on the squared weights: keeps them finite where planted anomalies are told apart without an error."""


@one_thread
def trust(normal: np.ndarray, planted: list[np.ndarray]) -> np.ndarray:
    """Weights of several rarities in their sum: 0 or more, together 1, float64 [M].

    A logistic regression with non-negative weights tells planted anomalies from normal objects. The normal objects and
    each kind of planted anomaly count as much as their number divided away. A score that only repeats what a better
    one says, or that also rises for normal objects, so gets little: a head is not weighed by itself but beside the
    others. Equal weights where no score tells anything.

    Args:
        normal: rarities of held-out normal objects, [N, M].
        planted: rarities of the anomalies of each kind, [n, M] each.
    """
    values = np.concatenate([normal, *planted])
    sign = np.concatenate([np.full(len(normal), -1.0), *(np.ones(len(some)) for some in planted)])
    share = np.concatenate(
        [np.full(len(normal), 0.5 / len(normal)), *(np.full(len(p), 0.5 / len(planted) / len(p)) for p in planted)]
    )

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        weights, offset = parameters[:-1], parameters[-1]
        margin = sign * (values @ weights + offset)
        pull = -share * sign / (1 + np.exp(np.clip(margin, -500, 500)))
        gradient = np.append(values.T @ pull + 2 * RIDGE * weights, pull.sum())
        return float(share @ np.logaddexp(0, -margin) + RIDGE * weights @ weights), gradient

    count = normal.shape[1]
    start = np.append(np.full(count, 0.1), 0.0)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * count + [(None, None)]).x[:-1]
    return found / found.sum() if found.sum() > 1e-6 else np.full(count, 1 / count)
