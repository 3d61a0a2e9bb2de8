"use strict";
// What has an address of its own: an upload (#/upload/ID), a stage (#/stage/ID), the failure queue.

function route() {
  const [, kind = "", id = ""] = /^#\/(upload|stage|failures)(?:\/(.*))?$/.exec(location.hash) ?? [];
  // Somebody may have typed it.
  try { return { kind, id: decodeURIComponent(id) }; } catch { return { kind, id }; }
}

const uploadLink = (id) => `#/upload/${encodeURIComponent(wellFormed(String(id)))}`;

let traced = null; // the upload that is open, as the console told it
let tracedError = "";
let traceTimer = 0;
let asked = 0, shown = 0; // a slow answer must not replace that of a later question

function follow() {
  // The link that skips to the uploads is no route.
  if (location.hash && !location.hash.startsWith("#/")) return;
  const { kind, id } = route();
  traced = null;
  tracedError = "";
  $("detail-body").drawn = null;
  if (kind === "failures") { show($("detail"), false); $("panel-failures").scrollIntoView({ block: "nearest" }); $("panel-failures").focus({ preventScroll: true }); return; }
  show($("detail"), Boolean(kind));
  if (!kind) return;
  drawDetail();
  if (kind === "upload") loadTrace(id);
  $("detail").scrollIntoView({ block: "nearest" });
  $("detail").focus({ preventScroll: true });
}

async function loadTrace(id) {
  const number = ++asked;
  const isLate = () => route().id !== id || number < shown;
  try {
    const found = await ask(`trace?id=${encodeURIComponent(wellFormed(id))}`);
    if (isLate()) return;
    [traced, tracedError, shown] = [found, "", number];
  } catch (error) {
    if (isLate()) return;
    tracedError = error.message;
  }
  draw(drawDetail);
}

// Something happened: to this upload, perhaps.
function touch(...ids) {
  const { kind, id } = route();
  if (kind !== "upload" || (traced && !ids.some((each) => each === null || String(each) === id || each === traced.id))) return;
  clearTimeout(traceTimer);
  traceTimer = setTimeout(() => loadTrace(id), 250);
}

function drawDetail() {
  const { kind, id } = route();
  if (!["upload", "stage"].includes(kind)) return;
  const [title, content, key] = kind === "stage" ? stageDetail(id) : traceDetail(id);
  set($("detail-title"), title);
  const body = $("detail-body");
  if (body.drawn === key && key) return;
  const open = [...body.querySelectorAll("details")].map((details) => details.open);
  body.drawn = key;
  body.replaceChildren(...(typeof content === "function" ? content() : content));
  [...body.querySelectorAll("details")].forEach((details, at) => { if (open[at]) details.open = true; });
}

function traceDetail(id) {
  if (!traced) {
    const said = tracedError || "Reading …";
    return [`Upload ${text(id.slice(0, 80))}`, [make("p", { class: "none" }, flat(said))], ""];
  }
  const { upload, failure, record, spans, lines, unnamed, commands } = traced;
  const state = failure ? "failed" : upload?.state ?? (record ? "recorded" : "in_progress");
  const reason = failure?.reason || upload?.reason || spans.findLast((span) => span.reason)?.reason || "";
  const content = () => [
    make("p", {}, make("span", { class: "state", "data-state": stateOf(state) }, STATES[state]), " ",
      [bytes(upload?.size ?? (record?.size ? Number(value(record.size)) : null)), upload ? (upload.from_page ? "from this page" : "from elsewhere") : "",
        `objectId ${text(traced.id)}`].filter(Boolean).join(" · "), " ", copier(traced.id, "objectId")),
    reason && state !== "recorded" ? make("p", { class: "reason" }, prose(reason)) : null,
    failure && known.write ? make("p", {}, make("button", { type: "button", onclick: (event) => { if (isEnabled(event.target)) replay([failure.id]); } }, "Replay this upload")) : null,
    waterfall(spans),
    make("div", { class: "sides" },
      make("div", {}, make("h3", {}, "Record"), record ? attributes(record) : make("p", { class: "none" }, "There is no record of it in the table.")),
      make("div", {}, make("h3", {}, "In a terminal"),
        ...commands.map(([command, what]) => make("p", {}, make("code", {}, text(command)), " ", copier(command, "command"), make("span", { class: "small" }, ` ${what}`))),
        commands.length ? null : make("p", { class: "none" }, "Nothing to run yet."),
        unnamed.length ? make("p", { class: "small" }, `${unnamed.length} invocations failed in this time and named no record; their lines are below. Which were this upload's, nobody tells.`) : null)),
    make("h3", {}, "Log lines"),
    lines.length ? make("pre", { class: "lines", tabindex: 0, "aria-label": "Log lines" }, lines.map(([at, , line]) => `${clock(at)} ${prose(line)}`).join("\n"))
      : make("p", { class: "none" }, "No line of the log names it."),
  ].filter(Boolean);
  return [text(traced.key || `Upload ${traced.id}`), content, JSON.stringify([traced, known.write])];
}

const ROUGH = "from a time in whole seconds";

// Each part of its way as a bar, on one scale.
function waterfall(spans) {
  if (!spans.length) return make("p", { class: "none" }, "Nobody tells how long its way took.");
  const last = Math.max(...spans.map((span) => span.end ?? traced.now)), first = Math.min(...spans.map((span) => span.start));
  const whole = Math.max(last - first, 1);
  return make("ol", { class: "waterfall", "aria-label": "How long each part took" }, ...spans.map((span) => {
    const end = span.end ?? traced.now, took = Math.max(0, end - span.start);
    const bar = make("span", { class: "bar", "data-kind": span.kind });
    bar.style.marginLeft = `${(100 * (span.start - first)) / whole}%`;
    bar.style.width = `${Math.max(0.4, (100 * took) / whole)}%`;
    return make("li", {}, make("span", { class: "what" }, span.name), make("span", { class: "track", "aria-hidden": "true" }, bar),
      make("span", { class: "took" }, `${span.approximate ? "about " : ""}${duration(took)}${span.end === null ? ", and on" : ""}`),
      make("span", { class: "small why" }, flat([span.approximate ? ROUGH : "", span.reason].filter(Boolean).join(" · "))));
  }));
}
