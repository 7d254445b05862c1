"""What `tagloom doctor` checks: a function each, which yields findings. `tagloom.doctor.CHECKS` lists them."""
