"""Serves plotly.js out of the installed plotly package, so that script and library always match."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import plotly
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

_PACKAGE_DATA = Path(plotly.__file__).parent / "package_data"
_BUNDLE = "plotly.min.js"


class PlotlyFinder(BaseFinder):
    """Finds `plotly/plotly.min.js`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.storage = FileSystemStorage(location=_PACKAGE_DATA)
        self.storage.prefix = "plotly"  # type: ignore[attr-defined]

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        """Return where the file is, as `BaseFinder.find` asks."""
        found = [str(_PACKAGE_DATA / _BUNDLE)] if path == f"plotly/{_BUNDLE}" else []
        return found if find_all else (found[0] if found else None)

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterable[Any]:
        """Return each file with its storage, for collectstatic."""
        yield _BUNDLE, self.storage
