// Before the first paint: theme, text size and the width of the list as they were left, so that nothing flashes or jumps.
// A plain script in the head, since a module waits for the page; the content security policy allows no inline one.
(function () {
  try {
    var root = document.documentElement;
    var theme = localStorage.getItem('standin.theme');
    if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
    var size = Number(localStorage.getItem('standin.text-size'));
    if (size >= 90 && size <= 200) root.style.fontSize = size + '%';
    var width = Number(localStorage.getItem('standin.sidebar'));
    if (width >= 180 && width <= 320) root.style.setProperty('--sidebar', width + 'px');
  } catch {
    // A window without a memory of its own begins as the system says.
  }
})();
