// All charts, grouped by phase, and the controls that they share.
const view = { weighted: false, log: false, spread: true, smooth: 0.6, together: false, range: null, cross: null, over: null };
let panels = [];

function readAt(panel, iteration) {
  view.over = panel;
  view.cross = iteration;
  panels.forEach(one => one.read());
}

function zoomTo(range) {
  view.range = range;
  byId("reset").hidden = range === null;
  panels.forEach(one => one.draw());
}

function whereWords(iteration) {
  const { step, last } = data.curves;
  const from = Math.floor((iteration + 0.5) / step) * step, to = Math.min(last, from + step - 1);
  const epoch = data.epoch ? `, epoch ${whole(Math.floor(from / data.epoch))}` : "";
  return (to > from ? `${whole(from)}–${whole(to)}` : whole(from)) + epoch;
}

const phaseOf = term => term.split("/")[0].split("#")[0];

// `judge#2/real[a,b]` in words: the second repeat of a phase is said.
function termWords(term) {
  const [before, ...rest] = term.split("/"), repeat = before.split("#")[1];
  return rest.join("/") + (repeat ? ` #${repeat}` : "");
}

function phaseGroups() {
  const known = data.graph.phases.map(phase => phase.name);
  const others = data.curves.terms.map(one => phaseOf(one.term)).filter(name => !known.includes(name));
  return [...data.graph.phases, ...[...new Set(others)].map(name => ({ name, update: [], terms: {} }))].map(phase => ({
    phase,
    terms: data.curves.terms.filter(one => phaseOf(one.term) === phase.name).map(one => ({ ...one, label: termWords(one.term) })),
    totals: data.curves.totals.filter(one => phaseOf(one.phase) === phase.name)
      .map(one => ({ ...one, label: one.phase.includes("#") ? `total #${one.phase.split("#")[1]}` : "total" })),
  })).filter(group => group.terms.length || group.totals.length);
}

function phasePanels({ phase, terms, totals }) {
  if (view.together) {
    const one = new Panel("all terms", "", [...terms, ...totals]);
    one.element.classList.add("wide");
    return [one];
  }
  const families = new Map();
  for (const term of terms) {
    const family = term.label.split(/[[ ]/)[0];
    families.set(family, [...(families.get(family) || []), term]);
  }
  const index = term => ({ ...term, label: term.label.replace(/^[^[ ]*/, "") || term.label });
  const found = [...families].map(([family, members]) =>
    new Panel(family, phase.terms[family] || "", members.length > 1 ? members.map(index) : members));
  if (totals.length && terms.length > 1) found.push(new Panel("total", "sum of weight × loss", totals));
  return found;
}

function phaseSection(group) {
  const { phase } = group, mine = phasePanels(group);
  panels.push(...mine);
  const title = make("h3", phase.colour ? { class: "tag", style: { background: phase.colour, color: phase.ink } } : {}, phase.name);
  const updates = phase.update.length ? make("p", {}, "trains ", make("code", {}, phase.update.join(", "))) : null;
  return make("div", { class: "phase", "data-phase": phase.name }, make("header", {}, title, updates),
    make("div", { class: "panels" }, mine.map(one => one.element)));
}

function plainSection(title, words, mine) {
  if (!mine.length) return null;
  panels.push(...mine);
  return make("div", { class: "phase", "data-phase": title }, make("header", {}, make("h3", {}, title), make("p", {}, words)),
    make("div", { class: "panels" }, mine.map(one => one.element)));
}

function validationPanels() {
  const best = data.numbers.find(one => one.name === "best.json");
  const at = best && (best.rows.find(row => row[0] === "iteration") || [])[1];
  return data.validation.map(one => new Panel(one.metric, one.of || "on validation data", [{ label: one.metric, x: one.x, mean: one.y }], { best: at }));
}

function progressPanels() {
  const { rates, seconds } = data.curves, found = [];
  if (rates.length) found.push(new Panel("learning rate", "", rates.map(one => ({ ...one, label: one.group, low: null, high: null })), { fromZero: true }));
  if (seconds) {
    const per = values => values && values.map(value => value ? 1 / value : null);
    const speed = { label: "speed", mean: per(seconds.mean), low: per(seconds.high), high: per(seconds.low) };
    found.push(new Panel("iterations/s", "", [speed], { fromZero: true }));
  }
  return found;
}

function drawPanels() {
  panels = [];
  byId("panels").replaceChildren(...[
    ...phaseGroups().map(phaseSection),
    plainSection("validation", "measured while training", validationPanels()),
    plainSection("progress", "how fast it learns, and how fast it runs", progressPanels()),
  ].filter(Boolean));
}

function segments(label, choices, chosen, act) {
  const buttons = choices.map(([words, value]) => make("button", {
    type: "button", "aria-pressed": String(value === chosen),
    onclick: event => {
      buttons.forEach(one => one.setAttribute("aria-pressed", String(one === event.currentTarget)));
      act(value);
    },
  }, words));
  return make("div", { class: "segments", role: "group", "aria-label": label }, buttons);
}

function drawCurves() {
  if (data.curves.last < 0) {
    byId("panels").append(make("p", { class: "empty" }, "No iteration is done yet."));
    return;
  }
  const redraw = () => panels.forEach(one => one.draw());
  const box = (words, name) => make("label", { class: "chip" }, make("input", {
    type: "checkbox", checked: view[name], id: `show-${name}`, onchange: event => { view[name] = event.target.checked; redraw(); },
  }), words);
  const says = make("output", {}, String(view.smooth));
  const smooth = make("input", {
    type: "range", min: 0, max: 0.98, step: 0.02, value: view.smooth, id: "smooth", "aria-label": "Smoothing",
    oninput: event => { view.smooth = Number(event.target.value); says.textContent = String(view.smooth); redraw(); },
  });
  byId("controls").append(
    segments("Values", [["Loss", false], ["Weight × loss", true]], view.weighted, value => { view.weighted = value; redraw(); }),
    segments("Charts", [["Each term", false], ["Together", true]], view.together, value => { view.together = value; drawPanels(); }),
    box("Log scale", "log"),
    make("label", { class: "chip", title: "The smallest and the largest loss behind each point" }, ...box("Spread", "spread").childNodes),
    make("label", { class: "chip" }, "Smoothing", smooth, says),
    make("button", { type: "button", id: "reset", hidden: true, onclick: () => zoomTo(null) }, "All iterations"),
  );
  drawPanels();
}
