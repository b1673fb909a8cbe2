"""The fused CUDA engine: one Triton program trains one network through all steps of a call."""
