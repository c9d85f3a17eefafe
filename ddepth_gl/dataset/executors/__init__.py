"""Ways to run the shards of a plan: threads with a renderer process each, or tasks of Ray."""
