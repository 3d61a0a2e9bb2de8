"use strict";
// Each upload as a dot: at its time, as high as it took. A canvas of our own in 10 KB; a library has 50 without this.

const line = { minutes: 15, dots: new Map(), every: 1, alarms: [], changes: [], brush: null, hover: null, fresh: [], told: 0, sorted: [] };
const LEFT = 48, RIGHT = 12, TOP = 56, BOTTOM = 24, FLOOR = 1;
let lineTimer = 0, linePlace = null;

// Whether something of this time is in what was brushed; everything below is of that.
const inSpan = (ms) => !line.brush || (ms >= line.brush[0] && ms <= line.brush[1]);

async function loadTimeline() {
  const minutes = line.minutes;
  // What comes meanwhile is newer than the answer.
  const fresh = line.fresh = [];
  try {
    const found = await ask(`timeline?minutes=${minutes}`);
    // A later question has a newer answer.
    if (minutes !== line.minutes || fresh !== line.fresh) return;
    line.dots = new Map([...found.dots, ...fresh].map((dot) => [dot[0], dot]));
    Object.assign(line, { every: found.every, alarms: found.alarms, changes: found.changes, read: Date.now() });
    line.told = 0;
    set($("timeline-error"), "");
  } catch (error) { set($("timeline-error"), flat(error.message)); }
  draw(drawTimeline);
}

function reloadTimeline() {
  clearTimeout(lineTimer);
  if (!known.stack.problem) lineTimer = setTimeout(loadTimeline, 300);
}

function takeDots(dots) {
  if (line.minutes > 60) return;
  if (!dots) { reloadTimeline(); return; }
  for (const dot of dots) line.dots.set(dot[0], dot);
  line.fresh.push(...dots);
  if (line.fresh.length > 6000) line.fresh.length = 0;
  line.told = 0;
  if (line.dots.size > 6000) reloadTimeline();
  draw(drawTimeline);
}

const latencies = (dots) => dots.filter((dot) => dot[3] !== null && !dot[5] && !dot[7]).map((dot) => dot[3]).sort((left, right) => left - right);
const part = (sorted, percent) => sorted[Math.ceil((sorted.length * percent) / 100) - 1];
// One without a known duration lies on the floor.
const rise = (dot) => dot[3] === null ? linePlace.height - BOTTOM - 3 : linePlace.y(dot[3]);
const outcome = (dot) => dot[7] ? `p50 ${duration(dot[4])}, p99 ${duration(dot[3])}` : dot[5] ? "failed" : dot[3] === null ? "no duration known" : `${dot[6] ? "about " : ""}${duration(dot[3])}`;

function drawTimeline() {
  const canvas = $("timeline-canvas"), { width, height } = canvas.getBoundingClientRect();
  if (!width || document.hidden) return;
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) { canvas.width = Math.round(width * scale); canvas.height = Math.round(height * scale); }
  const pen = canvas.getContext("2d"), style = getComputedStyle(canvas), colour = (name) => style.getPropertyValue(name);
  const end = now(), begin = end - line.minutes * 60000;
  const dots = [...line.dots.values()].filter((dot) => dot[2] >= begin);
  // Sorting is most of the work, and these change little in a third of a second.
  const stale = Date.now() - line.told > 300;
  if (stale) [line.told, line.sorted] = [Date.now(), latencies(dots)];
  const { sorted } = line, top = Math.max(1000, ...dots.map((dot) => dot[3] ?? 0)) * 1.5;
  const x = (ms) => LEFT + ((width - LEFT - RIGHT) * (ms - begin)) / (end - begin);
  const y = (ms) => height - BOTTOM - 12 - ((height - TOP - BOTTOM - 12) * Math.log(Math.max(ms, FLOOR) / FLOOR)) / Math.log(top / FLOOR);
  linePlace = { x, y, begin, end, width, height };
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  const write = (value, at, up, align) => { pen.textAlign = align; pen.fillText(value, at, up); };
  // Each label where none is yet, below the one that has its place: three lie above the dots.
  const places = [];
  const label = (value, at, up) => {
    const wide = pen.measureText(value).width, left = Math.max(LEFT, Math.min(at, width - RIGHT - wide));
    while (places.some(([x1, x2, y1]) => left < x2 + 8 && left + wide > x1 - 8 && Math.abs(up - y1) < 16)) up += 16;
    places.push([left, left + wide, up]);
    write(value, left, up, "left");
  };
  const stroke = (left, up, right, down, dash = []) => { pen.setLineDash(dash); pen.beginPath(); pen.moveTo(left, up); pen.lineTo(right, down); pen.stroke(); };

  // Alarms, shaded while they lasted, each with its name.
  for (const [name, from, to] of line.alarms) {
    const left = Math.max(LEFT, x(from)), right = Math.max(left + 2, Math.min(width - RIGHT, x(to ?? end)));
    if (x(to ?? end) <= LEFT) continue;
    pen.fillStyle = colour("--failing");
    pen.globalAlpha = .08;
    pen.fillRect(left, TOP, right - left, height - TOP - BOTTOM);
    pen.globalAlpha = 1;
  }
  if (line.brush) {
    pen.fillStyle = colour("--accent-soft");
    pen.fillRect(x(line.brush[0]), TOP, x(line.brush[1]) - x(line.brush[0]), height - TOP - BOTTOM);
  }
  pen.lineWidth = 1;
  pen.strokeStyle = colour("--line");
  pen.fillStyle = colour("--soft");
  for (let tick = FLOOR; tick <= top; tick *= 10) {
    const up = Math.round(y(tick)) + .5;
    stroke(LEFT, up, width - RIGHT, up);
    write(tick >= 1000 ? `${tick / 1000} s` : `${tick} ms`, LEFT - 6, up + 4, "right");
  }
  const step = { 5: 1, 15: 3, 60: 10, 360: 60, 1440: 240 }[line.minutes] * 60000 * (width < 600 ? 2 : 1);
  for (let at = Math.ceil(begin / step) * step; at < end; at += step) write(clock(at).slice(0, 5), Math.min(x(at), width - 20), height - 6, "center");
  for (const [at, what] of line.changes) {
    if (at < begin) continue;
    pen.strokeStyle = colour("--accent");
    stroke(x(at), TOP - 4, x(at), height - BOTTOM, [4, 3]);
  }
  for (const percent of sorted.length ? [50, 99] : []) {
    const up = y(part(sorted, percent));
    pen.strokeStyle = colour("--soft");
    stroke(LEFT, up, width - RIGHT, up, [2, 3]);
  }
  // What waited before the function had it, as height.
  if (dots.length < 1500) {
    pen.strokeStyle = colour("--line");
    for (const [, , at, took, run] of dots) if (took && run && took > run * 1.2) stroke(x(at), y(run), x(at), y(took));
  }
  const [good, bad, unknown] = ["--ok", "--failing", "--soft"].map(colour);
  for (const dot of dots) {
    // Whole pixels need no blending.
    const left = Math.round(x(dot[2])), up = Math.round(rise(dot));
    if (dot[5]) { pen.fillStyle = bad; pen.fillRect(left - 1, up - 5, 3, 11); pen.fillRect(left - 5, up - 1, 11, 3); continue; }
    pen.fillStyle = dot[3] === null ? unknown : good;
    pen.fillRect(left - 2, up - 2, 4, 4);
  }
  // On top of what they name, the fixed ones first.
  for (const percent of sorted.length ? [99, 50] : []) {
    pen.fillStyle = colour("--soft");
    label(`p${percent} ${duration(part(sorted, percent))}`, LEFT + 8, y(part(sorted, percent)) - 4);
  }
  pen.fillStyle = colour("--accent");
  for (const [at, what] of line.changes) if (at >= begin) label(`▾ ${what}`, x(at) - 4, 12);
  pen.fillStyle = colour("--failing");
  const lasting = new Map(line.alarms.filter(([, , to]) => x(to ?? end) > LEFT).map(([name, from]) => [name, from]));
  for (const [name, from] of lasting) label(name, x(from) + 4, 12);
  if (line.hover) {
    pen.strokeStyle = colour("--ink");
    pen.strokeRect(x(line.hover[2]) - 6, rise(line.hover) - 6, 12, 12);
  }
  if (stale) tell(dots, sorted);
}

function nearest(event) {
  if (!linePlace) return null;
  const box = $("timeline-canvas").getBoundingClientRect(), left = event.clientX - box.left, up = event.clientY - box.top;
  let found = null, least = 144;
  for (const dot of line.dots.values()) {
    if (dot[2] < linePlace.begin) continue;
    const away = (linePlace.x(dot[2]) - left) ** 2 + (rise(dot) - up) ** 2;
    if (away <= least) [found, least] = [dot, away];
  }
  return found;
}

function brushed(span) {
  [line.brush, line.told] = [span, 0];
  draw(drawTimeline, drawUploads, drawRecords, drawLog, drawFailures, drawNotifications);
}

function hover(dot) {
  line.hover = dot;
  const tip = $("timeline-tip");
  show(tip, Boolean(dot));
  if (dot) {
    set(tip, `${named(dot)} · ${outcome(dot)} · ${clock(dot[2])}`);
    const left = linePlace.x(dot[2]);
    tip.style.left = `${Math.max(0, Math.min(left - 60, linePlace.width - tip.offsetWidth))}px`;
    tip.style.top = `${Math.max(0, rise(dot) - 36)}px`;
  }
  draw(drawTimeline);
}

function startTimeline() {
  const canvas = $("timeline-canvas");
  const timeAt = (event) => {
    const { left } = canvas.getBoundingClientRect(), { begin, end, width } = linePlace;
    return Math.min(end, Math.max(begin, begin + ((event.clientX - left - LEFT) * (end - begin)) / (width - LEFT - RIGHT)));
  };
  let pressed = null;
  canvas.onpointerdown = (event) => { if (!linePlace || event.button) return; pressed = [event.clientX, timeAt(event)]; canvas.setPointerCapture(event.pointerId); };
  canvas.onpointermove = (event) => {
    if (!linePlace) return;
    if (pressed && line.minutes <= 60 && Math.abs(event.clientX - pressed[0]) > 4) brushed([pressed[1], timeAt(event)].sort((left, right) => left - right));
    else hover(nearest(event));
  };
  canvas.onpointerup = (event) => {
    if (pressed && Math.abs(event.clientX - pressed[0]) <= 4) {
      const dot = nearest(event);
      if (dot?.[7]) hover(dot);
      else if (dot) location.hash = uploadLink(dot[0]);
      else if (line.brush) brushed(null);
    }
    pressed = null;
  };
  canvas.onpointerleave = () => hover(null);
  $("brush-clear").onclick = () => brushed(null);
  $("timeline-table").ontoggle = () => { line.told = 0; draw(drawTimeline); };
  for (const button of document.querySelectorAll("#timeline-minutes button")) button.onclick = () => {
    line.minutes = Number(button.dataset.minutes);
    for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
    brushed(null);
    loadTimeline();
  };
  addEventListener("resize", () => draw(drawTimeline));
  // Time goes on also where nothing happens; a bar of it is a pixel in most of a second.
  setInterval(() => {
    if (document.hidden) return;
    if (line.minutes > 60 && Date.now() - line.read > 300000) loadTimeline(line.read = Date.now());
    draw(drawTimeline);
  }, 1000);
}
