// Uploads files, folders and text: as many at a time as the endpoint takes, and loses none.

const $ = (id) => document.getElementById(id);
const MOST_AT_ONCE = 4; // a browser has six connections to a server, of which the events need one
const FEWEST_BYTES = 1048576; // below, the number of files says more than their size
const SHOWN = 200;
// Characters that are invisible, or change the direction of text, are written as escapes.
export const plain = (value) => String(value).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
  (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
// encodeURIComponent throws on half a character.
const wellFormed = (key) => key.toWellFormed ? key.toWellFormed() : key;
const number = (value) => value.toLocaleString("en-US");
const mebibytes = (size) => (size / 1048576).toFixed(1);
const files = (count) => `${number(count)} file${count === 1 ? "" : "s"}`;
const set = (element, text) => { if (element.textContent !== text) element.textContent = text; };

// Which page this is, for as long as it is open: the server knows by it what a closed tab left.
const page = window.pageId = crypto.randomUUID();

let allowed = false; // whether this page may upload
let queue = []; // what waits
let limit = 2; // how many at a time
let pause = 0; // milliseconds before the next try, where the endpoint takes nothing
let why = ""; // why it takes nothing
const running = new Map(); // what is under way, and how to abort it
const refused = new Map(); // by key: what was refused, and why
const total = { files: 0, bytes: 0, done: 0, sent: 0, began: 0, drops: [] };

const pending = () => queue.length + running.size;

function fresh() {
  Object.assign(total, { files: 0, bytes: 0, done: 0, sent: 0, began: performance.now(), drops: [] });
  limit = 2;
}

/** Upload `[{ body, key }]`; returns once the server has noted which they are. */
export async function upload(wanted) {
  if (!allowed || !wanted.length) return;
  if (!pending()) { fresh(); refused.clear(); }
  const items = wanted.map(({ body, key }) => ({ body, key: wellFormed(key) }));
  // Before the answer, so that a tab that is closed at once warns too.
  for (const item of items) { total.files += 1; total.bytes += item.body.size; }
  queue.push(...items);
  draw();
  const answer = await fetch("drops", {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ page, keys: items.map((item) => item.key) }),
  }).catch(() => null);
  const said = await answer?.json().catch(() => null);
  if (answer && !answer.ok) {
    // Too many, or this page may not.
    const mine = new Set(items);
    queue = queue.filter((item) => !mine.has(item));
    for (const item of items) { total.files -= 1; total.bytes -= item.body.size; }
    problem(said?.error ?? `The console answered ${answer.status}.`);
    draw();
    return;
  }
  if (said) total.drops.push(said.id);
  next();
}

function next() {
  while (running.size < limit && queue.length && !pause) send(queue.shift());
  draw();
}

async function send(item) {
  const abort = new AbortController();
  running.set(item, abort);
  const began = performance.now();
  let answer = null, reason = "The console does not answer.";
  try {
    answer = await fetch(`objects?key=${encodeURIComponent(item.key)}`, { method: "PUT", body: item.body, signal: abort.signal });
    if (!answer.ok) reason = (await answer.json().catch(() => ({}))).error ?? `The console answered ${answer.status}.`;
  } catch (error) {
    item.tries = (item.tries ?? 0) + 1;
    if (abort.signal.aborted) { /* cancelled */ }
    // A file that was changed or removed since it was dropped can't be read.
    else if (await unreadable(item.body)) { answer = { status: 400 }; reason = "The file can't be read any more."; }
    else if (item.tries >= 3 && await answers()) { answer = { status: 400 }; reason = `It can't be sent (${error.message}).`; }
  }
  running.delete(item);
  if (abort.signal.aborted) return;
  if (answer?.ok) {
    total.done += 1;
    total.sent += item.body.size;
    pause = 0;
    why = "";
    if (performance.now() - began < 2000) limit = Math.min(MOST_AT_ONCE, limit + 0.25);
  } else if (!answer || answer.status === 503 || answer.status === 429) {
    // It passes: nothing is given up, and one at a time looks whether it has.
    queue.unshift(item);
    limit = 1;
    why = reason;
    if (!pause) {
      pause = 500;
      setTimeout(() => { pause = 0; next(); }, pause);
    }
  } else {
    refused.set(item.key, { item, reason });
  }
  next();
}

async function unreadable(body) {
  try { await body.slice(0, 1).arrayBuffer(); return false; } catch { return true; }
}

const answers = () => fetch("page.css", { method: "HEAD" }).then((answer) => answer.ok, () => false);

function cancel() {
  queue = [];
  for (const abort of running.values()) abort.abort();
  running.clear();
  for (const id of total.drops) fetch(`drops/${id}`, { method: "DELETE" }).catch(() => null);
  problem(`Cancelled: ${number(total.done)} of ${files(total.files)} are uploaded.`);
  fresh();
  draw();
}

function again() {
  const items = [...refused.values()].map(({ item }) => item);
  refused.clear();
  queue.push(...items);
  next();
}

// --- what is shown ---------------------------------------------------------------------------

let drawing = false;
function draw() {
  window.filesPending = pending();
  // Motion on hundreds of rows takes more time than the uploads.
  document.documentElement.classList.toggle("many", window.filesPending > 20);
  if (drawing) return;
  drawing = true;
  setTimeout(() => { drawing = false; drawNow(); }, window.filesPending > 20 ? 250 : 0);
}

function drawNow() {
  const left = pending(), box = $("drop-progress");
  const bar = box.querySelector("progress");
  box.hidden = !total.files;
  if (total.files) {
    const known = refused.size;
    bar.max = total.files;
    bar.value = total.done + known;
    const parts = [`${number(total.done)} of ${files(total.files)}`];
    if (total.bytes >= FEWEST_BYTES) parts.push(`${mebibytes(total.sent)} of ${mebibytes(total.bytes)} MiB`);
    if (known) parts.push(`${number(known)} not uploaded`);
    const seconds = (performance.now() - total.began) / 1000;
    if (left && why) parts.push(`waiting: ${plain(why)}`);
    else if (left && total.done > 10 && seconds > 2) parts.push(`about ${Math.ceil((left * seconds) / total.done)} s left`);
    if (!left && total.ended === undefined) total.ended = seconds;
    if (left) total.ended = undefined;
    set($("drop-total"), left ? parts.join(" · ") : `${parts.join(" · ")} uploaded in ${total.ended.toFixed(1)} s`);
  }
  $("drop-cancel").hidden = !left;
  const list = $("drop-refused");
  list.hidden = !refused.size;
  if (refused.size) {
    set(list.querySelector("summary"), `${files(refused.size)} not uploaded`);
    list.querySelector("ul").replaceChildren(...[...refused].slice(0, SHOWN).map(([key, { reason }]) => row(`${plain(key)}: ${plain(reason)}`)));
  }
}

function row(text) {
  const element = document.createElement("li");
  element.textContent = text;
  return element;
}

function problem(sentence) { set($("upload-errors"), sentence); }

function drawLeft(drops) {
  $("drop-left").replaceChildren(...drops.map((drop) => {
    const box = document.createElement("details"), summary = document.createElement("summary"), keys = document.createElement("ul");
    const when = new Date(drop.at * 1000).toISOString().slice(11, 16);
    summary.textContent = `${number(drop.count)} of ${files(drop.total)} of ${when} were not uploaded, since their tab was closed: drop them again.`;
    keys.append(...drop.keys.map((key) => row(plain(key))));
    if (drop.count > drop.keys.length) keys.append(row(`and ${number(drop.count - drop.keys.length)} more`));
    const dismiss = document.createElement("button");
    dismiss.type = "button";
    dismiss.className = "small-button";
    dismiss.textContent = "Forget these";
    dismiss.onclick = () => fetch(`drops/${drop.id}`, { method: "DELETE" });
    box.append(summary, keys, dismiss);
    return box;
  }));
}

// --- what is dropped -------------------------------------------------------------------------

async function filesOf(transfer) {
  // Before anything is awaited: afterwards a drop's items are gone.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ body: file, key: file.name }));
  const found = [];
  const walk = async (entry, path) => {
    if (entry.isFile) found.push({ body: await new Promise((resolve, reject) => entry.file(resolve, reject)), key: path + entry.name });
    else if (entry.isDirectory) {
      const reader = entry.createReader();
      // In parts of a hundred.
      for (let children; (children = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length;)
        for (const child of children) await walk(child, `${path}${entry.name}/`);
    }
  };
  for (const entry of entries) await walk(entry, "");
  return found;
}

function take(found) {
  problem("");
  const prefix = $("prefix").value;
  return upload(found.map(({ body, key }) => ({ body, key: prefix + key })));
}

function start() {
  const drop = $("drop");
  let depth = 0;
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) document.addEventListener(kind, (event) => {
    event.preventDefault();
    if (kind === "dragenter") depth += 1;
    if (kind === "dragleave") depth -= 1;
    if (kind === "drop") { depth = 0; filesOf(event.dataTransfer).then(take).catch((error) => problem(`The files can't be read: ${error.message}`)); }
    drop.classList.toggle("over", depth > 0 && allowed);
  });
  $("pick-files").onclick = () => $("files").click();
  $("pick-folder").onclick = () => $("folder").click();
  for (const id of ["files", "folder"]) $(id).onchange = (event) => {
    take([...event.target.files].map((file) => ({ body: file, key: file.webkitRelativePath || file.name })));
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
    take([{ body: new Blob([$("text-body").value]), key: $("text-key").value }]);
  };
  $("drop-cancel").onclick = cancel;
  $("drop-again").onclick = again;
  // The browser asks whether the tab is to be closed.
  window.addEventListener("beforeunload", (event) => { if (pending()) event.preventDefault(); });
  document.addEventListener("console:snapshot", (event) => { allowed = event.detail.write; });
  document.addEventListener("console:left", (event) => drawLeft(event.detail));
}

start();
