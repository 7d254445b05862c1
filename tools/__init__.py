"""What a checkout has beside the package: the demo, a local stack, sample pictures, the shipped encoders' training."""
