"""What a triangular system is, how it is solved, and the certificate; needs JAX and NumPy alone."""
