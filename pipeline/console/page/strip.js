"use strict";
// The headline, the strip of stages, and what a stage shows when it is opened.

const BINS_SECONDS = 30;
const amount = (number) => number >= 1000 ? `${(number / 1000).toFixed(1)}k` : String(Math.round(number * 10) / 10);

function drawStages() {
  const flow = $("flow"), stale = isStale();
  if (!known.stages.length) return;
  if (!flow.kept) flow.replaceChildren();
  list(flow, known.stages, (stage) => stage.id, (stage) => make("li", { class: "stage", id: `stage-${stage.id}` },
    make("a", { href: `#/stage/${stage.id}` },
      make("span", { class: "line" }, make("span", { class: "title" }), make("span", { class: "state" })),
      make("dl"), make("span", { class: "trend" }))),
  (element, stage) => {
    const [line, figures, trend] = element.firstChild.children, [title, state] = line.children;
    const status = stale ? "unknown" : stage.status;
    element.dataset.status = status;
    set(title, stage.title);
    state.dataset.state = status;
    set(state, `${SIGNS[status]} ${word(stage, status)}`);
    element.title = stale ? "" : flat(stage.detail);
    list(figures, stage.figures.slice(0, 1), (figure) => figure.label,
      (figure) => make("div", {}, make("dt", {}, figure.label), make("dd")),
      (part, figure) => { part.title = figure.title; set(part.children[1], stale ? "–" : figure.value); });
    const points = stale ? "" : JSON.stringify(stage.series);
    if (trend.drawn !== points) { trend.drawn = points; trend.replaceChildren(...trendOf(stale ? null : stage)); }
  });
  drawHeadline();
  if (route().kind === "stage") draw(drawDetail);
}

const word = (stage, status) => stage.id === "alarms" && ["failing", "busy"].includes(status) ? "In alarm" : WORDS[status];

// Its own least and most, since each stage has another scale.
function trendOf(stage) {
  const seen = (stage?.series ?? []).filter((point) => point !== null);
  if (!seen.length) return [];
  const [least, most] = [Math.min(...seen), Math.max(...seen)];
  // How long something waited is in milliseconds.
  const told = stage.figures[0].label === "waited" ? duration : amount;
  const label = `${stage.figures[0].label} of the last 15 minutes: ${told(least)} to ${told(most)}`;
  const svg = makeSvg("svg", { class: "spark", viewBox: "0 0 60 24", preserveAspectRatio: "none", role: "img", "aria-label": label });
  for (const points of segments(stage.series, 60, 24, least, most)) svg.append(makeSvg("polyline", { class: "line", points }));
  return [svg, make("span", { class: "range", "aria-hidden": "true" }, most === least ? told(most) : `${told(least)}–${told(most)}`)];
}

// A line for each run of known points.
function segments(series, width, height, least, most) {
  const found = [];
  let run = [];
  const step = width / Math.max(1, series.length - 1);
  series.forEach((point, at) => {
    if (point === null) { if (run.length) found.push(run); run = []; return; }
    const y = most === least ? height - 2 : height - 2 - ((height - 4) * (point - least)) / (most - least);
    run.push(`${(at * step).toFixed(1)},${y.toFixed(1)}`);
  });
  if (run.length) found.push(run);
  return found.map((points) => (points.length > 1 ? points : [points[0], points[0]]).join(" "));
}

function drawHeadline() {
  const { stages, headline } = known;
  const checking = "Checking the pipeline …";
  let state = "unknown", said = checking, detail = "", since = null, ids = [];
  if (known.disconnected) said = "The console does not answer: this page is out of date.";
  else if (known.stack.finding) said = "Finding the pipeline …";
  else if (known.stack.problem) said = "Unknown: the pipeline can't be read.";
  else if (stages.length && headline) ({ status: state, text: said, detail, since, stages: ids } = headline);
  if (said !== checking && !known.stack.finding) document.body.classList.remove("reading");
  const verdict = $("verdict"), [line, more] = verdict.firstElementChild.children;
  verdict.dataset.state = state;
  set(line, `${SIGNS[state]} ${flat(said)}`);
  set(more, flat([since ? `Since ${shortMoment(since * 1000)}.` : "", detail].join(" ")));
  list($("causes"), stages.filter((stage) => ids.includes(stage.id)), (stage) => stage.id,
    (stage) => make("a", { class: "chip", href: stage.id === "failures" ? "#/failures" : `#/stage/${stage.id}` }, stage.title));
  const connection = $("connection");
  const [shown, chip] = known.disconnected ? ["✕ Not connected", "failing"] : known.stack.problem ? ["? No data", "unknown"] : ["✓ Live", "ok"];
  if (known.connected) { connection.dataset.state = chip; set(connection, shown); }
  const count = stages.filter((stage) => stage.status === "failing").length;
  document.title = `${isStale() ? "? Unknown – " : count ? `✕ ${count} failing – ` : ""}Pipeline`;
}

function light(id, failing) {
  const stage = $(`stage-${id}`);
  if (!stage) return;
  const name = failing ? "lit-failing" : "lit";
  stage.classList.add(name);
  clearTimeout(stage[name]);
  stage[name] = setTimeout(() => stage.classList.remove(name), 900);
}

// --- a stage, opened -------------------------------------------------------------------------

function stageDetail(id) {
  const stage = known.stages.find((stage) => stage.id === id);
  if (!stage) return [`Stage ${id}`, [make("p", { class: "none" }, known.stages.length ? "This pipeline has no such stage." : "Reading …")], ""];
  const status = isStale() ? "unknown" : stage.status;
  const places = [["Name", stage.resource], ...(known.stack.places?.[id] ?? [])]
    .filter(([, name], at, all) => name && name !== "unknown" && all.findIndex(([, other]) => other === name) === at);
  const alarms = known.alarms.filter((alarm) => alarm.stage === id || (id === "alarms" && alarm.state === "ALARM"));
  const content = () => [
    make("p", {}, make("span", { class: "state", "data-state": status }, `${SIGNS[status]} ${word(stage, status)}`), " ",
      isStale() ? "" : flat(stage.detail), stage.since && !isStale() ? ` Since ${shortMoment(stage.since * 1000)}.` : ""),
    make("div", { class: "sides" },
      make("div", {},
        make("dl", { class: "attributes" }, ...stage.figures.flatMap((figure) => [make("dt", {}, figure.label),
          make("dd", {}, isStale() ? "–" : figure.value, " ", make("span", { class: "type" }, figure.title))])),
        make("dl", { class: "attributes names" }, ...places.flatMap(([label, name]) => [make("dt", {}, label), make("dd", {}, text(name), " ", copier(name, label))]))),
      chart(stage)),
    ...alarms.map((alarm) => {
      const details = expandable([make("span", { class: "state", "data-state": alarmState(alarm) }, `${SIGNS[alarmState(alarm)]} ${alarm.state}`),
        make("span", { class: "grow" }, text(alarm.name)), make("span", { class: "small" }, "history and runbook")], () => {
        const place = make("div", { class: "body runbook" }, "Loading …");
        loadAlarm(alarm.name, place);
        return place;
      });
      return make("div", { class: "list" }, details);
    }),
  ];
  // What is open stays open while nothing but time goes on.
  return [stage.title, content, JSON.stringify([stage, status, places, alarms.map((alarm) => [alarm.name, alarm.state]), known.stack.problem])];
}

function copier(value, label) {
  return make("button", { type: "button", class: "small-button", "aria-label": `Copy ${label}`, onclick: async (event) => {
    const button = event.target;
    try { await navigator.clipboard.writeText(value); set(button, "Copied"); } catch { set(button, "Not copied"); }
    setTimeout(() => set(button, "Copy"), 1500);
  } }, "Copy");
}

// Its first figure by half minutes, with its time and value.
function chart(stage) {
  const series = stage.series ?? [], seen = series.filter((point) => point !== null);
  if (!seen.length || isStale()) return make("p", { class: "none" }, "Nobody tells how this figure changed.");
  const most = Math.max(...seen, 0) || 1, label = stage.figures[0].label;
  const end = Math.ceil(now() / 1000 / BINS_SECONDS) * BINS_SECONDS * 1000, begin = end - series.length * BINS_SECONDS * 1000;
  const svg = makeSvg("svg", { class: "chart", viewBox: "0 0 400 120", role: "img", "aria-label": `${label}, each half minute: at most ${amount(Math.max(...seen))}` });
  for (const [y, value] of [[10, most], [55, most / 2], [100, 0]]) {
    svg.append(makeSvg("line", { class: "grid", x1: 40, x2: 400, y1: y, y2: y }));
    svg.append(written(36, y + 4, "end", amount(value)));
  }
  for (const part of [0, 1 / 3, 2 / 3, 1]) svg.append(written(40 + 356 * part, 116, part === 1 ? "end" : part ? "middle" : "start", clock(begin + (end - begin) * part).slice(0, 5)));
  const group = makeSvg("g", { transform: "translate(40 8)" });
  for (const points of segments(series, 356, 94, 0, most)) group.append(makeSvg("polyline", { class: "line", points }));
  svg.append(group);
  return make("figure", {}, make("figcaption", { class: "small" }, `${label}, by half minutes`), svg);
}

function written(x, y, anchor, value) {
  const element = makeSvg("text", { x, y, "text-anchor": anchor });
  element.textContent = value;
  return element;
}
