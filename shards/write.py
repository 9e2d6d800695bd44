"""Cut a data set into shards.

python shards/write.py [--help | --help-all] ...
"""

from dist_vad.cli.write import main

if __name__ == "__main__":
    main()
