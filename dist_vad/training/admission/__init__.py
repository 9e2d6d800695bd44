"""Whether a run may begin: its whole plan, and nobody else at the same stage."""
