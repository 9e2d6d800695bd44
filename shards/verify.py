"""Check every shard set below a folder: presence, sizes, sha256, counts, and every member against its index.

python shards/verify.py DIR|s3://BUCKET/PREFIX [--repair [--root DIR]]

With --repair, videos whose shards are missing or damaged are cut anew, with the settings in the manifest.
"""

from dist_vad.cli.verify import main

if __name__ == "__main__":
    main()
