"""Named computations behind the claims of the prose; `load` finds them all."""
