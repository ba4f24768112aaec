// Draws what is in view, and remembers where it is for the pointer.
const views = { head: by("head"), view: by("view"), map: by("map") };
const FONT = '12px system-ui, "DejaVu Sans", sans-serif', SMALL = '11px system-ui, "DejaVu Sans", sans-serif';
let ink = {};
let drawn = [];

function readInk() {
  const style = getComputedStyle(document.documentElement);
  ink = new Proxy({}, { get: (_, name) => style.getPropertyValue(`--${name}`).trim() });
  ink = Object.fromEntries(["paper", "panel", "ink", "dim", "rule", "off", "on", "enrol", "relay", "tunnel", "direct",
    "unknown", "fault", "objection", "wash", "fault-wash", "phase", "person", "told", "select", "found"]
    .map((name) => [name, ink[name]]));
}

function prepare(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}

function line(pen, x0, y0, x1, y1, color, width, dash) {
  pen.strokeStyle = color;
  pen.lineWidth = width;
  pen.setLineDash(dash || []);
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
  pen.setLineDash([]);
}

// A text on the paper's colour, no wider than there is room. Returns how wide it is.
function write(pen, text, x, y, color, room, align) {
  let words = text, wide = pen.measureText(words).width;
  for (let fits = words.length; wide > room && fits > 3;) {
    fits = Math.min(fits - 1, Math.floor(fits * room / wide));
    words = `${text.slice(0, fits)}…`;
    wide = pen.measureText(words).width;
  }
  const left = align === "right" ? x - wide : x;
  pen.globalAlpha = 0.86;
  pen.fillStyle = ink.paper;
  pen.fillRect(left - 2, y - 7, wide + 4, 14);
  pen.globalAlpha = 1;
  pen.fillStyle = color;
  pen.fillText(words, left, y);
  return wide;
}

function drawHead(width) {
  const pen = prepare(views.head, width, HEAD);
  pen.fillStyle = ink.panel;
  pen.fillRect(0, 0, width, HEAD);
  line(pen, 0, HEAD - 0.5, width, HEAD - 0.5, ink.rule, 1);
  pen.font = SMALL;
  pen.textBaseline = "middle";
  pen.fillStyle = ink.dim;
  pen.fillText("seconds", 12, HEAD - 12);
  pen.textAlign = "right";
  pen.fillText("step", GUTTER - 14, HEAD - 12);
  const slanted = columns.wide < 76;
  columns.xs.forEach((x, column) => {
    if (column < relay && !state.people.has(column)) return;
    pen.save();
    pen.translate(x, HEAD - 12);
    pen.textAlign = "center";
    if (slanted) {
      pen.rotate(-Math.PI / 3.2);
      pen.textAlign = "left";
    }
    pen.font = `600 ${FONT}`;
    pen.fillStyle = column === relay ? ink.relay : column === others ? ink.dim : ink.ink;
    pen.fillText(names[column], 0, 0, slanted ? 90 : columns.wide - 6);
    pen.restore();
  });
  pen.font = SMALL;
  pen.textAlign = "left";
  run.oracles.forEach((name, oracle) => {
    pen.save();
    pen.translate(lane(oracle), HEAD - 8);
    pen.rotate(-Math.PI / 2);
    pen.fillStyle = run.fail && run.fail.oracle === name ? ink.objection : ink.dim;
    pen.fillText(name, 0, 0, HEAD - 12);
    pen.restore();
  });
}

// The lines of the columns: thick while somebody runs.
function drawLives(pen, top, height) {
  columns.xs.forEach((x) => line(pen, x, 0, x, height, ink.off, 1, [2, 4]));
  for (const [column, from, until] of run.spans) {
    const y0 = yOf(from) - top, y1 = (until < run.end ? yOf(until) : shown.height - 40) - top;
    if (y1 > 0 && y0 < height && columns.xs[column] !== undefined) {
      const wide = column === relay || state.people.has(column) ? 3 : 1;
      line(pen, columns.xs[column], Math.max(0, y0), columns.xs[column], Math.min(height, y1), ink.on, wide);
    }
  }
  const objected = run.fail ? shown.rows.findLast((number) => isClass(run.rows[number], "objection")) : undefined;
  const end = objected === undefined ? height : shown.ys[placeOfRow(objected)] - top;
  run.oracles.forEach((_, oracle) => line(pen, lane(oracle), 0, lane(oracle), Math.min(height, end), ink.rule, 1));
}

function arrowHead(pen, x, y, angle, color, hollow) {
  pen.save();
  pen.translate(x, y);
  pen.rotate(angle);
  pen.beginPath();
  pen.moveTo(0, 0);
  pen.lineTo(-9, -4);
  pen.lineTo(-9, 4);
  pen.closePath();
  pen.fillStyle = hollow ? ink.paper : color;
  pen.fill();
  pen.strokeStyle = color;
  pen.lineWidth = 1.2;
  pen.stroke();
  pen.restore();
}

function cross(pen, x, y, color, size) {
  line(pen, x - size, y - size, x + size, y + size, color, 2);
  line(pen, x - size, y + size, x + size, y - size, color, 2);
}

// An arrow down to its row: dashed for what TLS says for itself, a cross at the end of what never arrives.
function drawArrow(pen, row, y, top) {
  const lost = isClass(row, "lost"), x0 = columns.xs[row[ONE]], x1 = columns.xs[row[OTHER]];
  let y0 = Math.min(y, yOf(row[SENT]) - top);
  const color = lost || isClass(row, "fault") ? ink.fault : ink[WAYS[row[WAY]][0]];
  const [endX, endY] = lost ? [x0 + (x1 - x0) * 0.4, y + 8] : [x1, y];
  if (lost) y0 = y;
  const quiet = isClass(row, "handshake") || isClass(row, "link") || isClass(row, "bytes");
  line(pen, x0, y0, endX, endY, color, quiet ? 1.2 : 1.8, quiet || lost ? [5, 3] : []);
  if (lost) cross(pen, endX, endY, color, 4);
  else arrowHead(pen, endX, endY, Math.atan2(endY - y0, endX - x0), color, quiet);
  return { x0, y0, x1: endX, y1: endY, color };
}

function drawMark(pen, row, y) {
  const [name] = run.classes[row[CLASS]], x = columns.xs[row[ONE]];
  const color = ink[{ fault: "fault", person: "person", told: "told", relay: "relay", link: "unknown" }[name] || "dim"];
  if (row.length > OTHER) {
    const x1 = columns.xs[row[OTHER]], middle = (x + x1) / 2;
    line(pen, x, y, x1, y, color, 1.5, [2, 3]);
    cross(pen, middle, y, color, 5);
    return { x0: x, y0: y, x1, y1: y, color, text: Math.min(x, x1) === x ? middle : middle };
  }
  if (name === "fault") cross(pen, x, y, color, 5);
  else {
    pen.beginPath();
    pen.arc(x, y, name === "person" ? 4.5 : 3.5, 0, 7);
    pen.fillStyle = name === "told" ? ink.paper : color;
    pen.fill();
    pen.strokeStyle = color;
    pen.lineWidth = 1.5;
    pen.stroke();
  }
  return { x0: x, y0: y, x1: x, y1: y, color };
}

function drawLabel(pen, row, place, y) {
  const text = label(row);
  if (row.length <= ONE) {
    const color = isClass(row, "objection") ? ink.objection : isClass(row, "phase") ? ink.phase : ink.fault;
    pen.font = `600 ${FONT}`;
    write(pen, text, GUTTER + 4, y, color, columns.right - GUTTER - 8);
    pen.font = FONT;
    return;
  }
  const color = isClass(row, "bytes") ? ink.dim : place.color;
  if (isArrow(row)) {
    const leftwards = columns.xs[row[OTHER]] < columns.xs[row[ONE]];
    const x = isClass(row, "lost") ? place.x1 + (leftwards ? -8 : 8) : place.x1 + (leftwards ? 13 : -13);
    const align = leftwards === isClass(row, "lost") ? "right" : "left";
    const room = align === "right" ? x - GUTTER : columns.right - x;
    write(pen, text, x, y - (isClass(row, "lost") ? 0 : 7), color, room, align);
    return;
  }
  const x = row.length > OTHER ? place.text + 9 : place.x0 + 9, room = columns.right - x;
  if (pen.measureText(text).width > room && x - GUTTER > room) write(pen, text, x - 18, y, color, x - 18 - GUTTER, "right");
  else write(pen, text, x, y, color, room);
}

// What spans all columns: parts of the run, crashes, the objection, the selection.
function drawBand(pen, row, number, y, height) {
  const wide = columns.right + run.oracles.length * LANE + 14;
  const band = (color, tall) => {
    pen.fillStyle = color;
    pen.fillRect(0, y - tall / 2, wide, tall);
  };
  if (number === state.selected) band(ink.select, Math.max(4, height));
  else if (state.found.length > 0 && state.foundSet.has(number)) band(ink.found, Math.max(3, height));
  if (isClass(row, "objection")) {
    band(ink.wash, Math.max(6, height));
    line(pen, GUTTER - 6, y, wide, y, ink.objection, 1.5);
  } else if (isClass(row, "phase")) line(pen, GUTTER, y, columns.right, y, ink.phase, 1, [8, 4]);
  else if (run.kinds[row[KIND]][0] === "crashed") band(ink["fault-wash"], height);
  else if (isClass(row, "fault") && row.length <= ONE) line(pen, GUTTER, y, columns.right, y, ink.fault, 1, [2, 4]);
}

function drawSight(pen, row, y) {
  for (const oracle of run.kinds[row[KIND]][1]) {
    pen.beginPath();
    pen.arc(lane(oracle), y, 2.6, 0, 7);
    pen.fillStyle = ink.on;
    pen.fill();
  }
  const objects = run.oracles.indexOf(run.fail && run.fail.oracle);
  if (isClass(row, "objection") && objects >= 0) cross(pen, lane(objects), y, ink.objection, 6);
}

function drawView() {
  const scroll = by("scroll"), width = scroll.clientWidth, height = scroll.clientHeight, top = scroll.scrollTop;
  placeColumns(width);
  drawHead(width);
  const pen = prepare(views.view, width, height);
  pen.textBaseline = "middle";
  pen.font = FONT;
  const first = Math.max(0, placeAtY(top - 20)), last = placeAtY(top + height + 20);
  const tall = Math.min(ROW, ROW * state.zoom);
  const y = (place) => shown.ys[place] - top;
  for (let place = first; place < last; place += 1) {
    drawBand(pen, run.rows[shown.rows[place]], shown.rows[place], y(place), tall);
  }
  drawLives(pen, top, height);
  drawn = [];
  // Arrows that begin in view may end below it.
  const further = placeAtY(top + height + Math.min(shown.longest, 4000) + 20);
  for (let place = first; place < further; place += 1) {
    const row = run.rows[shown.rows[place]];
    if (place >= last && !isArrow(row)) continue;
    const at = row.length <= ONE ? { x0: GUTTER, x1: columns.right, y0: y(place), y1: y(place) }
      : isArrow(row) ? drawArrow(pen, row, y(place), top) : drawMark(pen, row, y(place));
    drawn.push({ place, row, at });
  }
  drawTexts(pen, first, last, y);
  drawMap(top, height);
}

function drawTexts(pen, first, last, y) {
  let free = -99, timed = -99;
  for (const { place, row, at } of drawn) {
    if (place >= last) break;
    drawSight(pen, row, y(place));
    const important = isClass(row, "objection") || isClass(row, "phase") || shown.rows[place] === state.selected;
    const words = y(place) - (isArrow(row) ? 7 : 0);
    if (important || words - free >= 12) {
      drawLabel(pen, row, at, y(place));
      free = words;
    }
    if (y(place) - timed >= 13) {
      pen.font = SMALL;
      pen.fillStyle = ink.dim;
      pen.textAlign = "right";
      pen.fillText(clock(row[AT]), 84, y(place));
      pen.fillText(row[STEP], GUTTER - 14, y(place));
      pen.textAlign = "left";
      pen.font = FONT;
      timed = y(place);
    }
  }
  for (let place = Math.max(1, first); place < last && state.zoom > 0.4; place += 1) {
    const gap = shown.folds.get(place);
    if (gap === undefined) continue;
    const middle = (y(place) + y(place - 1)) / 2;
    line(pen, 12, middle, columns.right, middle, ink.off, 1, [1, 5]);
    if (y(place) - y(place - 1) > 26) {
      pen.font = SMALL;
      write(pen, `${span(gap)} later`, 40, middle, ink.dim, 100);
      pen.font = FONT;
    }
  }
}

// The whole run at the side: how much happens, in the colours of the ways, faults at the left edge.
let mapKept = { key: "", image: null };
function drawMap(top, height) {
  const width = 64, tall = by("stage").clientHeight;
  const key = [tall, shown.height, shown.rows.length, ink.paper].join();
  if (mapKept.key !== key) {
    const image = document.createElement("canvas");
    paintMap(prepare(image, width, tall), width, tall);
    mapKept = { key, image };
  }
  const pen = prepare(views.map, width, tall);
  pen.drawImage(mapKept.image, 0, 0, width, tall);
  const scale = tall / shown.height;
  pen.strokeStyle = ink.ink;
  pen.lineWidth = 1.5;
  pen.strokeRect(1, top * scale, width - 2, Math.max(4, height * scale));
}

function paintMap(pen, width, tall) {
  const scale = tall / shown.height, bins = Array.from({ length: Math.ceil(tall) + 1 }, () => new Map());
  shown.rows.forEach((number, place) => {
    const row = run.rows[number], bin = bins[Math.floor(shown.ys[place] * scale)];
    const color = isArrow(row) ? ink[WAYS[row[WAY]][0]] : ink.on;
    bin.set(color, (bin.get(color) || 0) + 1);
    if (isClass(row, "fault") || isClass(row, "lost")) bin.fault = true;
    if (isClass(row, "phase")) bin.phase = true;
    if (isClass(row, "objection")) bin.objection = true;
  });
  const most = Math.max(1, ...bins.map((bin) => [...bin.values()].reduce((sum, count) => sum + count, 0)));
  bins.forEach((bin, y) => {
    let x = 12;
    for (const [color, count] of bin) {
      const wide = (width - 16) * count / most;
      pen.fillStyle = color;
      pen.fillRect(x, y, wide, 1);
      x += wide;
    }
    pen.fillStyle = ink.fault;
    if (bin.fault) pen.fillRect(2, y, 7, 1);
    pen.fillStyle = ink.phase;
    if (bin.phase) pen.fillRect(0, y, width, 1);
  });
  bins.forEach((bin, y) => {
    pen.fillStyle = ink.objection;
    if (bin.objection) pen.fillRect(0, y - 1.5, width, 4);
  });
}
