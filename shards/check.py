"""Look at a data set before any long job.

python shards/check.py [--help | --help-all] ...
"""

from dist_vad.cli.check import main

if __name__ == "__main__":
    main()
