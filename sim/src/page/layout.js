// Which rows are shown, and where: time downwards, each row with a height of its own, long gaps folded.
const ROW = 17, FOLD = 84, FLIGHT = 34, TALLEST = 14e6, GUTTER = 150, LANE = 17, HEAD = 92;
const state = {
  people: new Set(run.people.keys()), classes: new Set(), ways: new Set(WAYS.keys()),
  zoom: 1, selected: -1, query: "", found: [],
};
run.classes.forEach(([, , on], number) => { if (on) state.classes.add(number); });

// How many pixels a microsecond has: the usual flight of a message is FLIGHT pixels long.
const flights = run.rows.filter((row) => isArrow(row) && row[AT] > row[SENT]).map((row) => row[AT] - row[SENT]);
flights.sort((a, b) => a - b);
const pixelsPerUs = FLIGHT / (flights[flights.length >> 1] || 10000);

const shown = { rows: new Int32Array(0), ys: new Float64Array(0), folds: new Map(), height: 0, longest: 0 };

function isShown(number) {
  const row = run.rows[number];
  if (run.fail && row[STEP] === run.fail.step) return true;
  if (!state.classes.has(row[CLASS])) return false;
  if (isArrow(row) && !state.ways.has(row[WAY]) && !isClass(row, "link") && !isClass(row, "lost")) return false;
  if (row.length <= ONE || state.people.size === run.people.length) return true;
  const ends = about.get(number) || row.slice(ONE, Math.min(row.length, OTHER + 1));
  const people = ends.filter((column) => column < relay);
  return people.length === 0 || people.some((column) => state.people.has(column));
}

function arrange() {
  const rows = [];
  for (let number = 0; number < run.rows.length; number += 1) if (isShown(number)) rows.push(number);
  shown.rows = Int32Array.from(rows);
  shown.ys = new Float64Array(rows.length);
  shown.folds = new Map();
  const zoom = state.zoom, scale = pixelsPerUs * zoom;
  const fewest = ROW * Math.min(1, zoom);
  const most = Math.max(fewest, Math.min(FOLD * zoom, TALLEST / Math.max(1, rows.length)));
  let y = 24;
  rows.forEach((number, place) => {
    if (place > 0) {
      const gap = run.rows[number][AT] - run.rows[rows[place - 1]][AT];
      const wish = gap * scale;
      if (wish > most) shown.folds.set(place, gap);
      // The words of an arrow stand above its head, so it keeps off the words of a mark before it.
      const least = isArrow(run.rows[number]) && !isArrow(run.rows[rows[place - 1]]) ? fewest * 1.5 : fewest;
      y += Math.max(least, Math.min(most, wish)) + (wish > most ? Math.min(14, 14 * zoom) : 0);
    }
    shown.ys[place] = y;
  });
  shown.height = y + 60;
  shown.longest = 0;
  rows.forEach((number, place) => {
    const row = run.rows[number];
    if (isArrow(row)) shown.longest = Math.max(shown.longest, shown.ys[place] - yOf(row[SENT]));
  });
}

// The first place whose row is not before a value.
function search(value, of) {
  let low = 0, high = shown.rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (of(middle) < value) low = middle + 1; else high = middle;
  }
  return low;
}
const placeAtY = (y) => search(y, (place) => shown.ys[place]);
const placeOfRow = (number) => search(number, (place) => shown.rows[place]);

// Where a moment is, between the rows before and after it.
function yOf(at) {
  const time = (place) => run.rows[shown.rows[place]][AT];
  const after = search(at, time);
  if (after >= shown.rows.length) return shown.height;
  if (after === 0 || time(after) === at) return shown.ys[after];
  const share = (at - time(after - 1)) / (time(after) - time(after - 1));
  return shown.ys[after - 1] + share * (shown.ys[after] - shown.ys[after - 1]);
}

// Where the columns are: people on both sides of the relay, those who are left out as thin lines.
const columns = { xs: [], wide: 0, right: 0 };
function placeColumns(width) {
  const half = Math.ceil(run.people.length / 2), people = [...run.people.keys()];
  const order = [...people.slice(0, half), relay, ...people.slice(half), ...(anyStranger ? [others] : [])];
  const isThin = (column) => column < relay && !state.people.has(column);
  const right = width - run.oracles.length * LANE - 14;
  const thin = order.filter(isThin).length * 12;
  columns.wide = Math.max(20, (right - GUTTER - thin) / (order.length - thin / 12));
  columns.right = right;
  let x = GUTTER;
  for (const column of order) {
    const wide = isThin(column) ? 12 : columns.wide;
    columns.xs[column] = x + wide / 2;
    x += wide;
  }
}
const lane = (oracle) => columns.right + 14 + oracle * LANE + LANE / 2;
