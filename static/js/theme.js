// Runs before the first paint, so that a page never flashes in the other theme.
const stored = localStorage.getItem("theme");
if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
