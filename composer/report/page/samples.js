// Samples over time: one grid, a slider for the iteration. A picture is a piece of the grid's file, shown as background.
const GAP = 4;
const BETWEEN = 28;  // CSS pixels between blocks of rows
const LARGEST = 192;  // CSS pixels of a picture in the grid
const SMALLEST = 64;  // where more columns than fit are scrolled instead

const samples = data.samples;
const time = { index: Math.max(0, samples.length - 1), shown: -1, timer: 0, watchers: [] };
const loaded = new Map();

function layoutOf(sample) {
  const { layout } = sample;
  if (layout.columns) return layout;
  const one = { name: "", x: 0, width: layout.width, height: layout.height };  // a grid whose file tells no columns
  return { ...layout, columns: [one], rows: 1, top: 0, pitch: layout.height };
}

function load(index) {
  if (!loaded.has(index)) {
    const image = new Image();
    image.src = samples[index].source;
    loaded.set(index, image.decode().catch(() => null));  // a file that is gone leaves its place empty
  }
  return loaded.get(index);
}

function goTo(index) {
  time.index = Math.max(0, Math.min(samples.length - 1, index));
  const wanted = time.index;
  load(wanted).then(() => {
    if (time.index !== wanted) return;
    time.shown = wanted;
    time.watchers.forEach(watch => watch());
    if (wanted + 1 < samples.length) load(wanted + 1);
  });
  time.watchers.forEach(watch => watch.soon && watch.soon());
}

function play(on) {
  clearInterval(time.timer);
  time.timer = 0;
  if (on) {
    if (time.index === samples.length - 1) goTo(0);
    time.timer = setInterval(() => {
      if (time.index >= samples.length - 1) play(false);
      else goTo(time.index + 1);
    }, 280);
  }
  time.watchers.forEach(watch => watch.soon && watch.soon());
}

// Buttons, slider and the iteration; the same for the grid and for one enlarged picture.
function makeTransport() {
  const slider = make("input", {
    type: "range", min: 0, max: samples.length - 1, step: 1, "aria-label": "Iteration of the samples",
    oninput: () => {
      const wanted = Number(slider.value);  // before `play` puts the slider where the pictures are
      play(false);
      goTo(wanted);
    },
  });
  const says = make("output", {});
  const toggle = iconButton("play", "Play", () => play(!time.timer));
  const step = by => () => { play(false); goTo(time.index + by); };
  const watch = () => undefined;
  watch.soon = () => {
    const iteration = samples[time.index].iteration;
    slider.value = time.index;
    slider.setAttribute("aria-valuetext", `iteration ${iteration}`);
    says.replaceChildren(make("small", {}, "iteration"), make("b", {}, whole(iteration)));
    setIcon(toggle, time.timer ? "pause" : "play", time.timer ? "Pause" : "Play");
  };
  time.watchers.push(watch);
  return make("div", { class: "transport" }, iconButton("back", "Earlier", step(-1)), toggle, iconButton("next", "Later", step(1)), slider, says);
}

// Where a picture stands in its file, for an element of any size.
function place(element, sample, column, row, scale) {
  const { width, height, top, pitch } = layoutOf(sample);
  element.style.width = `${column.width * scale}px`;
  element.style.height = `${column.height * scale}px`;
  element.style.backgroundImage = `url("${sample.source}")`;
  element.style.backgroundSize = `${width * scale}px ${height * scale}px`;
  element.style.backgroundPosition = `${-column.x * scale}px ${-(top + row * pitch) * scale}px`;
  element.classList.toggle("crisp", scale >= 1.5);
}

function gridScale(layout, space) {
  const widths = layout.columns.map(column => column.width);
  const fit = (space - GAP * (widths.length - 1)) / widths.reduce((sum, one) => sum + one, 0);
  const most = layout.columns.length === 1 ? fit : Math.max(1, LARGEST / Math.max(...widths));
  const least = Math.min(1, SMALLEST / Math.min(...widths));
  const scale = Math.max(least, Math.min(fit, most));
  const dots = window.devicePixelRatio || 1;
  return scale > 1 ? Math.max(1, Math.floor(scale * dots) / dots) : scale;  // whole dots for every pixel
}

function drawSamples() {
  const stage = byId("stage");
  if (!samples.length) {
    stage.append(make("p", { class: "empty" }, "There are no samples yet: --sample-every says how often they are made."));
    return;
  }
  const sheet = make("div", { class: "sheet" });
  let cells = [], known = "";
  // Few columns leave room beside them: the rows are then broken into blocks, like the columns of a newspaper.
  const build = (layout, blocks) => {
    const each = Math.ceil(layout.rows / blocks), grids = [];
    cells = [];
    for (let first = 0; first < layout.rows; first += each) {
      const grid = make("div", { class: "grid", style: { "grid-template-columns": `repeat(${layout.columns.length}, auto)` } });
      for (const column of layout.columns) {
        const label = make("div", { class: "label", title: column.name }, column.name);
        cells.push({ label, column });
        grid.append(label);
      }
      for (let row = first; row < Math.min(layout.rows, first + each); row++) {
        layout.columns.forEach((column, number) => {
          const cell = make("button", { type: "button", class: "cell", "aria-label": `${column.name || "samples"}, row ${row + 1}: enlarge`, onclick: () => enlarge(number, row) });
          cells.push({ cell, column, row });
          grid.append(cell);
        });
      }
      grids.push(grid);
    }
    sheet.replaceChildren(make("div", { class: "blocks" }, grids));
  };
  const show = () => {
    const sample = samples[time.shown];
    if (!sample) return;
    const layout = layoutOf(sample), space = sheet.clientWidth - 2 * parseFloat(getComputedStyle(sheet).paddingLeft);
    const scale = gridScale(layout, space);
    const wide = layout.columns.reduce((sum, one) => sum + one.width * scale + GAP, -GAP);
    const blocks = Math.max(1, Math.min(layout.rows, Math.floor((space + BETWEEN) / (wide + BETWEEN))));
    const form = JSON.stringify([layout, blocks]);
    if (form !== known) { known = form; build(layout, blocks); }
    for (const { cell, label, column, row } of cells) {
      if (cell) place(cell, sample, column, row, scale);
      else label.style.width = `${column.width * scale}px`;
    }
    stage.dataset.iteration = sample.iteration;
  };
  time.watchers.push(show);
  const left = data.kept - samples.length;
  stage.append(makeTransport(), sheet);
  const notes = ["Click a picture to enlarge it; ← and → move through time."];
  if (left > 0) notes.push(`${samples.length} of ${data.kept} grids are in this file.`);
  stage.append(make("p", { class: "caption" }, notes.join(" ")));
  stage.addEventListener("keydown", event => {
    if (event.target.type === "range" || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) return;
    event.preventDefault();
    play(false);
    goTo(time.index + (event.key === "ArrowLeft" ? -1 : 1));
  });
  new ResizeObserver(show).observe(sheet);
  goTo(time.index);
}
