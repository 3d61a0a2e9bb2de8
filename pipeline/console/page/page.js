"use strict";
// Everything that comes from the stack becomes text, never markup: a key may be `<script>`.

const $ = (id) => document.getElementById(id);
const WORDS = { ok: "OK", busy: "Busy", failing: "Failing", unknown: "Unknown" };
const SIGNS = { ok: "✓", busy: "●", failing: "✕", unknown: "?" };
const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const SHOWN = 100;
const KEPT = 300;

const known = {
  stack: {}, stages: [], headline: null, read: new Set(), unknown: {}, total: null, ahead: 0, write: false, replay: null, disconnected: false,
  records: new Map(), invokes: new Map(), uploads: new Map(),
  failures: [], alarms: [], notifications: [], datapoints: {},
};
const selected = new Set(); // ids of the failure queue's messages
let foundRecords = null; // what a search of the table found
let foundInvoke = null; // what a search of the log found

// --- helpers ---------------------------------------------------------------------------------

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function makeSvg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// Characters that are invisible, or change the direction of text, are written as escapes.
function text(value) {
  return String(value).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => "\\u" + character.charCodeAt(0).toString(16).padStart(4, "0"));
}

// Of texts with lines, such as log lines and reasons; a row shows them in one.
const prose = (value) => String(value).split(/([\t\n])/).map((part) => part === "\t" || part === "\n" ? part : text(part)).join("");
const flat = (value) => text(String(value).replace(/\s+/g, " ").trim());

const set = (element, value) => { if (element.textContent !== value) element.textContent = value; };
const show = (element, shown) => { if (element.hidden === shown) element.hidden = !shown; };
// All times are UTC: `2026-11-28 10:00:00 UTC`, of today in lists only its clock.
function moment(epoch) {
  const date = new Date(epoch || NaN);
  return Number.isNaN(date.getTime()) ? "time unknown" : `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
const clock = (epoch) => epoch ? moment(epoch).slice(11, 19) : "";
// AWS's time: this machine's clock may be minutes off.
const now = () => Date.now() + known.ahead;
// Nothing is known of a panel before it was read, nor while it can't be.
const isEmpty = (panel, count) => count === 0 && known.read.has(panel) && !known.unknown[panel] && !isStale();
const isStale = () => known.disconnected || Boolean(known.stack.problem);
const shortMoment = (epoch) => {
  if (!epoch) return "";
  return moment(epoch).slice(0, 10) === moment(now()).slice(0, 10) ? clock(epoch) : moment(epoch);
};
function duration(ms) {
  if (ms === null || ms === undefined) return "";
  if (ms >= 10000) return `${Math.round(ms / 1000)} s`;
  return ms >= 10 || ms === 0 ? `${Math.round(ms).toLocaleString("en")} ms` : `${ms.toFixed(1)} ms`;
}
function bytes(size) {
  if (size === null || size === undefined) return "";
  for (const [unit, of] of [["MiB", 1048576], ["KiB", 1024]]) if (size >= of) return `${(size / of).toFixed(1)} ${unit}`;
  return size === 1 ? "1 byte" : `${size} bytes`;
}
const value = (attribute) => attribute ? Object.values(attribute)[0] : undefined;
const announce = (sentence) => { $("announcement").textContent = sentence; };
const errors = [];
function showError(sentence) {
  if (sentence) errors.push(sentence); else errors.length = 0;
  const more = errors.length > 5 ? [`and ${errors.length - 5} before`] : [];
  $("upload-errors").textContent = [...errors.slice(-5), ...more].join("\n");
}

// A list keeps its elements by key, so that what is open stays open and nothing jumps.
function list(parent, items, key, build, update) {
  const kept = parent.kept ??= new Map();
  const first = kept.size === 0;
  const wanted = new Set(items.map((item) => String(key(item))));
  // Removed first: moving the others would take the focus from them.
  for (const [id, element] of kept) if (!wanted.has(id)) { kept.delete(id); removeElement(element); }
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

// The keyboard's focus goes to a neighbour, not to the top of the page.
function removeElement(element) {
  const near = element.contains(document.activeElement)
    && ((element.nextElementSibling ?? element.previousElementSibling)?.querySelector("input, button, summary")
      ?? element.closest("section"));
  element.remove();
  if (near) near.focus();
}

// Unlike `disabled`, this keeps the focus.
const enable = (button, on) => button.setAttribute("aria-disabled", String(!on));
const isEnabled = (button) => button.getAttribute("aria-disabled") !== "true";

// A row that opens; its content is made when it is first opened.
function expandable(summary, content) {
  const details = make("details", {}, make("summary", {}, ...summary));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(content());
  });
  return details;
}

const waiting = new Set();
function draw(...parts) {
  // A hidden page gets no animation frames, but its title is seen.
  // While many files go up, drawing each step would take more time than the uploads.
  const many = window.filesPending > 20;
  const soon = document.hidden || many ? (work) => setTimeout(work, many ? 500 : 0) : requestAnimationFrame;
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
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(document.error || `The console answered ${answer.status}.`);
  return document;
}

// --- the stack -------------------------------------------------------------------------------

function drawStack() {
  const { problem, origin, region } = known.stack;
  // The first seconds are no problem.
  show($("banner"), Boolean(problem) && !known.stack.finding);
  set($("banner"), text(problem || ""));
  const where = known.stack.embedded ? "The lab on this machine" : origin;
  set($("origin"), text([where, region].filter(Boolean).join(", ")));
  set($("figures-note"), known.stack.embedded ? "The emulator publishes no metrics: this page publishes what it observes, so that alarms work as in AWS." : "");
  // Of a lab CloudWatch has only what a page published.
  for (const button of $("timeline-minutes").children) show(button, button.dataset.minutes <= 60 || known.stack.embedded === false);
  const readOnly = !known.write;
  $("drop").classList.toggle("read-only", readOnly);
  for (const id of ["pick-files", "pick-folder", "write-text", "prefix"]) $(id).disabled = readOnly;
  set($("drop-note"), readOnly ? ": not on this read-only page. Start it with --write to upload." : ".");
  draw(drawStages, drawHeadline, drawUploads, drawRecords, drawLog, drawAlarms, drawNotifications, drawFailures);
}

function drawUnknown() {
  for (const panel of ["records", "log", "failures", "alarms", "notifications", "datapoints", "checks", "metrics"]) {
    const element = $(`unknown-${panel}`);
    const why = known.unknown[panel];
    show(element, Boolean(why));
    set(element, why ? flat(`Unknown: ${why}`) : "");
  }
}

// --- uploads ---------------------------------------------------------------------------------

const STATES = {
  uploading: "Uploading", in_progress: "In progress", recorded: "Recorded", retrying: "Retrying",
  failed: "Failed", rejected: "Not uploaded", filtered_out: "Filtered out",
};

const isOpen = (upload) => !["recorded", "rejected", "filtered_out"].includes(upload.state);

const stateOf = (state) => ({ recorded: "ok", uploading: "busy", in_progress: "busy", filtered_out: "unknown" })[state] ?? "failing";
// By its record's id as soon as that is known, so that the address outlives this page.
const nameOf = (upload) => upload.object_id ?? upload.id;

function steps(upload) {
  const failed = upload.state === "rejected" ? "bucket" : ["retrying", "failed"].includes(upload.state)
    ? (known.failures.find((failure) => failure.id === upload.message)?.how === "rule" ? "delivery" : "function") : null;
  let pending = upload.state === "uploading" || upload.state === "in_progress";
  const names = { bucket: "bucket", delivery: known.stages.find((stage) => stage.id === "delivery")?.title.toLowerCase() ?? "rule", function: "function", table: "table" };
  return Object.entries(names).map(([id, name]) => {
    const passed = id in upload.stages && id !== failed;
    let step = "", sign = "";
    if (id === failed) [step, sign] = ["failed", "✕"];
    else if (passed && !(failed === "delivery" && id === "function")) [step, sign] = ["done", "✓"];
    else if (pending) { [step, sign] = ["pending", "…"]; pending = false; }
    return { id, name, step, sign };
  });
}

// From when it was sent until the function had stored it; only this page's own are known so well.
const total = (upload) => upload.state === "recorded" ? duration(upload.stages.table) : "";

function drawUploads() {
  const sorted = [...known.uploads.values()].filter((upload) => inSpan(upload.at)).sort((left, right) => right.id - left.id);
  // What is not over stays in sight, however many come after it.
  const all = [...sorted.filter(isOpen).slice(0, SHOWN), ...sorted.filter((upload) => !isOpen(upload))].slice(0, SHOWN)
    .sort((left, right) => right.id - left.id);
  show($("uploads-none"), isEmpty("records", all.length) && known.read.has("log"));
  list($("upload-list"), all, (upload) => upload.id, (upload) => make("li", { class: "upload" },
    make("a", { class: "key" }), make("ol", { class: "steps" }), make("span", { class: "ms total" }), make("span", { class: "about" }),
    make("span", { class: "state" }), make("span", { class: "reason" }),
    make("button", { type: "button", class: "small-button", onclick: (event) => { if (isEnabled(event.target)) replay([known.uploads.get(upload.id).message]); } }, "Replay")),
  (element, upload) => {
    const [key, track, took, about, state, reason, button] = element.children;
    element.dataset.upload = upload.state;
    set(key, text(upload.key));
    const link = uploadLink(nameOf(upload));
    if (key.getAttribute("href") !== link) key.setAttribute("href", link);
    key.title = text(upload.key);
    set(took, total(upload));
    set(about, [clock(upload.at), upload.from_page ? "from this page" : "from elsewhere"].filter(Boolean).join(", "));
    state.dataset.state = stateOf(upload.state);
    set(state, STATES[upload.state]);
    list(track, steps(upload), (step) => step.id,
      () => make("li", { class: "step" }, make("span", { class: "dot", "aria-hidden": "true" }), make("span", { class: "visually-hidden" })),
      (element, { step, sign, name }) => {
        const said = `${name} ${{ done: "passed", failed: "failed", pending: "pending" }[step] || "not reached"}`;
        element.dataset.step = step;
        element.title = said;
        set(element.children[0], sign);
        set(element.children[1], said);
      });
    // Why those in the queue failed stands there and in the headline.
    const why = upload.reason && upload.state !== "failed" ? flat(upload.reason) : "";
    show(reason, Boolean(why));
    show(about, !why);
    set(reason, why);
    reason.title = why;
    show(button, Boolean(upload.message) && known.write);
    button.setAttribute("aria-label", `Replay ${text(upload.key)}`);
    enable(button, !known.replay?.running);
  });
}

function takeUploads(uploads) {
  touch(...uploads.flatMap((upload) => [upload.id, upload.object_id]));
  for (const upload of uploads) {
    const before = known.uploads.get(upload.id);
    for (const id of Object.keys(upload.stages)) if (!before || !(id in before.stages)) light(id === "delivery" && !$("stage-delivery") ? "rule" : id, false);
    if (["failed", "retrying"].includes(upload.state) && before?.state !== upload.state) light("function", true);
    if (upload.state === "failed" && before?.state !== "failed") announce(`${upload.key} failed: ${upload.reason}`);
    if (upload.state === "recorded" && before?.state !== "recorded") announce(`${upload.key} is recorded`);
    known.uploads.set(upload.id, upload);
  }
  const sorted = [...known.uploads.values()].sort((left, right) => left.id - right.id);
  const over = sorted.filter((upload) => !isOpen(upload)).slice(0, -200);
  for (const upload of [...over, ...sorted.slice(0, -2000)]) known.uploads.delete(upload.id);
  draw(drawUploads);
}

// encodeURIComponent throws on half a character.
const wellFormed = (key) => key.toWellFormed ? key.toWellFormed() : key;

// --- the timeline in words --------------------------------------------------------------------

// The same in words: the sentence below it, the label, and the table.
const named = (dot) => dot[7] ? `${amount(dot[7])} invocations${dot[5] ? `, ${amount(dot[5])} errors` : ""}` : text(dot[1] || dot[0]);
const sum = (dots, at) => amount(dots.reduce((all, dot) => all + dot[at], 0));

function tell(dots, sorted) {
  const failed = dots.filter((dot) => dot[5]).length, silent = dots.filter((dot) => dot[3] === null).length;
  const thinned = line.every > 1 ? ` Too many for a dot each: one of ${line.every} is drawn, and each that failed.` : "";
  const said = line.minutes > 60 ? `${sum(dots, 7)} invocations in ${line.minutes / 60} hours, ${sum(dots, 5)} errors, by CloudWatch: a dot is p99 of ${line.minutes > 360 ? 15 : 5} minutes, the line below it ends at p50.` : `Uploads in ${line.minutes} minutes: ${dots.length}${failed ? `, failed: ${failed}` : ""}`
    + (sorted.length ? `. p50 ${duration(part(sorted, 50))}, p99 ${duration(part(sorted, 99))}` : "")
    + `${silent ? `. ${silent} without a known duration` : ""}.${thinned}`;
  set($("timeline-note"), isStale() ? "What is drawn is old." : said);
  $("timeline-canvas").setAttribute("aria-label", `Timeline: ${said} The same is in the table below it.`);
  show($("brush"), Boolean(line.brush));
  if (line.brush) set($("brush-span"), `${clock(line.brush[0])} to ${clock(line.brush[1])}`);
  if (!$("timeline-table").open) return;
  const shown = dots.filter((dot) => inSpan(dot[2])).sort((left, right) => right[2] - left[2]);
  set($("timeline-caption"), shown.length > SHOWN ? `The newest ${SHOWN} of ${shown.length}` : `${shown.length} ${line.minutes > 60 ? "periods" : "uploads"}`);
  list($("timeline-rows"), shown.slice(0, SHOWN), (dot) => dot[0],
    (dot) => make("tr", {}, make("td", {}, clock(dot[2])), make("td", {}, dot[7] ? make("span") : make("a", { href: uploadLink(dot[0]) })), make("td"), make("td")),
    (row, dot) => { set(row.children[1].firstChild, named(dot)); set(row.children[2], outcome(dot)); set(row.children[3], dot[4] === null ? "" : duration(dot[4])); });
  list($("timeline-events"), [...line.alarms.map(([name, from, to]) => [`${name} in ALARM`, from, to]), ...line.changes.map(([at, what]) => [what, at, at])],
    ([what, from]) => what + from, () => make("li"),
    (row, [what, from, to]) => set(row, `${text(what)}: ${clock(from)}${to === from ? "" : to === null ? ", lasting" : ` to ${clock(to)}`}`));
}

// --- records ---------------------------------------------------------------------------------

const seconds = (item) => Number(value(item.timestamp) ?? 0);

function drawRecords() {
  const prefix = $("records-prefix").value, since = $("records-since").value;
  const from = since ? now() / 1000 - Number(since) : 0;
  const pool = foundRecords ? new Map([...foundRecords, ...known.records]) : known.records;
  const matching = [...pool.values()]
    // Records have whole seconds.
    .filter((item) => (value(item.objectKey) ?? "").startsWith(prefix) && seconds(item) >= from && (inSpan(seconds(item) * 1000) || inSpan(seconds(item) * 1000 + 999)))
    .sort((left, right) => seconds(right) - seconds(left)
      || (value(right.sequencer) ?? "").localeCompare(value(left.sequencer) ?? ""));
  // Without a filter the console counts them; with one, what it has is all below its bound.
  const counted = prefix || since || line.brush ? (matching.length < KEPT ? matching.length : null) : known.total;
  const number = counted === null ? (matching.length < KEPT ? "" : `${KEPT} or more`) : String(counted);
  set($("records-count"), matching.length > SHOWN ? `${SHOWN} of ${number || "more"}` : matching.length ? number : "");
  show($("records-none"), isEmpty("records", matching.length));
  list($("records"), matching.slice(0, SHOWN), (item) => value(item.objectId), (item) => make("li", {}, expandable([
    make("time", {}), make("span", { class: "grow" }), make("span", { class: "ms" })], () => make("div", { class: "body" },
    make("a", { href: uploadLink(value(item.objectId)) }, "Trace of this upload"), attributes(item)))),
  (row, item) => {
    const [time, key, size] = row.firstChild.firstChild.children;
    set(time, shortMoment(seconds(item) * 1000));
    set(key, text(value(item.objectKey) ?? "(no key)"));
    set(size, item.size ? bytes(Number(value(item.size))) : "");
  });
}

function attributes(item) {
  const names = Object.keys(item).sort((left, right) => (right === "objectId") - (left === "objectId") || left.localeCompare(right));
  return make("dl", { class: "attributes" }, ...names.flatMap((name) => {
    const [type, stored] = Object.entries(item[name])[0];
    const time = ["timestamp", "ttl"].includes(name) ? ` (${moment(Number(stored) * 1000)})` : "";
    const shown = typeof stored === "string" ? stored : JSON.stringify(stored);
    return [make("dt", {}, text(name), " ", make("span", { class: "type" }, type)), make("dd", {}, text(shown), make("span", { class: "type" }, time))];
  }));
}

let searchTimer = 0;
function filterRecords() {
  clearTimeout(searchTimer);
  draw(drawRecords);
  const prefix = $("records-prefix").value, since = $("records-since").value;
  foundRecords = null;
  set($("records-note"), "");
  if (!prefix && !since) return;
  searchTimer = setTimeout(async () => {
    const from = since ? Math.floor(now() / 1000 - Number(since)) : "";
    set($("records-note"), "Searching the table …");
    try {
      const { items, complete } = await ask(`records?prefix=${encodeURIComponent(wellFormed(prefix))}&since=${from}`);
      if (prefix !== $("records-prefix").value || since !== $("records-since").value) return;
      foundRecords = new Map(items.map((item) => [value(item.objectId), item]));
      set($("records-note"), complete ? "" : "Large table: only its first 4 MB were searched.");
    } catch (error) { set($("records-note"), error.message); }
    draw(drawRecords);
  }, 400);
}

// --- log -------------------------------------------------------------------------------------

function drawLog() {
  const level = $("log-level").value, request = $("log-request").value.trim();
  const lowest = level ? LEVELS.indexOf(level) : 0;
  const matching = [...known.invokes.values()]
    .filter((invoke) => LEVELS.indexOf(invoke.level) >= lowest && invoke.request.startsWith(request) && inSpan(invoke.at))
    .sort((left, right) => right.at - left.at);
  set($("log-count"), matching.length > SHOWN ? `${SHOWN} of ${matching.length}` : matching.length ? String(matching.length) : "");
  show($("log-none"), isEmpty("log", matching.length) && !foundInvoke);
  show($("log-search"), request.length >= 8 && matching.length === 0);
  const shown = foundInvoke && matching.length === 0 ? [foundInvoke] : matching.slice(0, SHOWN);
  list($("log"), shown, (invoke) => invoke.request, (invoke) => make("li", {}, expandable([
    make("time", {}), make("span", { class: "state" }), make("span", { class: "grow" }), make("span", { class: "ms" })],
  () => make("div", { class: "body" }, make("div", {}, `request ${text(invoke.request)}`), make("div", { class: "traces" }), make("pre", { class: "lines", tabindex: 0 })))),
  (row, invoke) => {
    const details = row.firstChild, [time, state, about, ms] = details.firstChild.children;
    set(time, clock(invoke.at));
    // An invocation that has not ended is neither.
    const ended = invoke.ended || invoke.done_at !== null;
    state.dataset.state = invoke.failing ? "failing" : ended ? "ok" : "unknown";
    set(state, invoke.failing ? `✕ ${["ERROR", "FATAL"].includes(invoke.level) ? invoke.level : "ERROR"}` : `${ended ? "✓" : "?"} ${invoke.level}`);
    set(about, flat(summary(invoke)));
    set(ms, duration(invoke.reported ?? invoke.milliseconds));
    const fill = () => {
      const traces = details.querySelector(".traces");
      if (!traces) return;
      const refused = invoke.not_stored.map((record) => [record.object_id, record.key]).filter(([id]) => id);
      list(traces, [...new Map([...invoke.object_ids.map((id) => [id, keyOf(id)]), ...refused])].slice(0, 25), ([id]) => id,
        ([id]) => make("a", { href: uploadLink(id) }), (link, [id, key]) => set(link, text(key || id)));
      const lines = details.querySelector(".lines"); if (lines) set(lines, invoke.lines.map(([at, , line]) => `${clock(at)} ${prose(line)}`).join("\n"));
    };
    details.ontoggle = () => queueMicrotask(fill);
    fill();
  });
}

const keyOf = (id) => value(known.records.get(id)?.objectKey) ?? [...known.uploads.values()].find((upload) => upload.object_id === id)?.key;

function summary(invoke) {
  if (invoke.not_stored.length) return `${invoke.not_stored[0].key}: ${invoke.not_stored[0].reason}`;
  if (invoke.failing && invoke.reason) return invoke.reason;
  if (invoke.received === null) return invoke.lines.at(-1)?.[2] ?? "";
  const parts = [`${invoke.received} received`, `${invoke.stored} stored`];
  if (invoke.skipped) parts.push(`${invoke.skipped} skipped`);
  if (invoke.failed) parts.push(`${invoke.failed} failed`);
  if (invoke.cold_start || invoke.init !== null) parts.push(invoke.init === null ? "cold start" : `cold start, ${duration(invoke.init)} before it`);
  return `${parts.join(", ")} · ${invoke.request.slice(0, 8)}`;
}

// --- alarms, notifications, failure queue ----------------------------------------------------

const alarmState = (alarm) => isStale() || known.unknown.alarms ? "unknown" : { OK: "ok", ALARM: "failing" }[alarm.state] ?? "unknown";

function drawAlarms() {
  const inAlarm = known.alarms.filter((alarm) => alarm.state === "ALARM").length;
  set($("alarms-count"), isStale() ? "" : known.alarms.length ? `${inAlarm} of ${known.alarms.length} in alarm` : "");
  show($("alarms-none"), isEmpty("alarms", known.alarms.length));
  const order = { ALARM: 0, INSUFFICIENT_DATA: 1, OK: 2 };
  const sorted = [...known.alarms].sort((left, right) => order[left.state] - order[right.state] || left.name.localeCompare(right.name));
  list($("alarms"), sorted, (alarm) => alarm.name, (alarm) => {
    const details = expandable([make("span", { class: "state" }), make("span", { class: "name" }), make("span", { class: "grow small" }), make("span", { class: "spark-place" })],
      () => make("div", { class: "body runbook" }, "Loading …"));
    details.addEventListener("toggle", () => { if (details.open) loadAlarm(alarm.name, details.children[1]); });
    return make("li", {}, make("div", { class: "alarm", id: `alarm-${alarm.name}` }, details));
  }, (row, alarm) => {
    const [chip, name, about, place] = row.firstChild.firstChild.firstChild.children;
    const state = alarmState(alarm);
    chip.dataset.state = state;
    set(chip, `${SIGNS[state]} ${alarm.state}`);
    set(name, text(alarm.name));
    name.title = text(alarm.name);
    const measured = [alarm.metric, alarm.period ? `${alarm.statistic} over ${alarm.period} s` : "", threshold(alarm)].filter(Boolean).join(", ");
    set(about, flat(`${measured}. ${sentence(alarm.reason)}`));
    about.title = about.textContent;
    const datapoints = JSON.stringify(known.datapoints[alarm.name] ?? null);
    if (place.drawn !== datapoints) { place.drawn = datapoints; place.replaceChildren(spark(alarm, known.datapoints[alarm.name])); }
  });
}

// A composite alarm has none.
const threshold = (alarm) => alarm.threshold === null ? "" : `threshold ${alarm.threshold}`;
// As CloudWatch and the emulator word it, but as a sentence.
const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);

function spark(alarm, datapoints) {
  if (!datapoints?.length) return make("span", { class: "small" }, alarm.threshold === null ? "" : "No datapoints");
  const values = datapoints.map(([, measured]) => measured);
  const top = Math.max(...values, alarm.threshold ?? 0) * 1.15 || 1;
  const [first, last] = [datapoints[0][0], Math.max(datapoints.at(-1)[0], datapoints[0][0] + 1)];
  const x = (at) => 4 + (88 * (at - first)) / (last - first), y = (measured) => 20 - (16 * measured) / top;
  const label = `${alarm.metric}: ${datapoints.length} datapoints, maximum ${Math.max(...values)}, newest ${values.at(-1)}, ${threshold(alarm)}`;
  const svg = makeSvg("svg", { class: "spark", viewBox: "0 0 96 24", role: "img", "aria-label": label });
  svg.append(makeSvg("title", {}));
  svg.firstChild.textContent = label;
  svg.append(makeSvg("polyline", { class: "line", points: datapoints.map(([at, measured]) => `${x(at).toFixed(1)},${y(measured).toFixed(1)}`).join(" ") }));
  svg.append(makeSvg("circle", { class: "dot-mark", cx: x(datapoints.at(-1)[0]), cy: y(values.at(-1)), r: 3 }));
  if (alarm.threshold !== null) svg.append(makeSvg("line", { class: "limit", x1: 0, x2: 96, y1: y(alarm.threshold), y2: y(alarm.threshold) }));
  return svg;
}

async function loadAlarm(name, place) {
  try {
    const { history, runbook } = await ask(`alarm?name=${encodeURIComponent(wellFormed(name))}`);
    const failed = [...known.uploads.values()].filter((upload) => upload.state === "failed").slice(-5);
    place.replaceChildren(
      ...failed.map((upload) => make("p", {}, "Failed: ", make("a", { href: uploadLink(nameOf(upload)) }, text(upload.key)))),
      make("ol", { class: "history", "aria-label": "State history, newest first" }, ...history.map((change) =>
        make("li", {}, `${shortMoment(change.at)}: ${change.from ?? "?"} → ${change.to ?? "?"}. ${flat(change.reason ?? "")}`))),
      ...runbook.map((pieces) => pieces.length === 1 && pieces[0][0] === "pre" ? make("pre", {}, pieces[0][1])
        : make("p", {}, ...pieces.map(([kind, piece]) => kind === "text" ? piece : make(kind, {}, piece)))));
    if (!runbook.length) place.append(make("p", {}, "The runbook has no section on this alarm."));
  } catch (error) { place.replaceChildren(error.message); }
}

function drawNotifications() {
  set($("notifications-count"), known.notifications.length ? String(known.notifications.length) : "");
  show($("notifications-none"), isEmpty("notifications", known.notifications.length));
  list($("notifications"), known.notifications.filter((notification) => inSpan(notification.at)).slice(0, SHOWN), (notification) => notification.id, (notification) => make("li", {}, expandable([
    make("time", {}, shortMoment(notification.at)), make("span", { class: "grow" }, flat(notification.subject))],
  () => make("div", { class: "body" }, ...notification.lines.map((line) => make("p", {}, prose(line)))))));
}

function drawFailures() {
  const all = known.failures.filter((failure) => !line.brush || inSpan(failure.failed_at * 1000)).reverse().slice(0, SHOWN);
  set($("failures-count"), known.failures.length ? String(known.failures.length) : "");
  show($("failures-none"), isEmpty("failures", known.failures.length));
  for (const id of ["replay-all", "replay-selected"]) show($(id), known.write && known.failures.length > 0);
  const ids = new Set(all.map((failure) => failure.id));
  for (const id of selected) if (!ids.has(id)) selected.delete(id);
  list($("failures"), all, (failure) => failure.id, (failure) => make("li", { class: "failure" },
    make("input", { type: "checkbox", onchange: (event) => { selected[event.target.checked ? "add" : "delete"](failure.id); drawTools(); } }),
    make("a", { class: "key" }), make("span", { class: "reason" }), make("span", { class: "about" }),
    make("button", { type: "button", class: "small-button", onclick: (event) => { if (isEnabled(event.target)) replay([failure.id]); } }, "Replay")),
  (row, failure) => {
    const [box, link, reason, about, button] = row.children;
    const [, key] = failure.objects[0] ?? [];
    const more = failure.objects.length > 1 ? ` and ${failure.objects.length - 1} more` : "";
    const name = key === undefined ? `message ${failure.id.slice(0, 8)}` : text(key) + more;
    set(link, name);
    link.title = name;
    // The trace of the first: more than one has a record of its own each.
    if (failure.objectIds.length) link.href = uploadLink(failure.objectIds[0]);
    const attempts = failure.attempts === null ? "" : `, ${failure.attempts} attempts`;
    set(about, shortMoment(failure.failed_at * 1000));
    about.title = `${moment(failure.failed_at * 1000)}, from the ${text(failure.how)}${attempts}`;
    set(reason, flat(failure.reason || "No reason given: see the function's log."));
    reason.title = reason.textContent;
    box.setAttribute("aria-label", `Select ${name}`);
    button.setAttribute("aria-label", `Replay ${name}`);
    box.checked = selected.has(failure.id);
    for (const control of [box, button]) show(control, known.write);
    enable(button, !known.replay?.running);
  });
  drawTools();
}

function drawTools() {
  const progress = known.replay, running = Boolean(progress?.running);
  enable($("replay-selected"), !running && selected.size > 0);
  enable($("replay-all"), !running && known.failures.length > 0);
  set($("replay-selected"), selected.size ? `Replay ${selected.size} selected` : "Replay selected");
  let state = "";
  if (progress) {
    state = `${running ? "Replaying: " : ""}${progress.done} recorded`;
    if (progress.skipped) state += `, ${progress.skipped} skipped by the hook`;
    if (progress.empty) state += `, ${progress.empty} without an event of an object`;
    if (progress.stayed) state += `, ${progress.stayed} still in the queue (${flat(progress.reason ?? "no reason given")})`;
    if (progress.problem) state += `. ${flat(progress.problem)}`;
  }
  set($("replay-state"), state);
}

async function replay(messages) {
  showError("");
  try {
    await ask("replay", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ messages }) });
  } catch (error) { showError(error.message); }
}

// --- events of the console -------------------------------------------------------------------

function keep(map, items, key, limit, time) {
  for (const item of items) map.set(key(item), item);
  if (map.size > limit) {
    const newest = [...map.values()].sort((left, right) => time(left) - time(right)).slice(-limit);
    map.clear();
    for (const item of newest) map.set(key(item), item);
  }
}

const takes = {
  snapshot(snapshot) {
    for (const name of ["records", "invokes", "uploads"]) known[name].clear();
    Object.assign(known, { stack: snapshot.stack, stages: snapshot.stages, headline: snapshot.headline, write: snapshot.write, replay: snapshot.replay,
      unknown: snapshot.unknown ?? {}, read: new Set(snapshot.read), ahead: snapshot.now - Date.now(), total: null });
    for (const name of ["failures", "alarms", "notifications"]) known[name] = snapshot[name] ?? [];
    known.datapoints = snapshot.datapoints ?? {};
    if (snapshot.records) takes.records(snapshot.records);
    if (snapshot.invokes) takes.invokes(snapshot.invokes);
    for (const upload of snapshot.uploads ?? []) known.uploads.set(upload.id, upload);
    touch(null);
    reloadTimeline();
    draw(drawStack, drawUnknown, drawUploads, drawRecords, drawLog, drawAlarms, drawNotifications, drawFailures);
  },
  stack(stack) { known.stack = stack; draw(drawStack); },
  stages(stages) { known.stages = stages; draw(drawStages); },
  headline(headline) { known.headline = headline; draw(drawStages); },
  read(panels) { known.read = new Set(panels); draw(drawUploads, drawRecords, drawLog, drawAlarms, drawNotifications, drawFailures); },
  // So that silence is noticed.
  quiet() {},
  unknown(reasons) { known.unknown = reasons; draw(drawUnknown, drawRecords, drawLog, drawAlarms, drawNotifications, drawFailures); },
  records({ items, complete, total }) {
    known.total = total ?? null;
    keep(known.records, items, (item) => value(item.objectId), KEPT, seconds);
    if (complete === false) set($("records-note"), "Large table: only its first 4 MB were read.");
    draw(drawRecords);
  },
  removed(ids) { for (const id of ids) { known.records.delete(id); foundRecords?.delete(id); } draw(drawRecords); },
  invokes(invokes) { touch(...invokes.flatMap((invoke) => [...invoke.object_ids, ...invoke.not_stored.map((record) => record.object_id), traced?.requests.includes(invoke.request) ? null : ""])); keep(known.invokes, invokes, (invoke) => invoke.request, KEPT, (invoke) => invoke.at); draw(drawLog); },
  uploads: takeUploads,
  failures(failures) { known.failures = failures; touch(null); draw(drawFailures, drawUploads); },
  alarms(alarms) {
    for (const alarm of alarms) {
      const before = known.alarms.find((other) => other.name === alarm.name);
      if (before && before.state !== alarm.state) {
        reloadTimeline(); announce(`The alarm ${alarm.name} is ${alarm.state}`); light("alarms", alarm.state === "ALARM"); }
    }
    known.alarms = alarms;
    draw(drawAlarms);
  },
  notifications(notifications) {
    if (notifications.length > known.notifications.length && known.notifications.length) light("topic", false);
    known.notifications = notifications;
    draw(drawNotifications);
  },
  datapoints(datapoints) { known.datapoints = datapoints; draw(drawAlarms); },
  dots(dots) { takeDots(dots); },
  changes(changes) { line.changes = changes; draw(drawTimeline); },
  replay(progress) { known.replay = progress; draw(drawFailures, drawUploads); },
};

const SILENT_MS = 45_000;
let heardAt = 0;

function connect() {
  const source = new EventSource(`events?page=${window.pageId}`);
  const state = (disconnected, why) => {
    if (disconnected !== known.disconnected || !known.connected) {
      Object.assign(known, { disconnected, connected: true });
      drawStack();
    }
    if (disconnected) { show($("banner"), true); set($("banner"), why); }
  };
  // A console that hangs, and a tab that slept: what the page has is old.
  const silent = setInterval(() => {
    if (heardAt && Date.now() - heardAt > SILENT_MS) state(true, "The console is silent: this page is out of date. Waiting …");
  }, 5000);
  source.onopen = () => { heardAt = Date.now(); state(false); };
  source.onerror = () => {
    heardAt = 0;
    state(true, source.readyState === EventSource.CLOSED
      ? "The console has ended, or this is the link of another one: start it again, and open the link that it prints."
      : "The console does not answer: this page is out of date. Trying again …");
    // The browser does not reconnect after an answer with an error.
    if (source.readyState === EventSource.CLOSED) { clearInterval(silent); setTimeout(() => { source.close(); connect(); }, 3000); }
  };
  // What drops.js and breaks.js show comes by these, too.
  for (const kind of [...Object.keys(takes), "breaks", "left"]) source.addEventListener(kind, (event) => {
    const data = JSON.parse(event.data);
    heardAt = Date.now();
    state(false);
    takes[kind]?.(data);
    document.dispatchEvent(new CustomEvent(`console:${kind}`, { detail: data }));
  });
}

// --- controls --------------------------------------------------------------------------------

function start() {
  $("records-filter").onsubmit = (event) => event.preventDefault();
  $("records-prefix").oninput = filterRecords;
  $("records-since").onchange = filterRecords;
  $("log-level").onchange = () => draw(drawLog);
  $("log-request").oninput = () => { foundInvoke = null; set($("log-note"), ""); draw(drawLog); };
  $("log-filter").onsubmit = async (event) => {
    event.preventDefault();
    const request = $("log-request").value.trim();
    if (request.length < 8) return;
    set($("log-note"), "Searching the log …");
    try {
      const { invokes } = await ask(`log?request=${encodeURIComponent(wellFormed(request))}`);
      foundInvoke = invokes[0] ?? null;
      set($("log-note"), foundInvoke ? "" : "No log line of the last day has this request id.");
    } catch (error) { set($("log-note"), error.message); }
    draw(drawLog);
  };
  $("replay-selected").onclick = () => { if (isEnabled($("replay-selected"))) replay([...selected]); };
  $("replay-all").onclick = () => { if (isEnabled($("replay-all"))) replay("all"); };
  const theme = (name) => { if (name) document.documentElement.dataset.theme = name; };
  try { theme(localStorage.getItem("theme")); } catch { /* storage is off */ }
  $("theme").onclick = () => {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    theme(dark ? "light" : "dark");
    try { localStorage.setItem("theme", dark ? "light" : "dark"); } catch { /* storage is off */ }
  };
  // First the page shows: the snapshot may be large.
  requestAnimationFrame(() => setTimeout(connect));
  addEventListener("hashchange", follow);
  startTimeline();
  follow();
}

// Once the other scripts are there.
addEventListener("DOMContentLoaded", start);
