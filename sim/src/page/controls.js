// What a person does with the page: walks, zooms, chooses, searches; the address remembers it.
const scroll = by("scroll");
let waiting = false;
function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; drawView(); });
}

function refresh(keep) {
  const anchor = keep === undefined ? middleRow() : keep;
  const before = anchor >= 0 && shown.rows.length > 0 ? shown.ys[Math.min(placeOfRow(anchor), shown.ys.length - 1)] - scroll.scrollTop : 0;
  arrange();
  by("tall").style.height = `${shown.height}px`;
  if (anchor >= 0 && shown.rows.length > 0) {
    scroll.scrollTop = shown.ys[Math.min(placeOfRow(anchor), shown.ys.length - 1)] - before;
  }
  by("zoom-shown").value = `${Math.round(state.zoom * 100)} %`;
  redraw();
}

function middleRow() {
  if (shown.rows.length === 0) return -1;
  if (state.selected >= 0) {
    const y = shown.ys[Math.min(placeOfRow(state.selected), shown.ys.length - 1)] - scroll.scrollTop;
    if (y > 0 && y < scroll.clientHeight) return state.selected;
  }
  return shown.rows[Math.min(placeAtY(scroll.scrollTop + scroll.clientHeight / 2), shown.rows.length - 1)];
}

function select(number, center) {
  state.selected = number;
  const row = run.rows[number];
  showDetails(row);
  const y = shown.ys[Math.min(placeOfRow(number), shown.ys.length - 1)];
  const inView = y > scroll.scrollTop + 30 && y < scroll.scrollTop + scroll.clientHeight - 30;
  if (center || !inView) scroll.scrollTop = y - scroll.clientHeight * (center ? 0.62 : 0.5);
  remember();
  redraw();
}

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function showDetails(row) {
  const place = where(row), sees = run.kinds[row[KIND]][1].map((oracle) => run.oracles[oracle]);
  const parts = [element("h2", label(row)), element("p", place ? `${place} · ${facts(row)}` : facts(row))];
  if (detail(row)) parts.push(element("pre", detail(row)));
  if (sees.length > 0) parts.push(element("p", `seen by ${sees.join(", ")}`));
  by("details").replaceChildren(...parts);
}

// Goes to a step: its row, or the nearest after it.
function goTo(step, center) {
  let best = -1;
  for (const number of shown.rows) {
    if (run.rows[number][STEP] > step && best >= 0) break;
    if (run.rows[number][STEP] <= step || best < 0) best = number;
  }
  const exact = [...shown.rows].find((number) => run.rows[number][STEP] === step && isClass(run.rows[number], "objection"));
  if (best >= 0) select(exact === undefined ? best : exact, center);
}

function walk(by_) {
  if (shown.rows.length === 0) return;
  const from = state.selected < 0 ? middleRow() : state.selected;
  const place = placeOfRow(from) + (state.selected < 0 || shown.rows[placeOfRow(from)] !== from ? Math.min(by_, 0) : by_);
  select(shown.rows[Math.max(0, Math.min(shown.rows.length - 1, place))], false);
}

function zoom(factor) {
  state.zoom = Math.max(0.02, Math.min(64, state.zoom * factor));
  refresh();
  remember();
}

function find() {
  const query = state.query.toLowerCase();
  const matches = (number) => `${label(run.rows[number])}\n${detail(run.rows[number])}\n${where(run.rows[number])}`.toLowerCase().includes(query);
  state.found = query ? [...shown.rows].filter(matches) : [];
  state.foundSet = new Set(state.found);
  by("found").textContent = query ? `${state.found.length} found` : "";
  redraw();
}

function nextFound(forwards) {
  const { found, selected } = state;
  if (found.length === 0) return;
  const next = forwards ? found.find((number) => number > selected) : found.findLast((number) => number < selected);
  select(next === undefined ? found[forwards ? 0 : found.length - 1] : next, false);
}

// The address has what differs from how a page opens, so that it can be passed on.
function remember() {
  const parts = new URLSearchParams();
  if (state.selected >= 0) parts.set("step", run.rows[state.selected][STEP]);
  if (state.people.size < run.people.length) parts.set("people", [...state.people].map((person) => names[person]).join());
  if (state.zoom !== 1) parts.set("zoom", Number(state.zoom.toPrecision(3)));
  const on = (number) => state.classes.has(number);
  if (run.classes.some(([, , shows], number) => shows !== on(number))) {
    parts.set("show", run.classes.flatMap(([name], number) => (on(number) ? [name] : [])).join());
  }
  if (state.ways.size < WAYS.length) parts.set("ways", [...state.ways].map((way) => WAYS[way][0]).join());
  if (state.query) parts.set("q", state.query);
  const theme = document.documentElement.dataset.theme;
  if (theme !== usualTheme()) parts.set("theme", theme);
  const text = parts.toString().replaceAll("%2C", ",");
  // A browser that lets no page change its address has the page all the same.
  try { history.replaceState(null, "", text ? `#${text}` : "#"); } catch { return; }
}

const usualTheme = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

function recall() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const listed = (name, all, known) => {
    const list = (parts.get(name) || "").split(",").map((word) => all.indexOf(word)).filter((number) => number >= 0);
    if (parts.has(name)) { known.clear(); list.forEach((number) => known.add(number)); }
  };
  listed("people", run.people, state.people);
  listed("show", run.classes.map(([name]) => name), state.classes);
  listed("ways", WAYS.map(([name]) => name), state.ways);
  state.zoom = Math.max(0.02, Math.min(64, Number(parts.get("zoom")) || 1));
  state.query = parts.get("q") || "";
  document.documentElement.dataset.theme = parts.get("theme") || usualTheme();
  return parts.has("step") ? Number(parts.get("step")) : run.fail ? run.fail.step : -1;
}
