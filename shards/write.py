"""Cut a data set into shards.

python shards/write.py --config configs/data/plaza.yaml --out DIR|s3://BUCKET/PREFIX [--on_error skip] [--settings ...]

Many ranks share out the videos: `accelerate launch shards/write.py ...` or `srun python shards/write.py ...`.
"""

from dist_vad.cli.write import main

if __name__ == "__main__":
    main()
