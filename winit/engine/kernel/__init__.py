"""The fused CPU engine: machine code for one shape of network, and the loop over steps."""
