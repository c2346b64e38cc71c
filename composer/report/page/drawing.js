// The drawing of the graph: move it by dragging, zoom by buttons, keys, pinch, double click or Ctrl with the wheel.
function drawGraph() {
  const paper = byId("paper"), svg = paper.querySelector("svg");
  if (!svg) {
    paper.classList.add("none");
    paper.append(make("p", { class: "empty" }, data.drawing || "There is no drawing of this graph."));
    return;
  }
  const [left, top, width, height] = svg.getAttribute("viewBox").split(/[\s,]+/).map(Number);
  svg.removeAttribute("width");
  svg.removeAttribute("height");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Drawing of the graph ${data.graph.name}`);
  const box = make("div", { class: "view", tabindex: 0, role: "group", "aria-label": "Drawing: drag to move, plus and minus to zoom, 0 for all of it" });
  paper.append(box);
  box.append(svg);
  const LARGEST = 8;
  let scale = 1, x = 0, y = 0;  // CSS pixels a point, and the point at the upper left
  const show = () => {
    svg.setAttribute("viewBox", `${x} ${y} ${box.clientWidth / scale} ${box.clientHeight / scale}`);
    paper.dataset.scale = scale.toFixed(3);
    // Until it is enlarged a finger that moves up or down scrolls the page.
    box.style.touchAction = scale > fitting() * 1.01 ? "none" : "pan-y";
  };
  const fitting = () => Math.min(box.clientWidth / width, box.clientHeight / height);
  const all = () => {
    scale = Math.min(fitting(), 2);
    x = left - (box.clientWidth / scale - width) / 2;
    y = top - (box.clientHeight / scale - height) / 2;
    show();
  };
  const zoom = (times, clientX, clientY) => {
    const frame = box.getBoundingClientRect();
    const dx = clientX === undefined ? frame.width / 2 : clientX - frame.left;
    const dy = clientY === undefined ? frame.height / 2 : clientY - frame.top;
    const next = Math.max(fitting() / 2, Math.min(LARGEST, scale * times));
    x += dx / scale - dx / next;
    y += dy / scale - dy / next;
    scale = next;
    show();
  };
  const start = () => {
    // As large as is read well, and all of it where the page has room; a small window keeps some of itself for scrolling.
    const wanted = Math.min(box.clientWidth / width, 1.25), most = innerWidth < 720 ? innerHeight * 0.8 : 1400;
    box.style.setProperty("--tall", `${Math.round(Math.max(240, Math.min(height * wanted + 20, most)))}px`);
    all();
    if (scale < 0.8 && innerWidth >= 720) {
      scale = 0.8;
      x = left - (box.clientWidth / scale - width) / 2;
      y = top;
      show();
    }
  };
  const pointers = new Map();
  box.addEventListener("pointerdown", event => {
    pointers.set(event.pointerId, event);
    box.setPointerCapture(event.pointerId);
  });
  box.addEventListener("pointermove", event => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const other = [...pointers.values()].find(one => one.pointerId !== event.pointerId);
    if (other) {
      const far = one => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      zoom(far(event) / Math.max(1, far(before)), other.clientX, other.clientY);
    } else {
      x -= (event.clientX - before.clientX) / scale;
      y -= (event.clientY - before.clientY) / scale;
      show();
    }
    pointers.set(event.pointerId, event);
  });
  for (const name of ["pointerup", "pointercancel"]) box.addEventListener(name, event => pointers.delete(event.pointerId));
  box.addEventListener("dblclick", event => zoom(1.6, event.clientX, event.clientY));
  box.addEventListener("wheel", event => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 300), event.clientX, event.clientY);
  }, { passive: false });
  box.addEventListener("keydown", event => {
    const move = (dx, dy) => () => { x += dx / scale; y += dy / scale; show(); };
    const act = {
      "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "0": all,
      ArrowLeft: move(-60, 0), ArrowRight: move(60, 0), ArrowUp: move(0, -60), ArrowDown: move(0, 60),
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  });
  byId("tools").append(make("p", {}, "drag to move, Ctrl + wheel to zoom"), iconButton("minus", "Smaller", () => zoom(0.8)),
    iconButton("plus", "Larger", () => zoom(1.25)), iconButton("fit", "All of it", all));
  let wide = 0;
  new ResizeObserver(() => {
    if (box.clientWidth === wide) return show();
    wide = box.clientWidth;
    start();
  }).observe(box);
}
