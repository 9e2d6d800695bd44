"""Shard sets as a consumer sees them: manifest, samples, streams, loader, cache, stores."""
