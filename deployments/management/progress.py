"""Progress bars of commands that take long."""

from typing import Any

from tqdm import tqdm


class Bars:
    """A progress bar for each step; none where nobody watches."""

    def __enter__(self) -> "Bars":
        self._bars: dict[str, Any] = {}
        return self

    def __exit__(self, *exception: object) -> None:
        for bar in self._bars.values():
            bar.close()

    def show(self, step: str, done: int, total: int) -> None:
        """Show how much of a step is done; `total` may grow while it goes on."""
        bar = self._bars.setdefault(step, None) or tqdm(desc=step, unit=f" {step}", disable=None)
        self._bars[step] = bar
        bar.total = max(total, done)
        bar.update(done - bar.n)
        bar.refresh()
