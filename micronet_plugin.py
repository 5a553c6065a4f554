"""MicroNet's plugin under a name of its own: `custom_imports = dict(imports=['micronet_plugin'])`.

`registry` does the same until another module of that name comes first on the path; this one says so.
"""

from pathlib import Path

from micronet_own import check_own

check_own(Path(__file__).resolve().parent, "registry")

import registry  # noqa: E402, F401
