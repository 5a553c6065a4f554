"""DVC's stages and the computations behind the statements."""

from pathlib import Path

from micronet_own import check_own

check_own(Path(__file__).resolve().parent.parent, "paper", "registry", "report")
