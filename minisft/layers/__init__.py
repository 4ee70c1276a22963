"""One file = one layer = one lesson: a module with `forward`, `backward` and `example(rng)`, which stores nothing."""
