// Puts the remembered colours on the page before it is painted. Loaded in the head, so that nothing flashes.
(() => {
  let theme = null;
  try { theme = localStorage.getItem("pokea-theme"); } catch { /* storage refused: the system's colours */ }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
