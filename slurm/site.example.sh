# shellcheck shell=bash disable=SC2034  # slurm/common.sh uses what is set here
# What is peculiar to a cluster. Copy it to slurm/site.sh, which git ignores, and change what your site needs;
# SITE=FILE names another one for a single call. It is read where jobs are submitted and again within each job.

# Options for sbatch, by kind of job. The scripts ask for a requeue and a signal before the limit by themselves.
# The producer needs cores, no GPU: one task a rank. An array starts job by job, as nodes get free.
SHARDS_JOB=(--partition=cpu --time=08:00:00 --array=0-15 --ntasks=4 --cpus-per-task=1)
# One launcher a node: --ntasks-per-node stays 1, and the cores of a node are shared by the ranks of its GPUs.
TRAIN_JOB=(--partition=gpu --time=12:00:00 --nodes=2 --gres=gpu:4 --cpus-per-task=32)
EVALUATE_JOB=(--partition=gpu --time=02:00:00 --nodes=1 --gres=gpu:4 --cpus-per-task=32)

# The environment of every job: its Python, and modules that must be loaded.
# module load cuda
# PYTHON=$HOME/envs/dist_vad/bin/python

# Options of shards/write.py: a fast local disk for shards on their way to a bucket, say.
# PRODUCER=(--scratch /local/scratch --on_error skip)

# Ranks of a node without GPUs, where one each is not enough.
# export RANKS_PER_NODE=4
# A file of configs/accelerate in place of plain data parallelism, DeepSpeed say. The machines, their number, and where
# they meet come from Slurm all the same.
# export ACCELERATE_CONFIG=configs/accelerate/zero2.yaml

# The interface over which nodes talk, where the first one found is the wrong one.
# export NCCL_SOCKET_IFNAME=ib0 GLOO_SOCKET_IFNAME=ib0

# A bucket in place of the shared disk for shards: as for every AWS tool.
# export AWS_ENDPOINT_URL=https://s3.example.org
