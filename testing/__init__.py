"""What tests, demo and benches share: a simulated Label Studio, shops and features."""
