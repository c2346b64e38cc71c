// Everything in its place. A part that fails says so where it would stand; the others are drawn all the same.
function part(id, work) {
  try {
    work();
  } catch (error) {
    console.error(error);
    byId(id).append(make("p", { class: "empty" }, `This part could not be drawn: ${error.message}`));
  }
}

part("top", drawHead);
part("samples", drawSamples);
part("curves", drawCurves);
part("numbers", drawNumbers);
part("graph", drawGraph);
part("settings", drawSettings);

const themeButton = byId("theme");
const sayTheme = () => {
  const chosen = document.documentElement.dataset.chosen;
  setIcon(themeButton, chosen, `Colours: ${chosen === "auto" ? "as the system" : chosen}`);
};
themeButton.addEventListener("click", () => { chooseTheme(nextTheme()); sayTheme(); });
sayTheme();

// The part that is read now, in the navigation.
const links = [...document.querySelectorAll(".bar nav a")];
const watched = new IntersectionObserver(entries => {
  for (const { target, isIntersecting } of entries) {
    const link = links.find(one => one.hash === `#${target.id}`);
    if (link && isIntersecting) {
      links.forEach(one => one.removeAttribute("aria-current"));
      link.setAttribute("aria-current", "true");
    }
  }
}, { rootMargin: "-20% 0px -70% 0px" });
links.forEach(link => { const found = document.querySelector(link.hash); if (found) watched.observe(found); });
