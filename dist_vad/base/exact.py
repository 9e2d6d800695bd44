"""Linear algebra of numpy and scipy with the same bits whatever the number of cores: BLAS on one thread."""

import scipy.linalg  # noqa: F401  (scipy has a BLAS of its own: loaded here, so that the controller finds it)
from threadpoolctl import ThreadpoolController

one_thread = ThreadpoolController().wrap(limits=1, user_api="blas")
"""Decorates a function whose matrix products must not be shared out over threads, which changes how they are summed."""
