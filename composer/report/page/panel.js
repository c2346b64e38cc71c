// One chart: series over iterations, with a legend that reads out what is under the pointer.
const EDGE = { left: 44, right: 8, top: 14, bottom: 20 };
const HUES = 8;
const DASHES = ["", "6 3", "2 3"];
let panelNumber = 0;

class Panel {
  // series: {label, mean, low?, high?, x?, weight?, bad?}; `x` are iterations of single points, without it the buckets.
  constructor(title, formula, series, options = {}) {
    Object.assign(this, { title, formula, options, number: panelNumber++, hidden: new Set() });
    this.series = series.map((one, at) => ({ ...one, hue: `var(--s${at % HUES})`, dash: DASHES[Math.floor(at / HUES) % DASHES.length] }));
    this.chart = make("div", { class: "chart", tabindex: 0, role: "group", "aria-label": `Curve of ${title}; arrow keys read it out` });
    this.legend = make("div", { class: "legend" });
    const widen = iconButton("wide", `Enlarge ${title}`, () => {
      const wide = this.element.classList.toggle("wide");
      widen.setAttribute("aria-pressed", String(wide));
      this.draw();
    });
    widen.classList.remove("icon");
    this.element = make("article", { class: "panel", "data-panel": title },
      make("header", {}, make("h4", { title }, title), make("p", { title: formula }, formula || ""), widen), this.legend, this.chart);
    this.entries = this.series.map((one, at) => this.entry(one, at));
    this.legend.append(...this.entries.map(entry => entry.button));
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.chart);
  }

  entry(one, at) {
    const value = make("b", {}, ""), times = make("small", {});
    const button = make("button", {
      type: "button", "aria-pressed": "true", style: { "--hue": one.hue }, title: `Show or hide ${one.label}`,
      onclick: () => {
        this.hidden[this.hidden.has(at) ? "delete" : "add"](at);
        button.setAttribute("aria-pressed", String(!this.hidden.has(at)));
        this.draw();
      },
    }, make("i", { class: one.dash ? "dashed" : null }), make("span", {}, one.label), value, times,
    one.bad && make("small", { class: "bad" }, `${one.bad} not finite`));
    return { button, value, times };
  }

  // What a series shows now: {xs (iterations), mean, low, high}.
  shown(one) {
    const xs = one.x || one.mean.map((_, i) => (i + 0.5) * data.curves.step - 0.5);
    let { mean, low, high } = one;
    if (view.weighted && one.weight) {
      if (one.weighted) ({ mean, low, high } = one.weighted);
      else {
        const weight = one.weight[0], times = values => values && values.map(v => v === null ? null : v * weight);
        [mean, low, high] = [times(mean), times(weight < 0 ? high : low), times(weight < 0 ? low : high)];
      }
    }
    return { xs, mean, low, high };
  }

  range() {
    return view.range || [0, Math.max(1, data.curves.last + 1, ...this.series.map(one => one.x ? one.x[one.x.length - 1] : 0))];
  }

  draw() {
    const width = this.chart.clientWidth, height = this.chart.clientHeight;
    if (!width || !height) return;
    const [first, last] = this.range();
    const X = x => EDGE.left + (x - first) / (last - first) * (width - EDGE.left - EDGE.right);
    this.X = X;
    const visible = this.series.map((one, at) => ({ one, at, ...this.shown(one) })).filter(({ at }) => !this.hidden.has(at));
    for (const item of visible) item.soft = item.one.x ? item.mean : smoothed(item.mean, view.smooth);
    const [bottom, top] = this.extent(visible, first, last);
    const log = view.log && !this.options.linear && bottom > 0;
    const scale = log ? Math.log10 : value => value;
    const Y = y => y === null || (log && y <= 0) ? null
      : height - EDGE.bottom - (scale(y) - scale(bottom)) / (scale(top) - scale(bottom)) * (height - EDGE.top - EDGE.bottom);
    this.Y = Y;
    const clip = `clip-${this.number}`;
    const lines = draw("g", { "clip-path": `url(#${clip})` });
    for (const { one, xs, mean, low, high, soft } of visible) {
      const hue = { style: { "--hue": one.hue } }, places = xs.map(X);
      if (low && view.spread) lines.append(draw("path", { class: "spread", d: bandPath(places, low.map(Y), high.map(Y)), ...hue }));
      if (view.smooth && !one.x) lines.append(draw("path", { class: "raw", d: linePath(places, mean.map(Y)), ...hue }));
      lines.append(draw("path", { class: "line", d: linePath(places, soft.map(Y)), "stroke-dasharray": one.dash, ...hue }));
      if (one.x && xs.length < 80) xs.forEach((x, i) => { if (Y(mean[i]) !== null) lines.append(draw("circle", { class: "dot", cx: X(x), cy: Y(mean[i]), r: 3, ...hue })); });
    }
    this.over = draw("g", {});
    this.svg = draw("svg", { "aria-hidden": "true" },
      draw("defs", {}, draw("clipPath", { id: clip }, draw("rect", { x: EDGE.left, y: 0, width: Math.max(0, width - EDGE.left - EDGE.right), height: height - EDGE.bottom }))),
      this.axes(width, height, first, last, bottom, top, log), lines, this.over);
    this.chart.replaceChildren(this.svg);
    this.read();
  }

  extent(visible, first, last) {
    let bottom = Infinity, top = -Infinity;
    const log = view.log && !this.options.linear;
    for (const { xs, soft, mean, low, high } of visible) {
      const lists = view.spread ? [low || mean, high || mean] : view.smooth ? [soft] : [mean];
      for (const list of lists) {
        list.forEach((value, i) => {
          if (value === null || xs[i] < first - data.curves.step || xs[i] > last + data.curves.step || (log && value <= 0)) return;
          if (value < bottom) bottom = value;
          if (value > top) top = value;
        });
      }
    }
    if (bottom > top) return log ? [0.1, 1] : [0, 1];
    if (log) return top / bottom < 1.2 ? [bottom / 1.1, top * 1.1] : [bottom, top];
    if (this.options.fromZero || (bottom > 0 && bottom < 0.35 * top)) bottom = Math.min(bottom, 0);
    const room = (top - bottom) * 0.04 || Math.abs(top) * 0.1 || 1;
    return [bottom === 0 ? 0 : bottom - room, top + room];
  }

  axes(width, height, first, last, bottom, top, log) {
    const group = draw("g", {});
    const ticks = log ? logTicks(bottom, top) : niceTicks(bottom, top, height > 250 ? 7 : 4);
    for (const tick of ticks) {
      const y = this.Y(tick);
      group.append(draw("line", { class: "rule", x1: EDGE.left, x2: width - EDGE.right, y1: y, y2: y }),
        draw("text", { x: EDGE.left - 7, y: y + 4, "text-anchor": "end" }, short(tick)));
    }
    const across = niceTicks(first, last, Math.max(2, Math.floor(width / 85)));
    for (const tick of across) {
      const x = this.X(tick), anchor = x < EDGE.left + 14 ? "start" : x > width - 24 ? "end" : "middle";
      group.append(draw("text", { x, y: height - 4, "text-anchor": anchor }, iterationWords(tick)));
    }
    const mark = (kind, at) => {
      if (at > first && at < last) group.append(draw("line", { class: kind, x1: this.X(at), x2: this.X(at), y1: EDGE.top - 8, y2: height - EDGE.bottom }));
    };
    data.starts.forEach(start => start.first > 0 && mark("resumed", start.first));
    if (this.options.best) mark("best", this.options.best);
    return group;
  }

  // The bucket, or the point, of a series that is nearest to an iteration.
  nearest(one, iteration) {
    if (!one.x) return Math.max(0, Math.min(one.mean.length - 1, Math.floor((iteration + 0.5) / data.curves.step)));
    return one.x.reduce((best, x, i) => Math.abs(x - iteration) < Math.abs(one.x[best] - iteration) ? i : best, 0);
  }

  // Write the numbers under the cross, or the newest ones, into the legend.
  read() {
    const { cross } = view;
    if (this.over) this.over.replaceChildren();
    this.series.forEach((one, at) => {
      const { xs, mean } = this.shown(one);
      let i = cross === null ? mean.length - 1 : this.nearest(one, cross);
      if (!one.x) while (i > 0 && mean[i] === null) i--;
      const { value, times } = this.entries[at];
      value.textContent = mean.length ? short(mean[i]) : "–";
      if (one.weight) {
        const weight = one.weights ? one.weights[i] : one.weight[0];
        times.textContent = weight === 1 || weight === null ? "" : view.weighted ? `= ${short(weight)} × ${short(one.mean[i])}` : `× ${short(weight)}`;
      }
      if (cross !== null && this.over && !this.hidden.has(at) && mean.length) {
        const x = this.X(xs[i]), y = this.Y(mean[i]);
        if (y !== null && x >= EDGE.left) this.over.append(draw("circle", { class: "dot", cx: x, cy: y, r: 3.5, style: { "--hue": one.hue } }));
      }
    });
    if (cross === null || !this.over) return;
    const x = this.X(cross), height = this.chart.clientHeight, width = this.chart.clientWidth;
    if (x < EDGE.left - 1 || x > width) return;
    this.over.prepend(draw("line", { class: "cross", x1: x, x2: x, y1: EDGE.top, y2: height - EDGE.bottom }));
    if (view.over === this) {
      const anchor = x < width * 0.3 ? "start" : x > width * 0.7 ? "end" : "middle";
      this.over.append(draw("text", { class: "where", x, y: 10, "text-anchor": anchor }, whereWords(cross)));
    }
  }

  listen() {
    const at = event => {
      const box = this.chart.getBoundingClientRect(), [first, last] = this.range();
      const part = (event.clientX - box.left - EDGE.left) / (box.width - EDGE.left - EDGE.right);
      return first + Math.max(0, Math.min(1, part)) * (last - first);
    };
    let from = null;
    this.chart.addEventListener("pointerdown", event => {
      if (event.button !== 0 || event.pointerType === "touch") return;
      from = at(event);
      this.chart.setPointerCapture(event.pointerId);
    });
    this.chart.addEventListener("pointermove", event => {
      readAt(this, at(event));
      if (from === null) return;
      const [a, b] = [from, at(event)].sort((one, other) => one - other);
      this.over.prepend(draw("rect", { class: "select", x: this.X(a), width: this.X(b) - this.X(a), y: EDGE.top, height: this.chart.clientHeight - EDGE.top - EDGE.bottom }));
    });
    this.chart.addEventListener("pointerup", event => {
      if (from === null) return;
      const [a, b] = [from, at(event)].sort((one, other) => one - other);
      from = null;
      if (this.X(b) - this.X(a) > 8 && b - a >= 2 * data.curves.step) zoomTo([a, b]);
    });
    this.chart.addEventListener("pointerleave", () => { if (from === null) readAt(null, null); });
    this.chart.addEventListener("blur", () => readAt(null, null));
    this.chart.addEventListener("dblclick", () => zoomTo(null));
    this.chart.addEventListener("keydown", event => {
      const [first, last] = this.range(), by = data.curves.step * (event.shiftKey ? 10 : 1);
      const now = view.cross === null ? last : view.cross;
      const next = { ArrowLeft: now - by, ArrowRight: now + by, Home: first, End: last }[event.key];
      if (next !== undefined) readAt(this, Math.max(first, Math.min(last, next)));
      else if (event.key === "Escape") { zoomTo(null); readAt(null, null); }
      else return;
      event.preventDefault();
    });
  }
}
