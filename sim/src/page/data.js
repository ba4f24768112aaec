// The run as it was written into the page, and the words for it.
const run = JSON.parse(document.getElementById("run").textContent);
const by = (id) => document.getElementById(id);

// A row: step, at, class, kind, label, detail, and where: nothing, a column, two, or an arrow (way, sent).
const STEP = 0, AT = 1, CLASS = 2, KIND = 3, LABEL = 4, DETAIL = 5, ONE = 6, OTHER = 7, WAY = 8, SENT = 9;
const classNumber = Object.fromEntries(run.classes.map(([name], number) => [name, number]));
const WAYS = run.ways;
const relay = run.people.length, others = relay + 1;
const names = [...run.people, "relay", "strangers"];
const label = (row) => run.strings[row[LABEL]];
const detail = (row) => run.strings[row[DETAIL]];
const isArrow = (row) => row.length > WAY;
const isClass = (row, name) => row[CLASS] === classNumber[name];

// What a moment is called: seconds and microseconds, in groups that can be read.
function clock(us) {
  const micros = String(us % 1e6).padStart(6, "0");
  return `${Math.floor(us / 1e6)}.${micros.slice(0, 3)} ${micros.slice(3)}`;
}

// How long something took.
function span(us) {
  if (us < 1000) return `${us} µs`;
  if (us < 1e6) return `${(us / 1000).toPrecision(3)} ms`;
  return us < 12e7 ? `${(us / 1e6).toPrecision(3)} s` : `${(us / 6e7).toPrecision(3)} min`;
}

function where(row) {
  if (row.length <= ONE) return "";
  if (row.length === ONE + 1) return names[row[ONE]];
  return isArrow(row) ? `${names[row[ONE]]} → ${names[row[OTHER]]}` : `${names[row[ONE]]}, ${names[row[OTHER]]}`;
}

// When and where, in one line.
function facts(row) {
  const parts = [`${clock(row[AT])} s`, `step ${row[STEP]}`, run.kinds[row[KIND]][0]];
  if (isArrow(row) && !isClass(row, "lost")) {
    parts.push(`took ${span(row[AT] - row[SENT])}`);
    if (row[WAY] > 0) parts.push(WAYS[row[WAY]][1]);
  }
  return parts.join(" · ");
}

const anyStranger = run.rows.some((row) => row[ONE] === others || row[OTHER] === others);
// Whom a line of the relay is about, by name or by connection: only so can it be left out with them.
const dialler = new Map();
for (const row of run.rows) {
  const opens = isArrow(row) && /^opens .*connection (\S+)$/.exec(label(row));
  if (opens) dialler.set(opens[1], row[ONE]);
}
const about = new Map();
run.rows.forEach((row, number) => {
  if (row.length !== ONE + 1 || row[ONE] !== relay) return;
  const words = new Set(label(row).split(/[^a-z0-9-]+/)), conn = /(?:connection|side of) (d?\d+)/.exec(label(row));
  const named = run.people.flatMap((name, person) => (words.has(name) ? [person] : []));
  if (conn && dialler.has(conn[1])) named.push(dialler.get(conn[1]));
  if (named.length > 0) about.set(number, named);
});
