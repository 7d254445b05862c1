"""Parts that tests, demo and benchmarks share: a simulated Label Studio, shops and features."""
