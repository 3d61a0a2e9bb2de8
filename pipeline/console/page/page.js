"use strict";
// Everything that comes from the stack becomes text, never markup: a key may be `<script>`.

const $ = (id) => document.getElementById(id);
const WORDS = { healthy: "well", busy: "busy", broken: "broken", unknown: "not known" };
const SIGNS = { healthy: "✓", busy: "●", broken: "✕", unknown: "?" };
const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const SHOWN = 100;
const AT_ONCE = 4;
const MOST_FILES = 1000;

const known = {
  stack: {}, stages: [], blind: {}, write: false, replay: null,
  records: new Map(), invokes: new Map(), travels: new Map(),
  failures: [], alarms: [], mails: [], points: {},
};
const chosen = new Set();
let found = null; // records that a filter asked the table for
let foundLines = null; // lines of a request that the log was asked for

// --- small tools -----------------------------------------------------------------------------

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((one) => one !== null && one !== undefined));
  return element;
}

function drawing(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// Characters that show as nothing, or turn text around, are written out.
function text(value) {
  return String(value).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (one) => "\\u" + one.charCodeAt(0).toString(16).padStart(4, "0"));
}

const set = (element, value) => { if (element.textContent !== value) element.textContent = value; };
const show = (element, shown) => { if (element.hidden === shown) element.hidden = !shown; };
const clock = (epoch) => epoch ? new Date(epoch).toLocaleTimeString([], { hour12: false }) : "";
const moment = (epoch) => epoch ? new Date(epoch).toLocaleString([], { hour12: false }) : "not known";
const when = (epoch) => {
  if (!epoch) return "";
  const today = new Date(epoch).toDateString() === new Date().toDateString();
  return today ? clock(epoch) : moment(epoch);
};
function duration(ms) {
  if (ms === null || ms === undefined) return "";
  if (ms >= 10000) return `${Math.round(ms / 1000)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`;
}
function bytes(size) {
  if (size === null || size === undefined) return "";
  for (const [unit, of] of [["MiB", 1048576], ["KiB", 1024]]) if (size >= of) return `${(size / of).toFixed(1)} ${unit}`;
  return size === 1 ? "1 byte" : `${size} bytes`;
}
const value = (attribute) => attribute ? Object.values(attribute)[0] : undefined;
const say = (what) => { $("live").textContent = what; };
const complaints = [];
function complain(what) {
  if (what) complaints.push(what); else complaints.length = 0;
  const more = complaints.length > 5 ? [`and ${complaints.length - 5} before`] : [];
  $("said").textContent = [...complaints.slice(-5), ...more].join("\n");
}

// A list keeps its elements by key, so that what is open stays open and nothing jumps.
function list(parent, items, key, build, update) {
  const kept = parent.kept ??= new Map();
  const first = kept.size === 0;
  const wanted = new Set(items.map((item) => String(key(item))));
  // What goes, goes first: to move what stays would take the focus from it.
  for (const [id, element] of kept) if (!wanted.has(id)) { kept.delete(id); leave(element); }
  let at = parent.firstElementChild;
  for (const item of items) {
    const id = String(key(item));
    let element = kept.get(id);
    if (!element) {
      element = build(item);
      kept.set(id, element);
      if (!first) element.classList.add("fresh");
    }
    update?.(element, item);
    if (element !== at) parent.insertBefore(element, at);
    else at = at.nextElementSibling;
  }
}

// Whoever works by keyboard goes on beside what went, not at the top of the page.
function leave(element) {
  const near = element.contains(document.activeElement)
    && ((element.nextElementSibling ?? element.previousElementSibling)?.querySelector("input, button, summary")
      ?? element.closest("section"));
  element.remove();
  if (near) near.focus();
}

// A button that is off for a while keeps the focus, which `disabled` would take from it.
const turn = (button, on) => button.setAttribute("aria-disabled", String(!on));
const isOn = (button) => button.getAttribute("aria-disabled") !== "true";

// A row that opens; what is inside is made when it is opened first.
function folding(summary, inside) {
  const details = make("details", {}, make("summary", {}, ...summary));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(inside());
  });
  return details;
}

const waiting = new Set();
function draw(...parts) {
  // A page that is hidden draws nothing, but its title tells.
  const soon = document.hidden ? (work) => setTimeout(work, 0) : requestAnimationFrame;
  if (waiting.size === 0) soon(() => {
    const now = [...waiting];
    waiting.clear();
    for (const part of now) part();
  });
  for (const part of parts) waiting.add(part);
}

async function ask(path, options = {}) {
  const answer = await fetch(path, options).catch(() => null);
  if (!answer) throw new Error("The console does not answer: is it still running?");
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.error || `The console answered ${answer.status}.`);
  return told;
}

// --- the pipeline ----------------------------------------------------------------------------

function drawStages() {
  const flow = $("flow");
  const line = known.stages.filter((one) => one.id !== "failures");
  const column = line.findIndex((one) => one.id === "function") + 1;
  list(flow, known.stages, (one) => one.id, (stage) => make("li", { class: "stage", id: `stage-${stage.id}` },
    make("h3"), make("span", { class: "state" }), make("span", { class: "resource" }), make("dl"), make("p", { class: "says" })),
  (element, stage) => {
    const [title, state, resource, figures, says] = element.children;
    element.dataset.health = stage.health;
    element.classList.toggle("branch", stage.id === "failures");
    element.classList.toggle("last", stage.id === "topic");
    element.style.gridColumn = stage.id === "failures" ? column : line.indexOf(stage) + 1;
    set(title, stage.title);
    state.dataset.state = stage.health;
    set(state, `${SIGNS[stage.health]} ${WORDS[stage.health]}`);
    set(resource, text(stage.resource));
    element.title = stage.says;
    set(says, text(stage.says.length > 240 ? `${stage.says.slice(0, 240)} …` : stage.says));
    list(figures, stage.figures, (one) => one.label,
      (one) => make("div", { title: one.title }, make("dt", {}, one.label), make("dd")),
      (part, one) => { part.title = one.title; set(part.children[1], one.value); });
  });
  const broken = known.stages.filter((one) => one.health === "broken");
  const unknown = known.stages.filter((one) => one.health === "unknown");
  const names = (stages) => stages.map((one) => one.title.toLowerCase()).join(", ");
  let state = "healthy", verdict = "All is well: what is uploaded becomes a record.";
  if (known.gone) [state, verdict] = ["unknown", "The console does not answer: what is shown is old."];
  else if (known.stack.why) [state, verdict] = ["unknown", "The pipeline can't be seen just now."];
  else if (!known.stages.length) [state, verdict] = ["unknown", "Looking at the pipeline …"];
  else if (broken.length === 1 && broken[0].id === "alarms") [state, verdict] = ["broken", `An alarm is on: ${broken[0].says}. What to do stands with it, below.`];
  else if (broken.length) [state, verdict] = ["broken", `Something is wrong at: ${names(broken)}. ${broken[0].says}`];
  else if (unknown.length) [state, verdict] = ["unknown", `Not known: ${names(unknown)}. ${unknown.find((one) => one.says)?.says ?? ""}`];
  $("verdict").dataset.state = state;
  set($("verdict"), `${SIGNS[state]} ${text(verdict)}`);
  document.title = `${broken.length ? `✕ ${broken.length} broken – ` : ""}Pipeline`;
}

function light(id, bad) {
  const stage = $(`stage-${id}`);
  if (!stage) return;
  const name = bad ? "lit-bad" : "lit";
  stage.classList.add(name);
  clearTimeout(stage[name]);
  stage[name] = setTimeout(() => stage.classList.remove(name), 900);
}

function drawStack() {
  const { why, origin, region } = known.stack;
  show($("banner"), Boolean(why));
  set($("banner"), text(why || ""));
  const where = known.stack.embedded ? "The lab on this machine" : origin;
  set($("origin"), text([where, region].filter(Boolean).join(", ")));
  set($("figures-note"), known.stack.embedded ? "The emulator has no metrics of its own: this page publishes them from what it sees, so that alarms go off as in AWS." : "");
  const closed = !known.write;
  $("drop").classList.toggle("closed", closed);
  for (const id of ["pick-files", "pick-folder", "write-text", "prefix"]) $(id).disabled = closed;
  set($("drop-note"), closed ? ": not here, this page only looks; start it with --write to let it upload." : " and watch each one travel.");
  drawStages();
}

function drawBlind() {
  for (const panel of ["records", "log", "failures", "alarms", "mails", "points", "checks", "metrics"]) {
    const element = $(`blind-${panel}`);
    const why = known.blind[panel];
    show(element, Boolean(why));
    set(element, why ? text(`Not to be seen just now: ${why}`) : "");
  }
}

// --- uploads ---------------------------------------------------------------------------------

const STATES = {
  uploading: "uploading", travelling: "on its way", arrived: "recorded", retrying: "failed, is tried again",
  failed: "failed, waits in the failure queue", refused: "not uploaded", untaken: "no filter takes it",
};

function steps(travel) {
  const bad = travel.state === "refused" ? "bucket" : { retrying: 1, failed: 1 }[travel.state]
    ? (known.failures.find((one) => one.id === travel.message)?.how === "rule" ? "delivery" : "function") : null;
  let now = travel.state === "uploading" || travel.state === "travelling";
  const names = { bucket: "bucket", delivery: known.stages.find((one) => one.id === "delivery")?.title.toLowerCase() ?? "rule", function: "function", table: "table" };
  return Object.entries(names).map(([id, name]) => {
    const passed = id in travel.stages && id !== bad;
    let step = "", sign = "";
    if (id === bad) [step, sign] = ["bad", "✕"];
    else if (passed && !(bad === "delivery" && id === "function")) [step, sign] = ["done", "✓"];
    else if (now) { [step, sign] = ["now", "…"]; now = false; }
    return { id, name, step, sign, ms: step === "done" ? duration(travel.stages[id]) : "" };
  });
}

function drawTravels() {
  const all = [...known.travels.values()].sort((one, other) => other.id - one.id).slice(0, SHOWN);
  show($("travels-none"), all.length === 0);
  list($("travels"), all, (one) => one.id, (travel) => make("li", { class: "travel" },
    make("div", {}, make("div", { class: "key" }), make("div", { class: "about" })),
    make("ol", { class: "steps" }), make("span", { class: "state" }),
    make("div", { class: "reason" }, make("span"), " ",
      make("button", { type: "button", class: "small-button", onclick: (event) => { if (isOn(event.target)) replay([known.travels.get(travel.id).message]); } }, "Replay"))),
  (element, travel) => {
    const [names, track, state, reason] = element.children;
    element.dataset.is = travel.state;
    set(names.children[0], text(travel.key));
    set(names.children[1], [bytes(travel.size), travel.here ? "from this page" : "from elsewhere", clock(travel.at)].filter(Boolean).join(", "));
    state.dataset.state = { arrived: "healthy", uploading: "busy", travelling: "busy", untaken: "unknown" }[travel.state] || "broken";
    set(state, STATES[travel.state]);
    list(track, steps(travel), (one) => one.id,
      (one) => make("li", { class: "step" }, make("span", { class: "dot", "aria-hidden": "true" }), make("span", { class: "ms" }), make("span"), make("span", { class: "visually-hidden" })),
      (step, one) => {
        step.dataset.step = one.step;
        set(step.children[0], one.sign);
        set(step.children[1], one.ms || (one.step === "done" ? "–" : " "));
        set(step.children[2], one.name);
        const said = { done: "passed", bad: "failed", now: "waited for" }[one.step] || "not reached";
        set(step.children[3], ` ${said}`);
      });
    show(reason, Boolean(travel.reason));
    set(reason.children[0], travel.reason ? text(travel.reason) : "");
    show(reason.children[1], Boolean(travel.message) && known.write);
    reason.children[1].setAttribute("aria-label", `Replay ${text(travel.key)}`);
    turn(reason.children[1], !known.replay?.running);
  });
}

function takeTravels(travels) {
  for (const travel of travels) {
    const before = known.travels.get(travel.id);
    for (const id of Object.keys(travel.stages)) if (!before || !(id in before.stages)) light(id === "delivery" && !$("stage-delivery") ? "rule" : id, false);
    if (["failed", "retrying"].includes(travel.state) && before?.state !== travel.state) light("function", true);
    if (travel.state === "failed" && before?.state !== "failed") say(`${travel.key} failed: ${travel.reason}`);
    if (travel.state === "arrived" && before?.state !== "arrived") say(`${travel.key} is recorded`);
    known.travels.set(travel.id, travel);
  }
  const old = [...known.travels.keys()].sort((one, other) => one - other).slice(0, -200);
  for (const id of old) known.travels.delete(id);
  draw(drawTravels);
}

const queue = [];
let uploading = 0;

function upload(files) {
  complain("");
  if (!known.write) return;
  if (files.length > MOST_FILES) {
    complain(`${files.length} files are more than this page takes at once (${MOST_FILES}): use "aws s3 cp --recursive".`);
    return;
  }
  const prefix = $("prefix").value;
  for (const { file, path } of files) queue.push({ body: file, key: prefix + path });
  next();
}

function next() {
  while (uploading < AT_ONCE && queue.length) {
    const { body, key } = queue.shift();
    uploading += 1;
    ask(`objects?key=${encodeURIComponent(wellFormed(key))}`, { method: "PUT", body })
      .catch((error) => complain(`${text(key)}: ${error.message}`))
      .finally(() => { uploading -= 1; next(); });
  }
}

// encodeURIComponent throws on half a character.
const wellFormed = (key) => key.toWellFormed ? key.toWellFormed() : key;

async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const files = [];
  const walk = async (entry, path) => {
    if (files.length > MOST_FILES) return;
    if (entry.isFile) files.push({ file: await new Promise((good, bad) => entry.file(good, bad)), path: path + entry.name });
    else if (entry.isDirectory) {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((good, bad) => reader.readEntries(good, bad));
        if (!some.length) break;
        for (const one of some) await walk(one, `${path}${entry.name}/`);
      }
    }
  };
  for (const entry of entries) await walk(entry, "");
  return files;
}

// --- records ---------------------------------------------------------------------------------

function drawRecords() {
  const prefix = $("records-prefix").value, since = $("records-since").value;
  const from = since ? Date.now() / 1000 - Number(since) : 0;
  const pool = found ? new Map([...found, ...known.records]) : known.records;
  const fits = [...pool.values()]
    .filter((item) => (value(item.objectKey) ?? "").startsWith(prefix) && Number(value(item.timestamp) ?? 0) >= from)
    .sort((one, other) => Number(value(other.timestamp) ?? 0) - Number(value(one.timestamp) ?? 0)
      || (value(other.sequencer) ?? "").localeCompare(value(one.sequencer) ?? ""));
  set($("records-count"), fits.length > SHOWN ? `${SHOWN} of ${fits.length} and more` : fits.length ? String(fits.length) : "");
  show($("records-none"), fits.length === 0 && !known.blind.records);
  list($("records"), fits.slice(0, SHOWN), (item) => value(item.objectId), (item) => make("li", {}, folding([
    make("time", {}), make("span", { class: "grow" }), make("span", { class: "ms" })], () => attributes(item))),
  (row, item) => {
    const [time, key, size] = row.firstChild.firstChild.children;
    set(time, when(Number(value(item.timestamp)) * 1000));
    set(key, text(value(item.objectKey) ?? "a record without a key"));
    set(size, item.size ? bytes(Number(value(item.size))) : "");
  });
}

function attributes(item) {
  const names = Object.keys(item).sort((one, other) => (other === "objectId") - (one === "objectId") || one.localeCompare(other));
  return make("div", { class: "body" }, make("dl", { class: "attributes" }, ...names.flatMap((name) => {
    const [type, told] = Object.entries(item[name])[0];
    const read = ["timestamp", "ttl"].includes(name) ? ` (${moment(Number(told) * 1000)})` : "";
    const shown = typeof told === "string" ? told : JSON.stringify(told);
    return [make("dt", {}, text(name), " ", make("span", { class: "type" }, type)), make("dd", {}, text(shown), make("span", { class: "type" }, read))];
  })));
}

let asking = 0;
function filterRecords() {
  clearTimeout(asking);
  draw(drawRecords);
  const prefix = $("records-prefix").value, since = $("records-since").value;
  found = null;
  set($("records-note"), "");
  if (!prefix && !since) return;
  asking = setTimeout(async () => {
    const from = since ? Math.floor(Date.now() / 1000 - Number(since)) : "";
    set($("records-note"), "Asking the table …");
    try {
      const told = await ask(`records?prefix=${encodeURIComponent(wellFormed(prefix))}&since=${from}`);
      if (prefix !== $("records-prefix").value || since !== $("records-since").value) return;
      found = new Map(told.items.map((item) => [value(item.objectId), item]));
      set($("records-note"), told.whole ? "" : "The table is large: only its first 4 MB were searched.");
    } catch (error) { set($("records-note"), error.message); }
    draw(drawRecords);
  }, 400);
}

// --- log -------------------------------------------------------------------------------------

function drawLog() {
  const level = $("log-level").value, request = $("log-request").value.trim();
  const least = level ? LEVELS.indexOf(level) : 0;
  const fits = [...known.invokes.values()]
    .filter((one) => LEVELS.indexOf(one.level) >= least && one.request.startsWith(request))
    .sort((one, other) => other.at - one.at);
  set($("log-count"), fits.length > SHOWN ? `${SHOWN} of ${fits.length}` : fits.length ? String(fits.length) : "");
  show($("log-none"), fits.length === 0 && !foundLines && !known.blind.log);
  show($("log-search"), request.length >= 8 && fits.length === 0);
  const shown = foundLines && fits.length === 0 ? [foundLines] : fits.slice(0, SHOWN);
  list($("log"), shown, (one) => one.request, (invoke) => make("li", {}, folding([
    make("time", {}), make("span", { class: "state" }), make("span", { class: "grow" }), make("span", { class: "ms" })],
  () => make("div", { class: "body" }, make("div", {}, `request ${text(invoke.request)}`), make("pre", { class: "lines", tabindex: 0 })))),
  (row, invoke) => {
    const details = row.firstChild, [time, state, told, ms] = details.firstChild.children;
    set(time, clock(invoke.at));
    state.dataset.state = invoke.broken ? "broken" : "healthy";
    set(state, invoke.broken ? `✕ ${invoke.level}` : `✓ ${invoke.level}`);
    set(told, text(summary(invoke)));
    set(ms, duration(invoke.milliseconds));
    const fill = () => { const lines = details.querySelector(".lines"); if (lines) set(lines, invoke.lines.map(([at, , line]) => `${clock(at)} ${text(line)}`).join("\n")); };
    details.ontoggle = () => queueMicrotask(fill);
    fill();
  });
}

function summary(invoke) {
  if (invoke.refused.length) return `${invoke.refused[0].key}: ${invoke.refused[0].reason}`;
  if (invoke.received === null) return invoke.lines.at(-1)?.[2] ?? "";
  const parts = [`${invoke.received} received`, `${invoke.stored} stored`];
  if (invoke.failed) parts.push(`${invoke.failed} failed`);
  if (invoke.cold) parts.push("cold start");
  return `${parts.join(", ")} · ${invoke.request.slice(0, 8)}`;
}

// --- alarms, messages, failures --------------------------------------------------------------

function drawAlarms() {
  const ringing = known.alarms.filter((one) => one.state === "ALARM").length;
  set($("alarms-count"), known.alarms.length ? `${ringing} of ${known.alarms.length} on` : "");
  show($("alarms-none"), known.alarms.length === 0 && !known.blind.alarms);
  const order = { ALARM: 0, INSUFFICIENT_DATA: 1, OK: 2 };
  const sorted = [...known.alarms].sort((one, other) => order[one.state] - order[other.state] || one.name.localeCompare(other.name));
  list($("alarms"), sorted, (one) => one.name, (alarm) => {
    const details = folding(["State history, and what to do"], () => make("div", { class: "body runbook" }, "Asking …"));
    details.addEventListener("toggle", () => { if (details.open) tellAlarm(alarm.name, details.children[1]); });
    return make("li", {}, make("div", { class: "alarm", id: `alarm-${alarm.name}` },
      make("div", {}, make("div", {}, make("span", { class: "state" }), " ", make("span", { class: "name" })), make("div", { class: "small" })),
      make("div", { class: "spark-place" }), details));
  }, (row, alarm) => {
    const [told, place] = row.firstChild.children, [line, about] = told.children;
    const state = { OK: "healthy", ALARM: "broken" }[alarm.state] ?? "unknown";
    line.children[0].dataset.state = state;
    set(line.children[0], `${SIGNS[state]} ${alarm.state}`);
    set(line.children[1], text(alarm.name));
    set(about, text(`${alarm.metric}${alarm.period ? `, ${alarm.statistic} over ${alarm.period} s` : ""}, threshold ${alarm.threshold}. ${alarm.reason}`));
    const points = JSON.stringify(known.points[alarm.name] ?? null);
    if (place.drawn !== points) { place.drawn = points; place.replaceChildren(spark(alarm, known.points[alarm.name])); }
  });
}

function spark(alarm, points) {
  if (!points?.length) return make("span", { class: "small" }, "no datapoints");
  const values = points.map(([, told]) => told);
  const top = Math.max(...values, alarm.threshold ?? 0) * 1.15 || 1;
  const [first, last] = [points[0][0], Math.max(points.at(-1)[0], points[0][0] + 1)];
  const x = (at) => 2 + (146 * (at - first)) / (last - first), y = (told) => 38 - (36 * told) / top;
  const most = Math.max(...values);
  const said = `${alarm.metric}: ${points.length} datapoints, highest ${most}, newest ${values.at(-1)}, threshold ${alarm.threshold}`;
  const svg = drawing("svg", { class: "spark", viewBox: "0 0 150 40", role: "img", "aria-label": said });
  svg.append(drawing("title", {}));
  svg.firstChild.textContent = said;
  svg.append(drawing("polyline", { class: "line", points: points.map(([at, told]) => `${x(at).toFixed(1)},${y(told).toFixed(1)}`).join(" ") }));
  svg.append(drawing("circle", { class: "dot-mark", cx: x(points.at(-1)[0]), cy: y(values.at(-1)), r: 3 }));
  if (alarm.threshold !== null) svg.append(drawing("line", { class: "limit", x1: 0, x2: 150, y1: y(alarm.threshold), y2: y(alarm.threshold) }));
  return svg;
}

async function tellAlarm(name, place) {
  try {
    const told = await ask(`alarm?name=${encodeURIComponent(wellFormed(name))}`);
    place.replaceChildren(
      make("ol", { class: "history", "aria-label": "State history, the newest first" }, ...told.history.map((one) =>
        make("li", {}, `${when(one.at)}: ${one.from ?? "?"} → ${one.to ?? "?"}. ${text(one.reason ?? "")}`))),
      ...told.runbook.map((pieces) => pieces.length === 1 && pieces[0][0] === "pre" ? make("pre", {}, pieces[0][1])
        : make("p", {}, ...pieces.map(([kind, piece]) => kind === "text" ? piece : make(kind, {}, piece)))));
    if (!told.runbook.length) place.append(make("p", {}, "The runbook has no paragraph about this alarm."));
  } catch (error) { place.replaceChildren(error.message); }
}

function drawMails() {
  set($("mails-count"), known.mails.length ? String(known.mails.length) : "");
  show($("mails-none"), known.mails.length === 0 && !known.blind.mails);
  list($("mails"), known.mails.slice(0, SHOWN), (one) => one.id, (mail) => make("li", {}, folding([
    make("time", {}, when(mail.at)), make("span", { class: "grow" }, text(mail.subject))],
  () => make("div", { class: "body" }, ...mail.lines.map((line) => make("p", {}, text(line)))))));
}

function drawFailures() {
  const all = [...known.failures].reverse().slice(0, SHOWN);
  set($("failures-count"), known.failures.length ? String(known.failures.length) : "");
  show($("failures-none"), known.failures.length === 0 && !known.blind.failures);
  show($("failures-tools"), known.write && (known.failures.length > 0 || Boolean(known.replay)));
  const ids = new Set(all.map((one) => one.id));
  for (const id of chosen) if (!ids.has(id)) chosen.delete(id);
  list($("failures"), all, (one) => one.id, (failure) => make("li", { class: "failure" },
    make("input", { type: "checkbox", onchange: (event) => { chosen[event.target.checked ? "add" : "delete"](failure.id); drawTools(); } }),
    make("div", {}, make("div", { class: "key" }), make("div", { class: "small" }), make("div", { class: "why" })),
    make("button", { type: "button", class: "small-button", onclick: (event) => { if (isOn(event.target)) replay([failure.id]); } }, "Replay")),
  (row, failure) => {
    const [box, told, button] = row.children;
    const [, key] = failure.objects[0] ?? [];
    const more = failure.objects.length > 1 ? ` and ${failure.objects.length - 1} more` : "";
    const name = key === undefined ? `message ${failure.id.slice(0, 8)}` : text(key) + more;
    set(told.children[0], name);
    const attempts = failure.attempts === null ? "" : `, ${failure.attempts} attempts`;
    set(told.children[1], `${failure.failed_at ? moment(failure.failed_at * 1000) : "when is not known"}, from the ${text(failure.how)}${attempts}`);
    set(told.children[2], text(failure.reason || "Nobody said why: the function's log does."));
    box.setAttribute("aria-label", `Choose ${name}`);
    button.setAttribute("aria-label", `Replay ${name}`);
    box.checked = chosen.has(failure.id);
    for (const one of [box, button]) show(one, known.write);
    turn(button, !known.replay?.running);
  });
  drawTools();
}

function drawTools() {
  const running = Boolean(known.replay?.running);
  turn($("replay-chosen"), !running && chosen.size > 0);
  turn($("replay-all"), !running && known.failures.length > 0);
  set($("replay-chosen"), chosen.size ? `Replay ${chosen.size} chosen` : "Replay chosen");
  const told = known.replay;
  let said = "";
  if (told) {
    said = `${told.running ? "Replaying: " : ""}${told.done} recorded`;
    if (told.stayed.length) said += `, ${told.stayed.length} stayed (${text(told.stayed.at(-1).reason ?? "no reason")})`;
    if (told.why) said += `. ${text(told.why)}`;
  }
  set($("replay-state"), said);
}

async function replay(messages) {
  complain("");
  try {
    await ask("replay", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ messages }) });
  } catch (error) { complain(error.message); }
}

// --- what comes ------------------------------------------------------------------------------

function keep(map, items, key, most, age) {
  for (const item of items) map.set(key(item), item);
  if (map.size > most) {
    const newest = [...map.values()].sort((one, other) => age(one) - age(other)).slice(-most);
    map.clear();
    for (const item of newest) map.set(key(item), item);
  }
}

const takes = {
  snapshot(told) {
    for (const name of ["records", "invokes", "travels"]) known[name].clear();
    Object.assign(known, { stack: told.stack, stages: told.stages, write: told.write, replay: told.replay, blind: told.blind ?? {} });
    for (const name of ["failures", "alarms", "mails"]) known[name] = told[name] ?? [];
    known.points = told.points ?? {};
    if (told.records) takes.records(told.records);
    if (told.invokes) takes.invokes(told.invokes);
    for (const travel of told.travels ?? []) known.travels.set(travel.id, travel);
    draw(drawStack, drawBlind, drawTravels, drawRecords, drawLog, drawAlarms, drawMails, drawFailures);
  },
  stack(told) { known.stack = told; draw(drawStack); },
  stages(told) { known.stages = told; draw(drawStages); },
  blind(told) { known.blind = told; draw(drawBlind, drawRecords, drawLog, drawAlarms, drawMails, drawFailures); },
  records(told) {
    keep(known.records, told.items, (item) => value(item.objectId), 300, (item) => Number(value(item.timestamp) ?? 0));
    if (told.complete === false) set($("records-note"), "The table is large: of what was there before, only the first 4 MB were read.");
    draw(drawRecords);
  },
  removed(ids) { for (const id of ids) { known.records.delete(id); found?.delete(id); } draw(drawRecords); },
  invokes(told) { keep(known.invokes, told, (one) => one.request, 300, (one) => one.at); draw(drawLog); },
  travels: takeTravels,
  failures(told) { known.failures = told; draw(drawFailures, drawTravels); },
  alarms(told) {
    for (const alarm of told) {
      const before = known.alarms.find((one) => one.name === alarm.name);
      if (before && before.state !== alarm.state) { say(`The alarm ${alarm.name} is ${alarm.state}`); light("alarms", alarm.state === "ALARM"); }
    }
    known.alarms = told;
    draw(drawAlarms);
  },
  mails(told) { if (told.length > known.mails.length && known.mails.length) light("topic", false); known.mails = told; draw(drawMails); },
  points(told) { known.points = told; draw(drawAlarms); },
  replay(told) { known.replay = told; draw(drawFailures, drawTravels); },
};

function connect() {
  const source = new EventSource("events");
  const connection = (state, word) => { $("connection").dataset.state = state; set($("connection"), word); };
  source.onopen = () => { connection("healthy", "✓ live"); if (known.gone) { known.gone = false; show($("banner"), false); draw(drawStages); } };
  source.onerror = () => {
    known.gone = true;
    draw(drawStages);
    connection("broken", "✕ not connected");
    show($("banner"), true);
    set($("banner"), source.readyState === EventSource.CLOSED
      ? "The console has ended, or this link is an old one: start it again, and open the link that it prints."
      : "The console does not answer: what is shown is old. Trying again …");
    // A console that answers with an error would never be asked again.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => { source.close(); connect(); }, 3000);
  };
  for (const [kind, take] of Object.entries(takes)) source.addEventListener(kind, (event) => take(JSON.parse(event.data)));
}

// --- what people do --------------------------------------------------------------------------

function start() {
  const drop = $("drop");
  let inside = 0;
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) document.addEventListener(kind, (event) => {
    event.preventDefault();
    if (kind === "dragenter") inside += 1;
    if (kind === "dragleave") inside -= 1;
    if (kind === "drop") { inside = 0; filesOf(event.dataTransfer).then(upload).catch((error) => complain(`The files can't be read: ${error.message}`)); }
    drop.classList.toggle("over", inside > 0 && known.write);
  });
  $("pick-files").onclick = () => $("files").click();
  $("pick-folder").onclick = () => $("folder").click();
  for (const id of ["files", "folder"]) $(id).onchange = (event) => {
    upload([...event.target.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
    event.target.value = "";
  };
  $("write-text").onclick = () => {
    const open = $("text-form").hidden;
    $("text-form").hidden = !open;
    $("write-text").setAttribute("aria-expanded", String(open));
    if (open) $("text-key").focus();
  };
  $("text-form").onsubmit = (event) => {
    event.preventDefault();
    upload([{ file: new Blob([$("text-body").value]), path: $("text-key").value }]);
  };
  $("records-filter").onsubmit = (event) => event.preventDefault();
  $("records-prefix").oninput = filterRecords;
  $("records-since").onchange = filterRecords;
  $("log-level").onchange = () => draw(drawLog);
  $("log-request").oninput = () => { foundLines = null; set($("log-note"), ""); draw(drawLog); };
  $("log-filter").onsubmit = async (event) => {
    event.preventDefault();
    const request = $("log-request").value.trim();
    if (request.length < 8) return;
    set($("log-note"), "Asking the log …");
    try {
      const { invokes } = await ask(`log?request=${encodeURIComponent(wellFormed(request))}`);
      foundLines = invokes[0] ?? null;
      set($("log-note"), foundLines ? "" : "No line of the last day names it.");
    } catch (error) { set($("log-note"), error.message); }
    draw(drawLog);
  };
  $("replay-chosen").onclick = () => { if (isOn($("replay-chosen"))) replay([...chosen]); };
  $("replay-all").onclick = () => { if (isOn($("replay-all"))) replay("all"); };
  const theme = (name) => { if (name) document.documentElement.dataset.theme = name; };
  try { theme(localStorage.getItem("theme")); } catch { /* a browser that keeps nothing */ }
  $("theme").onclick = () => {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    theme(dark ? "light" : "dark");
    try { localStorage.setItem("theme", dark ? "light" : "dark"); } catch { /* as above */ }
  };
  // What there is to be told may be much: the page shows first.
  requestAnimationFrame(() => setTimeout(connect));
}

start();
