"""What is on disk: checkpoints, released files, records of results, and arrays and archives of strangers."""
