// Light or dark: what the system wishes, or what the button says. Runs before anything is drawn.
const wish = matchMedia("(prefers-color-scheme: dark)");
const THEMES = ["auto", "light", "dark"];

function storedTheme() {
  try {
    const found = localStorage.getItem("composer-theme");
    return THEMES.includes(found) ? found : "auto";
  } catch { return "auto"; }  // storage may be switched off
}

function applyTheme(chosen) {
  document.documentElement.dataset.theme = chosen === "auto" ? (wish.matches ? "dark" : "light") : chosen;
  document.documentElement.dataset.chosen = chosen;
}

applyTheme(storedTheme());
wish.addEventListener("change", () => applyTheme(storedTheme()));
window.chooseTheme = chosen => {
  try { localStorage.setItem("composer-theme", chosen); } catch { /* then it lasts as long as the page */ }
  applyTheme(chosen);
};
window.nextTheme = () => THEMES[(THEMES.indexOf(document.documentElement.dataset.chosen) + 1) % THEMES.length];
