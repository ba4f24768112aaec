// Puts the page together, and listens.
// How each class is drawn, so that colour alone has to tell nothing.
const SIGNS = {
  phase: "┄", fault: "✕", person: "●", told: "○", relay: "●", disk: "●", link: "┄▷", timer: "●", bytes: "┄▷",
  handshake: "┄▷", message: "─▶", routine: "─▶", lost: "┄✕",
};

function box(into, text, color, known, number, count, sign) {
  const holder = element("label"), input = element("input");
  input.type = "checkbox";
  input.checked = known.has(number);
  input.addEventListener("change", () => {
    if (input.checked) known.add(number); else known.delete(number);
    refresh();
    find();
    remember();
  });
  holder.append(input);
  if (sign) {
    const drawn = element("b", sign, "sign");
    if (color) drawn.style.color = `var(--${color})`;
    holder.append(drawn);
  } else if (color) {
    const swatch = element("i");
    swatch.style.background = `var(--${color})`;
    holder.append(swatch);
  }
  holder.append(element("span", text));
  if (count !== undefined) holder.append(element("span", count.toLocaleString("en"), "count"));
  into.append(holder);
}

function fill() {
  const count = (of) => run.rows.reduce((sum, row) => sum + (of(row) ? 1 : 0), 0);
  for (const id of ["ways", "people", "classes", "oracles"]) by(id).replaceChildren();
  [1, 2, 3, 4, 0].forEach((way) => box(by("ways"), WAYS[way][1], WAYS[way][0], state.ways, way));
  run.people.forEach((name, person) => box(by("people"), name, null, state.people, person));
  run.classes.forEach(([name, words], number) => {
    const color = { fault: "fault", lost: "fault", relay: "relay", person: "person", told: "told" }[name] || "dim";
    const rows = count((row) => row[CLASS] === number);
    if (name !== "objection" && rows > 0) box(by("classes"), words, color, state.classes, number, rows, SIGNS[name]);
  });
  run.oracles.forEach((name, oracle) => {
    const objects = run.fail && run.fail.oracle === name;
    by("oracles").append(element("span", `${objects ? "✗" : "✓"} ${name}`, objects ? "objects" : ""));
  });
}

const objector = () => (run.oracles.includes(run.fail.oracle) ? `oracle ${run.fail.oracle} objects` : run.fail.oracle);

function tell() {
  const who = `${run.people.length} people`, long = `${(run.end / 1e6).toFixed(0)} s`;
  by("title").textContent = `seed ${run.seed} · ${who} · ${long} · ${run.steps.toLocaleString("en")} steps`;
  const sabotage = run.sabotage ? ` (sabotage: ${run.sabotage})` : "";
  by("verdict").textContent = run.fail ? `${objector()} at step ${run.fail.step}: ${run.fail.words}${sabotage}`
    : `all ${run.oracles.length} oracles hold${sabotage}`;
  by("verdict").className = run.fail ? "failed" : "";
  by("to-fail").hidden = !run.fail;
  by("config").textContent = `${run.config}\nhash ${run.hash}`;
  by("left-out").hidden = run.left === 0;
  by("left-out").textContent = `${run.left.toLocaleString("en")} earlier rows are left out: the page has the newest ${run.rows.length.toLocaleString("en")}`;
}

function nearest(x, y) {
  let best = null, closest = 9;
  for (const item of drawn) {
    const { x0, y0, x1, y1 } = item.at;
    const length = (x1 - x0) ** 2 + (y1 - y0) ** 2;
    const share = length > 0 ? Math.max(0, Math.min(1, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length)) : 0;
    const off = Math.hypot(x - x0 - share * (x1 - x0), y - y0 - share * (y1 - y0));
    // A label stands beside its mark, on its row.
    const beside = Math.abs(y - y1) < 8 ? 8.5 : 99;
    if (Math.min(off, beside) < closest) { closest = Math.min(off, beside); best = item; }
  }
  return best;
}

function pointed(event) {
  const frame = scroll.getBoundingClientRect();
  return nearest(event.clientX - frame.left, event.clientY - frame.top);
}

function hover(event) {
  const item = pointed(event), tip = by("tip");
  tip.hidden = !item;
  if (!item) return;
  const parts = [element("b", label(item.row)), element("span", `${where(item.row)} ${facts(item.row)}`)];
  if (detail(item.row)) parts.push(element("pre", detail(item.row)));
  tip.replaceChildren(...parts);
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const top = event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 12 : event.clientY + 18;
  tip.style.left = `${left}px`;
  tip.style.top = `${Math.max(4, top)}px`;
}

const keys = {
  j: () => walk(1), ArrowDown: () => walk(1), k: () => walk(-1), ArrowUp: () => walk(-1),
  f: () => run.fail && goTo(run.fail.step, true),
  "/": () => by("query").focus(),
  n: () => nextFound(true), p: () => nextFound(false),
  "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5),
  Home: () => shown.rows.length > 0 && select(shown.rows[0], true),
  End: () => shown.rows.length > 0 && select(shown.rows[shown.rows.length - 1], true),
  Escape: () => { state.selected = -1; by("details").replaceChildren(); remember(); redraw(); },
};

function listen() {
  scroll.addEventListener("scroll", () => { by("tip").hidden = true; redraw(); });
  scroll.addEventListener("mousemove", hover);
  scroll.addEventListener("mouseleave", () => { by("tip").hidden = true; });
  scroll.addEventListener("click", (event) => { const item = pointed(event); if (item) select(shown.rows[item.place], false); });
  scroll.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.25 : 0.8);
  }, { passive: false });
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input[type=search]");
    if (typing && event.key === "Enter") return nextFound(true);
    if (typing && event.key === "Escape") return scroll.focus();
    if (typing || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  const jump = (event) => {
    const frame = by("map").getBoundingClientRect();
    scroll.scrollTop = (event.clientY - frame.top) / frame.height * shown.height - scroll.clientHeight / 2;
  };
  by("map").addEventListener("mousedown", jump);
  by("map").addEventListener("mousemove", (event) => { if (event.buttons & 1) jump(event); });
  by("query").addEventListener("input", () => { state.query = by("query").value; find(); remember(); });
  by("zoom-in").addEventListener("click", () => zoom(1.5));
  by("zoom-out").addEventListener("click", () => zoom(1 / 1.5));
  by("to-fail").addEventListener("click", keys.f);
  by("all").addEventListener("click", () => {
    const all = state.people.size === run.people.length;
    state.people.clear();
    if (!all) run.people.forEach((_, person) => state.people.add(person));
    fill();
    refresh();
    remember();
  });
  by("theme").addEventListener("click", () => {
    const root = document.documentElement;
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    readInk();
    remember();
    redraw();
  });
  addEventListener("resize", redraw);
  addEventListener("hashchange", open);
}

function open() {
  const step = recall();
  readInk();
  fill();
  by("query").value = state.query;
  refresh(-1);
  find();
  if (step >= 0) goTo(step, true);
}

tell();
listen();
open();
scroll.focus({ preventScroll: true });
