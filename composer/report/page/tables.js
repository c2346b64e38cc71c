// Numbers that were measured, and everything that the run was made with.
const table = (rows, attributes) => make("table", attributes || {}, make("tbody", {}, rows));
const row = (name, value) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, valueWords(value)));
const card = (title, note, ...inner) => make("article", { class: "card" }, make("h3", {}, title, note && make("small", {}, note)), ...inner);

function valueWords(value) {
  if (value === true || value === false) return make("span", { class: `pill ${value ? "yes" : "no"}` }, value ? "yes" : "no");
  if (typeof value === "number") return Number.isInteger(value) ? whole(value) : short(value);
  return String(value);
}

// A file of `composer eval`: the numbers, and folded away how they were taken.
function evaluationCard({ name, title, iteration, measures, notes, rows }) {
  const lines = measures.map(one => make("tr", { title: one.meaning }, make("th", { scope: "row" }, one.name),
    make("td", {}, one.mean === null ? one.said || "–" : make("b", {}, short(one.mean)),
      one.deviation === null ? null : make("small", {}, ` ± ${short(one.deviation)}`)),
    make("td", { class: "count" }, one.count ? `n = ${one.count}` : "")));
  const found = card(title || name, iteration === null ? "" : `after ${whole(iteration)} iterations`, table(lines, { class: "measures" }),
    ...notes.map(note => make("p", { class: "note" }, note)),
    make("details", {}, make("summary", {}, name), table(rows.map(([one, value]) => row(one, value)))));
  return found;
}

function drawNumbers() {
  const tables = byId("tables");
  for (const one of data.numbers.filter(number => number.measures)) tables.append(evaluationCard(one));
  for (const curve of data.validation) {
    const low = Math.min(...curve.y), high = Math.max(...curve.y), at = value => curve.x[curve.y.indexOf(value)];
    tables.append(card(curve.metric, ["validation", curve.of].filter(Boolean).join(" of "), table([
      row("newest", curve.y[curve.y.length - 1]),
      make("tr", {}, make("th", { scope: "row" }, "smallest"), make("td", {}, `${short(low)} at ${whole(at(low))}`)),
      make("tr", {}, make("th", { scope: "row" }, "largest"), make("td", {}, `${short(high)} at ${whole(at(high))}`)),
    ])));
  }
  for (const { name, rows } of data.numbers.filter(number => !number.measures)) tables.append(card(name, "", table(rows.map(([one, value]) => row(one, value)))));
  if (!tables.childElementCount) tables.append(make("p", { class: "empty" }, "Nothing was measured yet."));
}

function copyButton(text) {
  const button = make("button", { type: "button", onclick: async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it";  // the browser does not let a page copy
    }
  } }, "Copy");
  return button;
}

// A command as a shell takes it.
const quoted = word => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
function commandWords(command) {
  const [first, ...rest] = command || [];
  if (first === undefined) return "";
  const program = /(^|[\\/])composer([\\/]__main__\.py)?$/.test(first) ? "composer" : quoted(first);
  return [program, ...rest.map(quoted)].join(" ");
}

function startsCard() {
  const found = card("Command", data.starts.length > 1 ? `started ${data.starts.length} times` : "");
  found.classList.add("wide");
  for (const start of data.starts) {
    const words = commandWords(start.command);
    const from = start.first ? `, from iteration ${whole(start.first)}` : "";
    found.append(make("div", { class: "start" },
      make("p", {}, [moment(start.time) + from, start.system, `Python ${start.python}`].filter(Boolean).join(" · ")),
      make("div", { class: "command" }, make("code", {}, words), copyButton(words))));
  }
  return found;
}

function networksCard() {
  const counts = Object.entries(data.counts), most = Math.max(1, ...counts.map(one => one[1]));
  const hue = name => {
    const owner = data.graph.phases.find(phase => phase.update.some(one => one.split("[")[0] === name.split("[")[0]));
    return owner ? owner.colour : undefined;
  };
  return card("Networks", "parameters", table(counts.map(([name, count]) => make("tr", {},
    make("th", { scope: "row" }, name), make("td", {}, make("i", { style: { width: `${100 * count / most}%`, ...(hue(name) ? { "--hue": hue(name) } : {}) } })),
    make("td", {}, whole(count)))), { class: "weights" }));
}

function drawSettings() {
  const cards = byId("cards"), { settings, graph, starts } = data;
  if (starts.length) byId("commands").append(startsCard());
  if (Object.keys(data.counts).length) cards.append(networksCard());
  const params = Object.entries(graph.params);
  if (params.length) cards.append(card("Parameters", "of the graph", table(params.map(([name, value]) => row(name, value)))));
  const given = Object.entries(settings).filter(one => one[1] && one[1] !== "none").map(([name, value]) => row(name.replaceAll("_", " "), value));
  if (given.length) cards.append(card("Run", "", table(given)));
  const newest = starts[starts.length - 1];
  if (newest && newest.packages) {
    const versions = [["composer", data.composer], ["Python", newest.python], ...Object.entries(newest.packages)];
    cards.append(card("Versions", "", table(versions.map(([name, value]) => row(name, value)))));
  }
  for (const [name, text] of Object.entries(data.texts)) {
    byId("texts").append(make("details", { class: "fold" }, make("summary", {}, name), make("pre", { tabindex: 0 }, text)));
  }
}
