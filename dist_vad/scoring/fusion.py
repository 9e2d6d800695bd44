"""How far each score is to be trusted: by how well it finds synthetic anomalies in held-out normal video."""

from collections.abc import Mapping

CHANCE = 0.5


def fusion_weights(auc: Mapping[str, float]) -> dict[str, float]:
    """Weights of several calibrated anomaly scores in their norm: 0 or more, together 1.

    Each score counts in proportion to how far its AUC on synthetic anomalies exceeds chance. So a score that finds
    nothing has no say, and none decides alone; nothing is fitted that could fit too well. Equal weights where no score
    tells anything.

    >>> fusion_weights({"prediction": 0.75, "virtual": 0.5, "jigsaw": 0.75})
    {'prediction': 0.5, 'virtual': 0.0, 'jigsaw': 0.5}
    """
    excess = {name: max(value - CHANCE, 0.0) for name, value in auc.items()}
    total = sum(excess.values())
    return {name: value / total if total else 1 / len(excess) for name, value in excess.items()}
