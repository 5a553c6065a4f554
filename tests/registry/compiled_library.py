"""What tests of the compiled operators share: a library made for one module, and the reason why there is none."""

from __future__ import annotations

import shutil

import pytest

from registry.ops import native

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, native.COMPILERS)), reason="no C compiler on PATH: the form cannot be made here"
)


def library_for_module(*flags):
    """Return a fixture that prepares the library for a module, in a cache of its own; flags: in place of -O3."""

    @pytest.fixture(scope="module", autouse=True)
    def prepared(tmp_path_factory):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
            patch.setattr(native, "ALWAYS", (*(flags or native.ALWAYS[:1]), *native.ALWAYS[1:]))
            patch.setattr(native, "_state", {"asked": False, "library": None})
            patch.delenv(native.VARIABLE, raising=False)
            assert native.prepare()
            yield

    return prepared
