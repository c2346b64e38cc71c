// From numbers to places: ranges, ticks, smoothing and paths.
function niceTicks(low, high, number) {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(1, number), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map(one => one * power).find(one => one >= rough * 0.999);
  const found = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step) {
    found.push(Math.abs(tick) < step * 1e-9 ? 0 : Number(tick.toPrecision(12)));
  }
  return found;
}

function logTicks(low, high) {
  const found = [], first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
  const every = Math.max(1, Math.ceil((last - first) / 5));
  for (let power = first; power <= last; power += every) {
    for (const times of last - first <= 2 ? [1, 2, 5] : [1]) {
      const tick = times * 10 ** power;
      if (tick >= low * 0.999 && tick <= high * 1.001) found.push(Number(tick.toPrecision(6)));
    }
  }
  return found.length > 1 ? found : niceTicks(low, high, 3).filter(tick => tick > 0);
}

// Ticks of whole iterations in short words: 500, 2k, 1.5M.
function iterationWords(value) {
  const [number, unit] = amount(value);
  return value < 10000 ? whole(value) : number + unit;
}

// Exponential moving average without the pull of its start; gaps stay gaps.
function smoothed(values, strength) {
  if (!strength) return values;
  let average = 0, weight = 0;
  return values.map(value => {
    if (value === null) return null;
    average = strength * average + (1 - strength) * value;
    weight = strength * weight + (1 - strength);
    return average / weight;
  });
}

function linePath(xs, ys) {
  let path = "", on = false;
  for (let i = 0; i < xs.length; i++) {
    if (ys[i] === null) continue;  // a phase that runs every few iterations is one line
    path += `${on ? "L" : "M"}${xs[i].toFixed(1)} ${ys[i].toFixed(1)}`;
    on = true;
  }
  return path;
}

function bandPath(xs, lows, highs) {
  const there = [];
  for (let i = 0; i < xs.length; i++) if (lows[i] !== null && highs[i] !== null) there.push(i);
  if (there.length < 2) return "";
  const up = there.map(i => `${xs[i].toFixed(1)} ${highs[i].toFixed(1)}`);
  const down = there.reverse().map(i => `${xs[i].toFixed(1)} ${lows[i].toFixed(1)}`);
  return `M${up.concat(down).join("L")}Z`;
}
