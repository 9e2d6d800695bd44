"""Validation AUC on synthetic anomalies.

accelerate launch launch/validate.py [--help | --help-all] ...
"""

from dist_vad.cli.validate import main

if __name__ == "__main__":
    main()
