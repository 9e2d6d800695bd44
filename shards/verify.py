"""Check every shard set below a folder, and repair it.

python shards/verify.py [--help | --help-all] ...
"""

from dist_vad.cli.verify import main

if __name__ == "__main__":
    main()
