"""Video anomaly detection by progressive learning of proxy tasks."""

__version__ = "0.2.0"
