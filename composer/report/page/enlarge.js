// One picture of the grid, large, with its row beside it and the same slider.
const large = { column: 0, row: 0, built: false, show: () => undefined };

function enlarge(column, row) {
  Object.assign(large, { column, row });
  const dialog = byId("enlarged");
  if (!large.built) buildViewer(dialog);
  if (!dialog.open) dialog.showModal();
  goTo(time.index);
  large.show();
}

function buildViewer(dialog) {
  large.built = true;
  const title = make("h3", {});
  const picture = make("div", { class: "large", role: "img" });
  const strip = make("div", { class: "row" });
  const keys = make("p", { class: "keys" }, make("kbd", {}, "←"), " ", make("kbd", {}, "→"), " time   ", make("kbd", {}, "↑"), " ", make("kbd", {}, "↓"),
    " row   ", make("kbd", {}, "["), " ", make("kbd", {}, "]"), " column   ", make("kbd", {}, "Esc"), " close");
  dialog.append(make("div", { class: "viewer" },
    make("header", {}, title, iconButton("close", "Close", () => dialog.close())), picture, strip, makeTransport(), keys));
  large.show = () => {
    const sample = samples[time.shown];
    if (!dialog.open || !sample) return;
    const layout = layoutOf(sample), columns = layout.columns;
    large.column = Math.min(large.column, columns.length - 1);
    const column = columns[large.column];
    title.replaceChildren(make("code", {}, column.name || "samples"), make("small", {}, `row ${large.row + 1} of ${layout.rows}, ${column.width} × ${column.height} pixels`));
    picture.setAttribute("aria-label", `${column.name}, row ${large.row + 1}, iteration ${sample.iteration}`);
    const space = Math.min(dialog.clientWidth - 40, 800);
    const fit = Math.min(space / column.width, Math.max(160, innerHeight * 0.56) / column.height);
    const dots = window.devicePixelRatio || 1;
    place(picture, sample, column, large.row, fit > 1 ? Math.max(1, Math.floor(fit * dots) / dots) : fit);
    const number = columns.length > 1 ? columns.length : 0;
    if (strip.childElementCount !== number) {
      strip.replaceChildren(...columns.slice(0, number).map((one, at) =>
        make("button", { type: "button", title: one.name, onclick: () => enlarge(at, large.row) }, make("i", {}), make("span", {}, one.name))));
    }
    [...strip.children].forEach((button, at) => {
      button.setAttribute("aria-pressed", String(at === large.column));
      place(button.firstChild, sample, columns[at], large.row, 72 / Math.max(columns[at].width, columns[at].height));
    });
  };
  time.watchers.push(large.show);
  large.show.soon = undefined;
  dialog.addEventListener("keydown", event => {
    const layout = layoutOf(samples[Math.max(0, time.shown)]);
    const turn = (value, by, number) => (value + by + number) % number;
    const act = {
      ArrowLeft: () => goTo(time.index - 1), ArrowRight: () => goTo(time.index + 1),
      Home: () => goTo(0), End: () => goTo(samples.length - 1),
      ArrowUp: () => enlarge(large.column, turn(large.row, -1, layout.rows)),
      ArrowDown: () => enlarge(large.column, turn(large.row, 1, layout.rows)),
      "[": () => enlarge(turn(large.column, -1, layout.columns.length), large.row),
      "]": () => enlarge(turn(large.column, 1, layout.columns.length), large.row),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    play(false);
    act();
  });
  dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
  addEventListener("resize", () => large.show());
}
