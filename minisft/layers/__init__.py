"""One file = one layer = one lesson. Each is a module with `forward`, `backward` and `example(rng)`; nothing is stored."""
