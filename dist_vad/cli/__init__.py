"""The commands, one module each; nowhere else is a command line read."""

import os

# Threads that wait for others sleep. By default they spin, and take the core from the one that they wait for, wherever
# another process wants it. It counts from when torch is loaded, which no command does before its settings are read.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
