"""DVC's stages and the computations behind the statements."""

import os
from pathlib import Path

from papertally.shadowing import check_own

check_own(Path(__file__).resolve().parent.parent, "papertally", "registry", "report")
# Before torch is imported: threads that spin while they wait cost a multiple where another process has their core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
