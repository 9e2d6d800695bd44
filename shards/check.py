"""Look at a data set before any long job: what is there, what is missing, what does not match what was published.

python shards/check.py --data NAME --root DIR [--labels FILE] [--decode]
"""

from dist_vad.cli.check import main

if __name__ == "__main__":
    main()
