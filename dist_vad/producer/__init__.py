"""The sharding job: videos in, tar shards with an index and a manifest out."""
