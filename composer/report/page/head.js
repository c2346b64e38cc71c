// The top of the page: what run this is, how far it is, and its numbers at a glance.
function drawHead() {
  const { graph, done, total } = data;
  const name = graph.name || data.folder;
  byId("brand").textContent = name;
  byId("name").textContent = name;
  byId("about").textContent = graph.about;
  const finished = total !== null && done >= total;
  const state = finished ? "finished" : total === null ? "a run" : "not finished";
  byId("eyebrow").append(
    make("span", { class: `state ${finished ? "done" : total === null ? "" : "open"}` }, state),
    make("span", {}, "Training run ", make("code", {}, data.folder)),
  );
  drawPapers(graph.papers);
  if (!finished && total !== null) drawHint();
  byId("tiles").append(...tiles().map(([title, value, note, extra]) =>
    make("div", {}, make("dt", {}, title), make("dd", { class: "value" }, value), extra && make("dd", {}, extra),
      note && make("dd", { class: "note" }, note))));
  byId("foot").textContent = `Written by composer ${data.composer}, ${moment(data.written)}. `
    + "This file is whole in itself: it asks no server and no network for anything.";
}

function drawPapers(papers) {
  for (const paper of papers) {
    const where = [paper.venue, paper.arxiv && `arXiv:${paper.arxiv}`].filter(Boolean).join(", ");
    byId("papers").append(make("span", {}, make("i", {}, paper.title || ""), where ? ` ${where}. ` : " "));
  }
}

function drawHint() {
  const reload = make("input", { type: "checkbox", id: "reload" });
  const key = "composer-reload";
  let timer = 0;
  const follow = () => {
    clearTimeout(timer);
    try { sessionStorage.setItem(key, reload.checked ? "yes" : ""); } catch { /* then it is asked again */ }
    if (reload.checked) timer = setTimeout(() => location.reload(), 30000);
  };
  try { reload.checked = sessionStorage.getItem(key) === "yes"; } catch { /* as above */ }
  reload.addEventListener("change", follow);
  if (reload.checked) follow();
  byId("hint").hidden = false;
  byId("hint").append(
    make("span", {}, `This is the run as it was on ${moment(data.written)}. If it goes on, the page is written anew with every grid of samples and every checkpoint.`),
    make("label", { class: "chip" }, reload, "every 30 s"),
    make("button", { type: "button", onclick: () => location.reload() }, "Reload"),
  );
}

function tiles() {
  const { done, total, epoch, seconds, starts } = data;
  const newest = starts[starts.length - 1] || {};
  const small = text => make("small", {}, text);
  const found = [];
  const progress = total && make("div", { class: "progress" }, make("i", { style: { width: `${Math.min(100, 100 * done / total)}%` } }));
  const of = total === null ? " iterations" : ` of ${whole(total)}`;
  const epochs = epoch ? `${short(Number((done / epoch).toFixed(done < 100 * epoch ? 1 : 0)))} epochs of ${whole(epoch)}` : "";
  found.push(["Iterations", [whole(done), small(of)], epochs, progress]);
  if (done && seconds) {
    found.push(["Speed", [short(done / seconds), small(" it/s")], `${duration(seconds / done)} each`]);
    const began = starts.length ? `since ${moment(starts[0].time)}` : "";
    const again = starts.length > 1 ? `, ${starts.length} starts` : "";
    found.push(["Training time", [duration(seconds)], began + again]);
  }
  const counts = Object.values(data.counts);
  if (counts.length) {
    const [value, unit] = amount(counts.reduce((sum, one) => sum + one, 0));
    found.push(["Parameters", [value, small(` ${unit}`)], `in ${counts.length} network${counts.length === 1 ? "" : "s"}`]);
  }
  const scores = data.numbers.find(one => one.name === "scores.json");
  const row = name => scores && (scores.rows.find(one => one[0] === name) || [])[1];
  if (typeof row("error") === "number") {
    const passed = row("passed");
    const verdict = passed === undefined ? "" : make("span", { class: passed ? "good" : "warn" }, passed ? "passed" : "not passed");
    found.push(["Error on the demo data", [short(row("error"))], verdict]);
  }
  const best = data.numbers.find(one => one.name === "best.json"), told = name => (best && (best.rows.find(one => one[0] === name) || [])[1]);
  if (typeof told("value") === "number") found.push([`Best ${told("metric")}`, [short(told("value"))], `after ${whole(told("iteration"))} iterations`]);
  else if (data.validation.length) {
    const { metric, x, y } = data.validation[0];
    found.push([`Validation ${metric}`, [short(y[y.length - 1])], `after ${whole(x[x.length - 1])} iterations`]);
  }
  if (newest.device) {
    const torch = newest.packages && newest.packages.torch;
    found.push(["Device", [newest.device], [`${newest.threads} thread${newest.threads === 1 ? "" : "s"}`, torch && `torch ${torch}`].filter(Boolean).join(", ")]);
  }
  return found;
}
