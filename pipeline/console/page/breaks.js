// Break the lab on purpose, and watch it heal. The server knows what is broken; this shows it.
import { plain, upload } from "./drops.js";

const $ = (id) => document.getElementById(id);
const set = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);
const plural = (count, thing) => `${count} ${thing}${count === 1 ? "" : "s"}`;
const BUSY = { breaking: "Breaking it …", fixing: "Fixing it …", replaying: "Replaying …" };
const SAMPLES = 2;

let state = { phase: "idle", offered: false };
let seen = 0; // since when that was broken whose result was seen

async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, options).catch(() => null);
  const said = await answer?.json().catch(() => null);
  if (!answer?.ok) throw new Error(said?.error ?? "The console does not answer: is it still running?");
  return said;
}

async function act(path, body) {
  try { show(await ask(path, body)); return true; } catch (error) { set($("break-problem"), error.message); return false; }
}

async function breakIt(name) {
  if (!await act("break", { name }) || name === "emulator") return;
  // So that there is something to see.
  const at = new Date().toISOString().slice(11, 19).replaceAll(":", "-");
  const body = new Blob(["Broken on purpose.\n"]);
  upload(Array.from({ length: SAMPLES }, (_, number) => ({ body, key: `broken-on-purpose/${at}-${number + 1}.txt` })));
}

async function offer() {
  let offers = [];
  try { offers = (await ask("breaks")).offers; } catch (error) { set($("break-problem"), error.message); }
  const rows = offers.map(({ name, title, does, why_not: whyNot }) => {
    const row = document.createElement("li"), button = document.createElement("button"), about = document.createElement("span");
    button.type = "button";
    button.className = "quiet";
    button.textContent = title;
    about.id = `break-about-${name}`;
    about.textContent = whyNot ?? does;
    button.setAttribute("aria-describedby", about.id);
    button.setAttribute("aria-disabled", String(Boolean(whyNot)));
    button.onclick = () => { if (!whyNot) breakIt(name); };
    row.append(button, about);
    return row;
  });
  $("break-list").replaceChildren(...rows);
}

function result() {
  if (!state.fixed_at) return "";
  const parts = [`Fixed ${clock(state.fixed_at)}`];
  if (state.phase === "fixing") parts.push("looking for uploads without a record …");
  else if (state.phase === "fixed" && state.waiting === null) parts.push("Replay brings through what failed");
  else if (state.phase === "fixed") parts.push(`${plural(state.waiting, "upload")} without a record: Replay brings ${state.waiting === 1 ? "it" : "them"} through`);
  else if (state.phase === "done") {
    if (state.recovered) parts.push(`${state.recovered} recovered`);
    parts.push(state.lost.length ? `${state.lost.length} lost: ${state.lost.slice(0, 5).map(plain).join(", ")}` : "nothing lost");
    if (state.alarm_ends) parts.push(`alarm ends about ${clock(state.alarm_ends)}`);
  }
  return parts.join(" · ");
}

function show(now) {
  if (now.phase === "done" && now.since === seen) now = { phase: "idle", offered: true };
  const ended = state.phase !== "idle" && now.phase === "idle";
  state = now;
  const { phase } = state, on = phase !== "idle", open = $("break-open");
  open.hidden = !state.offered;
  $("breaks").dataset.phase = phase;
  $("break-choice").hidden = on;
  $("break-now").hidden = !on;
  if (on && phase !== "done" && $("breaks").hidden) toggle(true);
  if (ended && !$("breaks").hidden) offer();
  const since = state.since ? ` since ${clock(state.since)} UTC` : "";
  set($("breaks-title"), !on ? "Break it, watch it heal"
    : state.fixed_at ? `Broken on purpose, and fixed: ${state.title}` : `Broken on purpose${since}: ${state.title ?? ""}`);
  set($("break-cause"), ["failing", "breaking"].includes(phase) ? state.cause ?? "" : "");
  set($("break-busy"), phase === "fixing" && state.fixed_at ? "" : BUSY[phase] ?? "");
  const healed = phase === "done" && !state.lost.length;
  set($("break-result"), `${healed ? "✓ " : phase === "done" ? "✕ " : ""}${result()}`);
  $("break-result").dataset.state = healed ? "ok" : phase === "done" ? "failing" : "busy";
  $("break-result").hidden = !result();
  set($("break-problem"), state.problem ?? "");
  enable($("break-fix"), phase === "failing");
  enable($("break-replay"), phase === "fixed");
  for (const id of ["break-fix", "break-replay"]) $(id).hidden = phase === "done";
  $("break-fix").title = state.fix ?? "";
  $("break-another").hidden = phase !== "done";
}

const enable = (button, enabled) => button.setAttribute("aria-disabled", String(!enabled));
const pressed = (id, work) => { $(id).onclick = () => { if ($(id).getAttribute("aria-disabled") !== "true") work(); }; };

function toggle(open) {
  $("breaks").hidden = !open;
  $("break-open").setAttribute("aria-expanded", String(open));
  if (open && state.phase === "idle") offer();
}

function again() {
  seen = state.since ?? 0;
  show({ phase: "idle", offered: true });
}

pressed("break-open", () => {
  // Of a round before: whoever presses this wants another.
  if ($("breaks").hidden && state.phase === "done") again();
  toggle($("breaks").hidden);
  if (!$("breaks").hidden) $("breaks").focus();
});
pressed("break-fix", () => act("fix", {}));
pressed("break-replay", () => act("recover", {}));
pressed("break-another", again);
document.addEventListener("console:breaks", (event) => show(event.detail));
